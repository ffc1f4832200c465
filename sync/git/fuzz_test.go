package git

import (
	"slices"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/storage/memory"
)

// FuzzUnpack builds whatever delta on whatever blob: nothing grows beyond the limits, and what is
// kept has the name that its content gives it.
func FuzzUnpack(f *testing.F) {
	long, copyAll := strings.Repeat("x", 3000), "\xb0\xb8\x0b"
	f.Add("content", []byte("\x07\x04\x90\x04"))                       // copies four bytes
	f.Add("content", []byte("\x07\x0a\x91\x03\x04\x06abc\x00de"))      // copies and inserts
	f.Add(long, []byte("\xb8\x17\xf0\x2e"+strings.Repeat(copyAll, 2))) // within the limits
	f.Add(long, []byte("\xb8\x17\xa8\x46"+strings.Repeat(copyAll, 3))) // beyond them
	f.Add("", []byte("\x00\xff\xff\xff\xff\xff\xff\xff\xff\x7f"))
	f.Fuzz(func(t *testing.T, blob string, delta []byte) {
		if len(blob)+len(delta) > 1<<12 {
			return // packOf writes shorter offsets only
		}
		l := limits{pack: 1 << 14, object: 1 << 13, total: 1 << 14, objects: 2}
		s := &objects{Storage: memory.NewStorage(), below: memory.NewStorage()}
		if s.unpack(packOf(t, blob, delta), l) != nil {
			return
		}
		total := int64(0)
		for name, o := range s.Objects {
			content, err := s.bytes(o.Type(), name)
			if err != nil {
				t.Fatal(err)
			}
			if plumbing.ComputeHash(o.Type(), content) != name || o.Size() > l.object {
				t.Errorf("%s: %d bytes, not of this name or too many", name, o.Size())
			}
			total += o.Size()
		}
		if total > l.total {
			t.Errorf("%d bytes in all", total)
		}
	})
}

// FuzzCompare compares whatever trees: nothing differs from itself, the way back is the way there
// turned round, and what is not at fault is told once and is a plain file that a path can name.
func FuzzCompare(f *testing.F) {
	inner := "100644 a.yaml\x00" + strings.Repeat("h", 20)
	dir := plumbing.ComputeHash(plumbing.TreeObject, []byte(inner))
	f.Add([]byte("40000 requests\x00"+string(dir[:])), []byte(inner), []byte(inner))
	f.Add([]byte("100644 requests\x00"+string(dir[:])+"40000 requests\x00"+string(dir[:])),
		[]byte(""), []byte(inner))
	f.Add([]byte("40000 ..\x00"+string(dir[:])+"120000 link\x00"+string(dir[:])),
		[]byte("160000 .git\x00"+strings.Repeat("h", 20)), []byte(inner))
	f.Add([]byte("40000 requests\x00"+string(dir[:])), []byte("100644 \x1b\xff\x00"+strings.Repeat(
		"h", 20)), []byte(inner))
	f.Fuzz(func(t *testing.T, one, two, below []byte) {
		s := &objects{Storage: memory.NewStorage(), below: memory.NewStorage()}
		var names []plumbing.Hash
		for _, raw := range [][]byte{one, two, below} {
			name := s.add(plumbing.TreeObject, raw)
			names = append(names, name)
		}
		compare := func(before, after plumbing.Hash) ([]PathChange, error) {
			d := differ{objects: s}
			err := d.compare("", before, after, 0)
			return d.found, err
		}
		there, err := compare(names[0], names[1])
		back, err2 := compare(names[1], names[0])
		if (err == nil) != (err2 == nil) {
			t.Fatalf("there %v, back %v", err, err2)
		}
		if err != nil {
			return
		}
		for i := range back {
			back[i].Before, back[i].After = back[i].After, back[i].Before
		}
		if !slices.Equal(there, back) {
			t.Errorf("there %q, back %q", there, back)
		}
		if same, err := compare(names[0], names[0]); err != nil || len(same) > 0 {
			t.Errorf("differs from itself: %q, %v", same, err)
		}
		seen := map[string]bool{}
		for _, c := range there {
			if sound := c.Before.Fault+c.After.Fault == ""; sound && seen[c.Path] {
				t.Errorf("%q stands there twice", c.Path)
			} else if sound {
				seen[c.Path] = true
			}
			for _, e := range []Entry{c.Before, c.After} {
				if e.Path != "" && e.Path != c.Path {
					t.Errorf("%q is told of %q", e.Path, c.Path)
				}
				if e.Path != "" && e.Fault == "" &&
					(e.Mode != "100644" || strings.ContainsFunc(e.Path, isControl) ||
						checkPath(e.Path) != nil) {
					t.Errorf("nothing is wrong with %q", e)
				}
			}
		}
	})
}

// FuzzEdit adds a file to whatever tree: it is there once, and what else was there is as it was.
func FuzzEdit(f *testing.F) {
	hash := strings.Repeat("h", 20)
	f.Add([]byte("100644 a.yaml\x00" + hash + "40000 z\x00" + hash))
	f.Add([]byte("100644 m\x00" + hash + "100644 n\x00" + hash))
	f.Add([]byte("100644 m\x00" + hash + "40000 m\x00" + hash))
	f.Add([]byte("40000 m\x00" + hash))
	f.Add([]byte("100644 z\x00" + hash + "100644 a\x00" + hash))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s := &objects{Storage: memory.NewStorage(), below: memory.NewStorage()}
		before, malformed := parseTree(raw)
		tree, err := s.edit("", s.add(plumbing.TreeObject, raw), map[string][]byte{"m": []byte("1")})
		if err != nil {
			return // the name is a folder, or stands twice
		}
		if malformed != nil {
			t.Fatalf("%q is edited", raw)
		}
		after, err := s.tree(tree)
		if err != nil {
			t.Fatal(err)
		}
		added := func(e treeEntry) bool { return e.name == "m" }
		kept := slices.DeleteFunc(slices.Clone(before), added)
		now := slices.DeleteFunc(slices.Clone(after), added)
		if !slices.Equal(kept, now) || len(after) != len(kept)+1 {
			t.Errorf("%v becomes %v", before, after)
		}
	})
}
