package git

import (
	"bytes"
	"context"
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
func (s *objects) EncodedObject(t plumbing.ObjectType, h plumbing.Hash) (
	plumbing.EncodedObject, error) {
	if o, err := s.Storage.EncodedObject(t, h); err == nil {
		return o, nil
	}
	return s.below.EncodedObject(t, h)
}

// download fetches commit and what it needs beyond have, unpacked beside the store.
func (r *Repository) download(ctx context.Context, c *conn, commit, have plumbing.Hash,
	depth int) (*objects, error) {
	f := fetchRequest{want: commit, have: have, depth: depth, thin: !have.IsZero()}
	if r.caps.filter {
		f.filter = maxBlob + 1 // git leaves out what is as large as the limit
	}
	for {
		pack, err := c.fetch(ctx, f, r.limits.pack)
		if err != nil {
			return nil, err
		}
		s := &objects{Storage: memory.NewStorage(), below: r.store}
		err = s.unpack(pack, r.limits)
		if err == nil {
			return s, nil
		}
		// The server does not know that an earlier answer left a large blob out, and may build a
		// delta on it.
		if f.thin && (errors.Is(err, plumbing.ErrObjectNotFound) ||
			errors.Is(err, packfile.ErrReferenceDeltaNotFound)) {
			f.thin = false
			continue
		}
		return nil, fmt.Errorf("unpacking %s from %s: %w", commit, c.url, err)
	}
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
		return fmt.Errorf("the pack has %d objects, more than %d", count, l.objects)
	}
	total := int64(0)
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
			return fmt.Errorf("the pack unpacks to more than %d bytes", l.total)
		}
	}
	if _, err := scan.Checksum(); err != nil {
		return fmt.Errorf("reading the pack's checksum: %w", err)
	}
	return nil
}

func tooBig(size, limit int64) error {
	return fmt.Errorf("the pack has an object of %d bytes, more than %d", size, limit)
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

// complete checks that a new commit's tree is there to its last blob. What was there before the
// fetch was checked then, so only new trees are walked. Large blobs may be missing when the server
// was asked to leave them out.
func (s *objects) complete(commit plumbing.Hash, filtered bool) error {
	return s.walk(commit, func(h plumbing.Hash, kind plumbing.ObjectType) (bool, error) {
		if s.below.HasEncodedObject(h) == nil {
			return false, nil
		}
		if s.Storage.HasEncodedObject(h) != nil && (!filtered || kind != plumbing.BlobObject) {
			return false, fmt.Errorf("the server's answer lacks %s %s", kind, h)
		}
		return true, nil
	})
}

// copyTo copies a commit and its whole tree, as far as they are not there yet. Nothing else of an
// answer is kept, so what is in the store is always complete.
func (s *objects) copyTo(to *memory.Storage, commit plumbing.Hash) error {
	return s.walk(commit, func(h plumbing.Hash, kind plumbing.ObjectType) (bool, error) {
		if to.HasEncodedObject(h) == nil {
			return false, nil
		}
		o, err := s.EncodedObject(kind, h)
		if err != nil && kind == plumbing.BlobObject {
			return false, nil // was left out as too large
		}
		if err != nil {
			return false, fmt.Errorf("%s %s: %w", kind, h, ErrNotInMemory)
		}
		_, err = to.SetEncodedObject(o)
		return true, err
	})
}

// walk visits a commit, its trees and its blobs, each once and trees before their content; visit
// says whether to go in. It keeps its own stack, as a hostile tree can be deeper than is good for
// Go's.
func (s *objects) walk(commit plumbing.Hash, visit func(plumbing.Hash, plumbing.ObjectType) (
	bool, error)) error {
	if in, err := visit(commit, plumbing.CommitObject); err != nil || !in {
		return err
	}
	c, err := s.commit(commit)
	if err != nil {
		return err
	}
	seen := map[plumbing.Hash]bool{}
	for stack := []plumbing.Hash{plumbing.NewHash(c.Tree)}; len(stack) > 0; {
		h := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if seen[h] {
			continue
		}
		seen[h] = true
		if in, err := visit(h, plumbing.TreeObject); err != nil {
			return err
		} else if !in {
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
				if _, err := visit(e.hash, plumbing.BlobObject); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
