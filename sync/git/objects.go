package git

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/storage/memory"
)

// ErrNotInMemory says that an object is not in memory: it is older than what was fetched, or was
// forgotten.
var ErrNotInMemory = errors.New("not among the commits in memory")

// objects are git objects: what one fetch or one commit adds, over those that are there already.
type objects struct {
	*memory.Storage
	below storer.EncodedObjectStorer
}

// EncodedObject looks at the new objects, then at the old ones, which deltas of a thin pack build
// on.
func (s *objects) EncodedObject(t plumbing.ObjectType, h plumbing.Hash) (plumbing.EncodedObject,
	error) {
	if o, err := s.Storage.EncodedObject(t, h); err == nil {
		return o, nil
	}
	return s.below.EncodedObject(t, h)
}

// unpack adds a pack's objects; the parser computes the hash of each from its content.
func (s *objects) unpack(pack []byte, l limits) error {
	if err := measure(pack, l); err != nil {
		return err
	}
	p, err := packfile.NewParserWithStorage(packfile.NewScanner(bytes.NewReader(pack)), s)
	if err != nil {
		return err
	}
	_, err = p.Parse()
	return err
}

// measure reads through a pack before any of it is built, and refuses one that would grow beyond
// the limits: a few bytes of delta can stand for gigabytes. It also refuses a pack without its
// checksum, which the parser lets pass.
func measure(pack []byte, l limits) error {
	scan := packfile.NewScanner(bytes.NewReader(pack))
	_, count, err := scan.Header()
	if err != nil {
		return fmt.Errorf("reading the pack: %w", err)
	}
	if count > l.objects {
		return tooMany("the pack has %d objects, more than %d", count, l.objects)
	}
	total := l.taken
	for range count {
		h, err := scan.NextObjectHeader()
		if err != nil {
			return fmt.Errorf("reading the pack: %w", err)
		}
		if h.Length > l.object {
			return tooBig(h.Length, l.object)
		}
		size := h.Length
		var head prefix
		if _, _, err := scan.NextObject(&head); err != nil {
			return fmt.Errorf("reading the pack: %w", err)
		}
		if h.Type.IsDelta() {
			if size, err = head.deltaSize(); err != nil {
				return err
			}
		}
		if size < 0 || size > l.object {
			return tooBig(size, l.object)
		}
		if total += size; total > l.total {
			return tooMany("the pack unpacks to more than %d bytes", l.total)
		}
	}
	if _, err := scan.Checksum(); err != nil {
		return fmt.Errorf("reading the pack's checksum: %w", err)
	}
	return nil
}

func tooBig(size, limit int64) error {
	return tooMany("the pack has an object of %d bytes, more than %d", size, limit)
}

// prefix keeps the first bytes written to it: a delta begins with the sizes of its source and of
// its result, in git's gitformat-pack as little-endian groups of seven bits.
type prefix struct {
	b [2 * binary.MaxVarintLen64]byte
	n int
}

func (p *prefix) Write(b []byte) (int, error) {
	p.n += copy(p.b[p.n:], b)
	return len(b), nil
}

func (p *prefix) deltaSize() (int64, error) {
	_, n := binary.Uvarint(p.b[:p.n])
	if n <= 0 {
		return 0, packfile.ErrInvalidDelta
	}
	size, n := binary.Uvarint(p.b[n:p.n])
	if n <= 0 {
		return 0, packfile.ErrInvalidDelta
	}
	return int64(size), nil
}

// bytes gives the content of an object of type t.
func (s *objects) bytes(t plumbing.ObjectType, h plumbing.Hash) ([]byte, error) {
	o, err := s.EncodedObject(t, h)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", t, h, ErrNotInMemory)
	}
	r, err := o.Reader()
	if err != nil {
		return nil, fmt.Errorf("reading %s %s: %w", t, h, err)
	}
	defer r.Close()
	out := make([]byte, o.Size())
	if _, err := io.ReadFull(r, out); err != nil {
		return nil, fmt.Errorf("reading %s %s: %w", t, h, err)
	}
	return out, nil
}

// take moves all objects of another store here.
func (s *objects) take(from *objects) {
	for _, o := range from.Objects {
		hold(s.Storage, o)
	}
}

// hold puts an object into memory, which refuses only what is of no kind of git's.
func hold(in *memory.Storage, o plumbing.EncodedObject) { _, _ = in.SetEncodedObject(o) }

// size is how many bytes the new objects are.
func (s *objects) size() (total int64) {
	for _, o := range s.Objects {
		total += o.Size()
	}
	return total
}

// copyTo copies a commit and what there is of its tree, as far as it is not there yet.
func (s *objects) copyTo(to *memory.Storage, commit plumbing.Hash) error {
	fresh := func(t plumbing.ObjectType, h plumbing.Hash) bool {
		o, err := s.EncodedObject(t, h)
		if err != nil || to.HasEncodedObject(h) == nil {
			return false // nobody asked for it, or it is there
		}
		hold(to, o)
		return true
	}
	c, err := s.commit(commit)
	if err != nil || !fresh(plumbing.CommitObject, commit) {
		return err
	}
	return s.walk(plumbing.NewHash(c.Tree), fresh)
}

// walk visits a tree and what is below it, each once and trees before their content; visit says
// whether to go in. It keeps its own stack, as a hostile tree can be deeper than is good for Go's.
func (s *objects) walk(root plumbing.Hash, visit func(plumbing.ObjectType,
	plumbing.Hash) bool) error {
	seen := map[plumbing.Hash]bool{}
	for stack := []plumbing.Hash{root}; len(stack) > 0; {
		h := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if seen[h] {
			continue
		}
		seen[h] = true
		if !visit(plumbing.TreeObject, h) {
			continue
		}
		entries, err := s.tree(h)
		if err != nil {
			return err
		}
		for _, e := range entries {
			switch {
			case e.isDir():
				stack = append(stack, e.hash)
			case e.isBlob() && !seen[e.hash]:
				seen[e.hash] = true
				visit(plumbing.BlobObject, e.hash)
			}
		}
	}
	return nil
}
