package git

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/storage/memory"

	"github.com/pullgrant/pullgrant/testdata/gitserver"
)

// TestWantedBelowEachOther: a tree that is wanted comes, also where another one that is wanted has
// it below itself.
func TestWantedBelowEachOther(t *testing.T) {
	s := gitserver.New(t, withConfig("true", "true")...)
	s.Commit("one", "a/b/c", "1", "d", "2")
	r := open(t, s)
	r.Narrow([]string{"d"}, []string{"d"})
	mustFetch(t, r)
	f := fetchRequest{filter: onlyCommits}
	for _, path := range []string{"a", "a/b"} {
		f.wants = append(f.wants, plumbing.NewHash(s.Git("rev-parse", "main:"+path)))
	}
	c, err := r.remote.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		got := r.over()
		if refused, err := r.bring(t.Context(), c, got, f); err != nil || len(refused) > 0 ||
			len(got.Trees) != 2 {
			t.Errorf("%d trees, %v refused, %v", len(got.Trees), refused, err)
		}
		slices.Reverse(f.wants)
	}
}

// TestAdded: the newest commit that has a file while its parent has not.
func TestAdded(t *testing.T) {
	h, r := newHistory(t, withConfig("true", "true")...)
	h.Work("rm", "-q", "requests/a/p/one")
	h.Commit("away")
	again := h.Commit("again", "requests/a/p/one", "1")
	for range 40 { // more than are looked at together
		h.Commit("more", "README", fmt.Sprint(time.Now()))
	}
	tip := mustFetch(t, r)
	for path, want := range map[string]string{"requests/a/p/one": again,
		"requests/a/p/zero": h.first, "requests/a/p/three": h.tip, "requests/a/p/five": h.next} {
		c, err := r.Added(t.Context(), tip, path, time.Time{})
		if err != nil || c.Hash != want {
			t.Errorf("%s came with %s, %v; want %s", path, c.Hash, err, want)
		}
	}
	// Of gitserver's commits each is dated alike: the first one before since ends the search of what
	// nobody asked for before.
	r = open(t, h.Server)
	mustFetch(t, r)
	at, err := r.Added(t.Context(), tip, "requests/a/p/zero",
		time.Date(2026, 11, 22, 10, 0, 1, 0, time.UTC))
	if err != nil || at.Hash != tip || len(at.Changes) != 1 {
		t.Errorf("since a second later: %s, %v; want the tip", at.Hash, err)
	}
	at, err = r.Added(t.Context(), tip, "requests/a/p/zero",
		time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC))
	if err != nil || at.Hash != h.first {
		t.Errorf("since that second: %s, %v; want the first", at.Hash, err)
	}
}

// TestMalformedTip: a commit that two readers could read in two ways does not become the tip.
func TestMalformedTip(t *testing.T) {
	for _, env := range [][]string{withConfig("true", "true"), withConfig("false", "false")} {
		s := gitserver.New(t, env...)
		old := s.Commit("one", "a", "1")
		r := open(t, s)
		mustFetch(t, r)
		tip, err := s.Try(s.Bare, strings.NewReader("tree "+s.Git("rev-parse", "main^{tree}")+
			"\nparent "+old+"\nauthor A <a@x> 1 +0000\n\nm\n"), "hash-object", "-t", "commit", "-w",
			"--literally", "--stdin")
		if err != nil {
			t.Fatal(tip)
		}
		s.Git("update-ref", "refs/heads/main", tip)
		for range 2 {
			if got, err := r.Fetch(t.Context()); err == nil || got != "" || r.Tip() != old ||
				!strings.Contains(err.Error(), "no committer") {
				t.Errorf("%q, %v, tip %s", got, err, r.Tip())
			}
		}
	}
}

// TestCommitAsksNothingFirst: what was fetched a moment ago is pushed on without asking again.
func TestCommitAsksNothingFirst(t *testing.T) {
	s := gitserver.New(t)
	s.Commit("one", "a", "1")
	r := open(t, s)
	mustFetch(t, r)
	before := s.Seen.Load()
	if _, err := r.Commit(t.Context(), put("b", "2")); err != nil {
		t.Fatal(err)
	}
	if n := s.Seen.Load() - before; n != 1 {
		t.Errorf("%d requests, want the push alone", n)
	}
}

// TestObjectsThatCannotBeRead: each says which object it is.
func TestObjectsThatCannotBeRead(t *testing.T) {
	s := &objects{Storage: memory.NewStorage(), below: memory.NewStorage()}
	commit := s.add(plumbing.CommitObject, []byte("x"))
	tree := s.add(plumbing.TreeObject, []byte("y"))
	good := s.add(plumbing.CommitObject, fmt.Appendf(nil, "tree %s\nauthor A <a@x> 1 +0000\n"+
		"committer A <a@x> 1 +0000\n\nm", tree))
	blob := s.add(plumbing.BlobObject, []byte("z"))
	s.Blobs[blob] = unreadable{s.Blobs[blob]}
	s.Objects[blob] = s.Blobs[blob]
	to := memory.NewStorage()
	for what, read := range map[string]func() (plumbing.Hash, error){
		"commit": func() (plumbing.Hash, error) { _, err := s.commit(commit); return commit, err },
		"tree":   func() (plumbing.Hash, error) { _, err := s.tree(tree); return tree, err },
		"blob": func() (plumbing.Hash, error) {
			_, err := s.bytes(plumbing.BlobObject, blob)
			return blob, err
		},
		"line": func() (plumbing.Hash, error) {
			_, _, err := s.between(good, commit, MaxDepth)
			return commit, err
		},
		"copied commit": func() (plumbing.Hash, error) { return commit, s.copyTo(to, commit) },
		"copied tree":   func() (plumbing.Hash, error) { return tree, s.copyTo(to, good) },
		"found": func() (plumbing.Hash, error) {
			_, err := s.find(Commit{Tree: tree.String()}, "x")
			return tree, err
		},
		"compared": func() (plumbing.Hash, error) {
			return tree, s.compare(&Commit{Tree: tree.String()}, Commit{})
		},
		"edited": func() (plumbing.Hash, error) {
			_, err := s.edit("", tree, map[string][]byte{"x": nil})
			return tree, err
		},
	} {
		if hash, err := read(); err == nil || errors.Is(err, ErrNotInMemory) ||
			!strings.Contains(err.Error(), hash.String()) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestUnpack: what cannot be read is refused, and what is just as large
// as there is room for is not.
func TestUnpack(t *testing.T) {
	pack := packOf(t, "0123456789")
	unpack := func(pack []byte, l limits) error {
		s := &objects{Storage: memory.NewStorage(), below: memory.NewStorage()}
		return s.unpack(pack, l)
	}
	room := limits{pack: 1 << 20, object: 10, total: 10, objects: 1}
	if err := unpack(pack, room); err != nil {
		t.Errorf("as large as there is room for: %v", err)
	}
	for name, less := range map[string]limits{"object": {object: 9, total: 10, objects: 1},
		"total": {object: 10, total: 9, objects: 1}, "objects": {object: 10, total: 10},
		"taken": {object: 10, total: 10, objects: 1, taken: 1}} {
		if err := unpack(pack, less); !errors.Is(err, ErrLimit) {
			t.Errorf("%s: %v, want ErrLimit", name, err)
		}
	}
	damaged := bytes.Clone(pack)
	damaged[len(damaged)-25] ^= 1
	negative := packOf(t, "x", append([]byte{1}, slices.Repeat([]byte{0xff}, 12)...))
	for name, bad := range map[string][]byte{"no pack": []byte("none"), "cut": pack[:14],
		"damaged": damaged, "a delta without sizes": negative} {
		if err := unpack(bad, limits{object: 1 << 20, total: 1 << 20, objects: 9}); err == nil ||
			errors.Is(err, ErrLimit) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWithoutBlobsStaysInItsLimits: as many as there is room for are kept.
func TestWithoutBlobsStaysInItsLimits(t *testing.T) {
	s := gitserver.New(t)
	s.Commit("one", "a", "1")
	r := open(t, s)
	mustFetch(t, r)
	tip := plumbing.NewHash(s.Commit("two", "a", "2"))
	c, err := r.remote.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pack, err := c.fetch(t.Context(), fetchRequest{wants: []plumbing.Hash{tip}, depth: 1}, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for room, fits := range map[uint32]bool{1: false, 2: true} { // a commit and its tree
		if _, err := r.over().withoutBlobs(pack, limits{objects: room}); (err == nil) != fits ||
			!fits && !errors.Is(err, ErrLimit) {
			t.Errorf("room for %d: %v", room, err)
		}
	}
	for _, bad := range [][]byte{nil, pack[:20], pack[:len(pack)-25]} {
		if _, err := r.over().withoutBlobs(bad, limits{objects: 9}); err == nil {
			t.Errorf("%d bytes of %d are taken", len(bad), len(pack))
		}
	}
	for n, b := range map[int][]byte{1: {0x80}, 2: {0x80, 0x80}, 3: {0x80, 0x80, 0x01, 0x80}} {
		if got := varint(b); got != n {
			t.Errorf("%x: %d, want %d", b, got, n)
		}
	}
}

// TestBlobThatNobodyHas: one that a server with filters left out may be too large, and one that no
// server has is not in memory.
func TestBlobThatNobodyHas(t *testing.T) {
	s := gitserver.New(t, withConfig("true", "true")...)
	s.Commit("one", "a", "1")
	r := open(t, s)
	mustFetch(t, r)
	nobody := strings.Repeat("ab", 20)
	if b, err := r.Blob(t.Context(), nobody); !errors.Is(err, ErrNotInMemory) || b != nil {
		t.Errorf("by its id: %q, %v", b, err)
	}
	if _, err := r.Complete(t.Context(), Commit{Parents: []string{nobody}}); !errors.Is(err,
		ErrNotInMemory) {
		t.Errorf("a commit after one that nobody has: %v", err)
	}
	r.mode = &mode{filter: true, whole: "it says so"}
	if b, err := r.Blob(t.Context(), nobody); !errors.Is(err, ErrTooLarge) ||
		!errors.Is(err, ErrNotInMemory) || b != nil {
		t.Errorf("left out: %q, %v", b, err)
	}
	r.mode = &mode{whole: "it says so"}
	if b, err := r.Blob(t.Context(), nobody); errors.Is(err, ErrTooLarge) ||
		!errors.Is(err, ErrNotInMemory) || b != nil {
		t.Errorf("never there: %q, %v", b, err)
	}
}

// TestCheckout: what a clone has is given, and what it lacks is an error.
func TestCheckout(t *testing.T) {
	s := gitserver.New(t)
	first := s.Commit("one", "a/b", "1")
	tip := s.Commit("two", "a/b", "2", "c", "3")
	c, err := OpenCheckout(s.WorkDir)
	if err != nil {
		t.Fatal(err)
	}
	head, err := c.Head()
	at, err2 := c.Resolve("HEAD~1")
	if head != tip || at != first || err != nil || err2 != nil {
		t.Errorf("HEAD %s, %v, and before %s, %v", head, err, at, err2)
	}
	after, err := c.Commit(tip)
	before, err2 := c.Commit(first)
	if err != nil || err2 != nil || after.Parents[0] != before.Hash {
		t.Fatalf("%+v, %v, %+v, %v", after, err, before, err2)
	}
	if err := c.Compare(&after, before); err != nil || len(after.Changes) != 2 || after.TooMany {
		t.Errorf("compared: %+v, %v", after.Changes, err)
	}
	all, err := c.Changes(Commit{}, before, "a")
	entry, err2 := c.Find(before, "a/b")
	none, err3 := c.Find(before, "c")
	if err != nil || err2 != nil || err3 != nil || len(all) != 1 || all[0].After != entry ||
		entry.Path != "a/b" || none != (Entry{}) {
		t.Errorf("found %v, %v, %v", all, entry, none)
	}
	if b, err := c.Blob(entry.Hash); string(b) != "1" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	nobody := strings.Repeat("ab", 20)
	_, e1 := c.Commit(nobody)
	_, e2 := c.Blob(nobody)
	_, e3 := c.Find(Commit{Tree: nobody}, "a")
	_, e4 := c.Changes(Commit{}, Commit{Tree: nobody})
	e5 := c.Compare(&Commit{Tree: nobody}, Commit{})
	for _, err := range []error{e1, e2, e3, e4, e5} {
		if !errors.Is(err, ErrNotInMemory) {
			t.Errorf("%v, want ErrNotInMemory", err)
		}
	}
	if at, err := c.Resolve("nowhere"); err == nil || at != "" {
		t.Errorf("nowhere is %q", at)
	}
	if c, err := OpenCheckout(filepath.Join(s.WorkDir, "none")); err == nil || c != nil {
		t.Error("a folder that is not there is opened")
	}
}

// TestAvailable: the limit that Go is told counts, however large.
func TestAvailable(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(-1))
	for _, limit := range []int64{64 << 20, 100 << 20} {
		debug.SetMemoryLimit(limit)
		if got := available(); got != limit {
			t.Errorf("%d bytes are %d", limit, got)
		}
	}
	debug.SetMemoryLimit(math.MaxInt64)
	if got := available(); got <= 0 || got > math.MaxInt64/2 {
		t.Errorf("without a limit: %d bytes", got)
	}
}

// TestSignersOfTheLargestFile: a file of just as many bytes as are read is read.
func TestSignersOfTheLargestFile(t *testing.T) {
	signer, _ := newKey(t)
	line := signer.AllowedSigner("prod-eu") + "\n"
	file := line + "#" + strings.Repeat("x", maxAllowedSigners-len(line)-2) + "\n"
	if _, err := ParseAllowedSigners([]byte(file)); err != nil || len(file) != maxAllowedSigners {
		t.Errorf("%d bytes: %v", len(file), err)
	}
	if _, err := ParseAllowedSigners([]byte("#" + file)); err == nil {
		t.Error("a byte more is read")
	}
}
