package git

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/storage/memory"
)

// ErrNotInMemory says that an object is not in memory: it is older than what was fetched, or was
// forgotten.
var ErrNotInMemory = errors.New("not among the commits in memory")

// reader has git objects to be read.
type reader interface {
	EncodedObject(plumbing.ObjectType, plumbing.Hash) (plumbing.EncodedObject, error)
	HasEncodedObject(plumbing.Hash) error
}

// writer takes git objects.
type writer interface {
	SetEncodedObject(plumbing.EncodedObject) (plumbing.Hash, error)
	HasEncodedObject(plumbing.Hash) error
}

// objects are git objects: what one fetch or one commit adds, over those that are there already.
type objects struct {
	*memory.Storage
	below reader
	small bool // all files of the newest commit are there but the large ones
	parts bool // what builds on an object that is not there is left out
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

// delta is an object of a pack that is told by what differs from another one.
type delta struct {
	at     int64         // where it stands in the pack
	offset int64         // of what it builds on, in the pack; 0: it is named
	base   plumbing.Hash // its name
	steps  []byte
}

// unpack adds a pack's objects, whose names follow from their content. Each is inflated once, and
// one that would grow beyond the limits is refused before it is built: a few bytes of delta can
// stand for gigabytes. So is a pack without its checksum.
func (s *objects) unpack(pack []byte, l limits) error {
	scan := packfile.NewScanner(bytes.NewReader(pack))
	_, count, err := scan.Header()
	if err != nil {
		return fmt.Errorf("reading the pack: %w", err)
	}
	if count > l.objects {
		return tooMany("the pack has %d objects, more than %d", count, l.objects)
	}
	total := l.taken
	take := func(size int64) error {
		if size < 0 || size > l.object {
			return tooBig(size, l.object)
		}
		if total += size; total > l.total {
			return tooMany("the pack unpacks to more than %d bytes", l.total)
		}
		return nil
	}
	u := unpacker{objects: s, at: map[int64]plumbing.EncodedObject{}}
	for range count {
		h, err := scan.NextObjectHeader()
		if err != nil {
			return fmt.Errorf("reading the pack: %w", err)
		}
		size := h.Length
		if err := take(size); err != nil {
			return err
		}
		var content bytes.Buffer
		written, _, err := scan.NextObject(&content) // no more than the pack says
		if err != nil || written != size {
			return fmt.Errorf("reading the pack: %w", cmp.Or(err, errSize))
		}
		if !h.Type.IsDelta() {
			u.add(h.Offset, h.Type, content.Bytes())
			continue
		}
		if size, err = deltaSize(content.Bytes()); err != nil {
			return err
		}
		if err := take(size); err != nil { // it is there beside what makes it
			return err
		}
		d := delta{at: h.Offset, base: h.Reference, steps: content.Bytes()}
		if h.Type == plumbing.OFSDeltaObject {
			d.offset = h.OffsetReference
		}
		u.deltas = append(u.deltas, d)
	}
	if _, err := scan.Checksum(); err != nil {
		return fmt.Errorf("reading the pack's checksum: %w", err)
	}
	return u.build()
}

var errSize = errors.New("an object has another size than the pack says")

// unpacker are the objects of one pack.
type unpacker struct {
	*objects
	at     map[int64]plumbing.EncodedObject // by where they stand in the pack
	deltas []delta
}

func (u *unpacker) add(at int64, t plumbing.ObjectType, content []byte) {
	o := &plumbing.MemoryObject{}
	o.SetType(t)
	_, _ = o.Write(content) // memory takes all
	hold(u.Storage, o)
	u.at[at] = o
}

// build makes what the deltas stand for. One may build on another one, which a name can call before
// it stands in the pack.
func (u *unpacker) build() error {
	for len(u.deltas) > 0 {
		var left []delta
		for _, d := range u.deltas {
			base := u.at[d.offset]
			if d.offset == 0 {
				base, _ = u.EncodedObject(plumbing.AnyObject, d.base)
			}
			if base == nil {
				left = append(left, d)
				continue
			}
			from, err := contentOf(base)
			if err != nil {
				return err
			}
			content, err := packfile.PatchDelta(from, d.steps)
			if err != nil {
				return fmt.Errorf("reading the pack: %w", err)
			}
			u.add(d.at, base.Type(), content)
		}
		if len(left) == len(u.deltas) {
			if u.parts {
				return nil
			}
			return fmt.Errorf("reading the pack: %w", packfile.ErrReferenceDeltaNotFound)
		}
		u.deltas = left
	}
	return nil
}

func tooBig(size, limit int64) error {
	return tooMany("the pack has an object of %d bytes, more than %d", size, limit)
}

// deltaSize is how large the object is that a delta makes: it begins with the sizes of its source
// and of its result, in git's gitformat-pack as little-endian groups of seven bits.
func deltaSize(steps []byte) (int64, error) {
	_, n := binary.Uvarint(steps)
	if n <= 0 {
		return 0, packfile.ErrInvalidDelta
	}
	size, n := binary.Uvarint(steps[n:])
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
	return contentOf(o)
}

func contentOf(o plumbing.EncodedObject) ([]byte, error) {
	r, err := o.Reader()
	if err != nil {
		return nil, fmt.Errorf("reading %s %s: %w", o.Type(), o.Hash(), err)
	}
	defer r.Close()
	out := make([]byte, o.Size())
	if _, err := io.ReadFull(r, out); err != nil {
		return nil, fmt.Errorf("reading %s %s: %w", o.Type(), o.Hash(), err)
	}
	return out, nil
}

// take moves all objects of another store here.
func (s *objects) take(from *objects) {
	for _, o := range from.Objects {
		hold(s.Storage, o)
	}
	s.small = s.small || from.small
}

// hold puts an object into memory, which refuses only what is of no kind of git's.
func hold(in writer, o plumbing.EncodedObject) { _, _ = in.SetEncodedObject(o) }

// size is how many bytes the new objects are.
func (s *objects) size() (total int64) {
	for _, o := range s.Objects {
		total += o.Size()
	}
	return total
}

// copyTo copies a commit and what there is of its tree, as far as it is not there yet.
func (s *objects) copyTo(to writer, commit plumbing.Hash) error {
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
