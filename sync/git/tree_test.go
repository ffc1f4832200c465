package git

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/storage/memory"

	"github.com/pullgrant/pullgrant/testdata/gitserver"
)

func lsTree(mode, hash, name string) string {
	kind := map[string]string{"040000": "tree", "160000": "commit"}[mode]
	if kind == "" {
		kind = "blob"
	}
	return fmt.Sprintf("%s %s %s\t%s\n", mode, kind, hash, name)
}

// rawTree stores a tree that git mktree would not make.
func rawTree(t *testing.T, s *gitserver.Server, entries ...treeEntry) string {
	t.Helper()
	out, err := s.Try(s.Bare, bytes.NewReader(encodeTree(entries)), "hash-object", "-t", "tree",
		"-w", "--literally", "--stdin")
	if err != nil {
		t.Fatal(out)
	}
	return out
}

func TestEntriesAreNeverFollowed(t *testing.T) {
	s := gitserver.New(t)
	tip := s.Commit("one", "requests/a.yaml", "content")
	blob := s.Git("rev-parse", "main:requests/a.yaml")
	tree := s.Git("rev-parse", "main:requests")
	s.Git("config", "receive.fsckObjects", "false")
	h, d := plumbing.NewHash(blob), plumbing.NewHash(tree)
	requests := rawTree(t, s,
		treeEntry{"100644", "a.yaml", h}, treeEntry{"120000", "link", h}, treeEntry{"160000",
			"module", plumbing.NewHash(tip)},
		treeEntry{"100755", "run", h}, treeEntry{"100664", "old", h}, treeEntry{"100644", "twice",
			h}, treeEntry{"100644", "twice", h},
		treeEntry{"100644", "name", h}, treeEntry{"40000", "name", d}, treeEntry{"100644", "sla/sh",
			h}, treeEntry{"40000", "..", d},
		treeEntry{"100644", "ctl\n\x1b", h}, treeEntry{"100644", "\xff", h}, treeEntry{"100644",
			"bidi\u202e", h}, treeEntry{"040000", "dir", d},
		treeEntry{"100644", "CON.yaml", h}, treeEntry{"100644", "git~1", h}, treeEntry{"100644",
			"nul.txt", h}, treeEntry{"40000", ".Git", d})
	root := rawTree(t, s, treeEntry{"40000", "requests", plumbing.NewHash(requests)})
	tip = s.CommitTree(root)
	r := open(t, s)
	mustFetch(t, r)
	entries, err := r.Entries(t.Context(), tip, "requests")
	if err != nil {
		t.Fatal(err)
	}
	faults := map[string]string{}
	for _, e := range entries {
		faults[strings.TrimPrefix(e.Path, "requests/")] = e.Mode + " " + e.Fault
	}
	const chars, none = "a name with characters that are not allowed",
		"a name that no file can have"
	want := map[string]string{
		"a.yaml": "100644 ", "CON.yaml": "100644 ", "git~1": "100644 ", "nul.txt": "100644 ",
		"dir/a.yaml": "100644 ",
		"link":       "120000 a symbolic link", "module": "160000 a submodule",
		"run": "100755 not a regular file", "old": "100664 not a regular file",
		"twice": "100644 a name that stands twice in its folder", "name": "100644 a name that " +
			"stands twice in its folder",
		"sla/sh": "100644 " + chars, "ctl\n\x1b": "100644 " + chars, "\xff": "100644 " + chars,
		"bidi\u202e": "100644 " + chars,
		"..":         "040000 " + none, ".Git": "040000 " + none,
	}
	for path, w := range want {
		if faults[path] != w {
			t.Errorf("%q: %q, want %q", path, faults[path], w)
		}
	}
	if len(faults) != len(want) || len(entries) != len(want) {
		t.Errorf("entries %q, want %d", paths(entries), len(want))
	}
	// Work beside all that still goes on, and leaves it byte for byte as it is.
	if _, err := r.Commit(t.Context(), put("revocations/x", "1")); err != nil {
		t.Fatal(err)
	}
	if got := s.Git("rev-parse", "main:requests"); got != requests {
		t.Errorf("requests became %s", got)
	}
	if _, err := r.Commit(t.Context(), put("requests/z", "1")); err != nil {
		t.Fatal(err)
	}
	if raw := s.Git("cat-file", "tree", "main:requests"); !strings.Contains(raw,
		"100664 old\x00") ||
		!strings.Contains(raw, "100644 z\x00") {
		t.Errorf("requests: %q", raw)
	}
	for path, want := range map[string]string{"requests/twice": "stands twice",
		"requests/link": "not a regular file", "requests/module/x": "not a folder"} {
		if _, err := r.Commit(t.Context(), put(path, "1")); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("put %s: %v, want %q", path, err, want)
		}
	}
}

// A folder that is asked for and is none is said, not passed over.
func TestEntriesOfAFolderThatIsALink(t *testing.T) {
	s := gitserver.New(t)
	s.Commit("one", "real/a.yaml", "real")
	blob := s.Git("rev-parse", "main:real/a.yaml")
	tip := s.Raw(lsTree("120000", blob, "requests"))
	r := open(t, s)
	mustFetch(t, r)
	entries, err := r.Entries(t.Context(), tip, "requests/prod-eu")
	if err != nil || len(entries) != 1 || entries[0].Fault != "a symbolic link" {
		t.Errorf("%+v, %v; want the link", entries, err)
	}
}

// Eleven small trees stand for 10^10 files.
func TestTreeBomb(t *testing.T) {
	s := gitserver.New(t)
	old := s.Commit("one", "requests/a", "1")
	s.Git("config", "receive.fsckObjects", "false")
	tree, mode := s.Git("rev-parse", "main:requests/a"), "100644"
	for range 10 {
		var lines string
		for i := range 10 {
			lines += lsTree(mode, tree, fmt.Sprint("f", i))
		}
		out, err := s.Try(s.Bare, strings.NewReader(lines), "mktree")
		if err != nil {
			t.Fatal(out)
		}
		tree, mode = out, "040000"
	}
	r := open(t, s)
	mustFetch(t, r)
	tip := s.Raw(lsTree("040000", s.Git("rev-parse", "main:requests"), "requests") +
		lsTree("040000",
			tree, "zbomb"))
	if got := mustFetch(t, r); got != tip {
		t.Fatalf("tip %s, want %s", got, tip)
	}
	if entries, err := r.Entries(t.Context(), tip, "requests"); err != nil || len(entries) != 1 {
		t.Errorf("entries beside the bomb: %v, %v", entries, err)
	}
	if _, err := r.Entries(t.Context(), tip); !errors.Is(err, errTooManyEntries) {
		t.Errorf("all entries: %v, want errTooManyEntries", err)
	}
	commits, err := r.Commits(t.Context(), old, tip)
	if err != nil || len(commits) != 1 || !commits[0].TooMany {
		t.Errorf("%d commits, %v; want one with TooMany", len(commits), err)
	}
	if commits, err := r.Commits(t.Context(), old, tip, "requests"); err != nil ||
		commits[0].TooMany || len(commits[0].Changes) != 0 {
		t.Errorf("below requests: %+v, %v; want no change", commits, err)
	}
}

func TestChangesOfACommit(t *testing.T) {
	s := gitserver.New(t)
	old := s.Commit("one", "requests/a/p/x", "1", "requests/a/p/y", "1", "policies/p", "1", "swap",
		"file", "docs/readme", "1")
	s.Work("rm", "-q", "-r", "requests/a/p/x", "swap")
	tip := s.Commit("two", "requests/b/q/z", "2", "policies/p", "2", "swap/inner", "1",
		"docs/readme", "2")
	r := open(t, s)
	if err := r.Resume(old); err != nil {
		t.Fatal(err)
	}
	mustFetch(t, r)
	describe := func(changes []PathChange) (out []string) {
		for _, c := range changes {
			out = append(out, fmt.Sprintf("%s %t-%t", c.Path, c.Before.Hash != "",
				c.After.Hash != ""))
		}
		slices.Sort(out)
		return out
	}
	for _, c := range []struct{ below, want []string }{
		{nil, []string{"docs/readme true-true", "policies/p true-true", "requests/a/p/x true-false",
			"requests/b/q/z false-true", "swap true-false", "swap/inner false-true"}},
		{[]string{"requests", "policies/p"}, []string{"policies/p true-true",
			"requests/a/p/x true-false", "requests/b/q/z false-true"}},
		{[]string{"requests/b"}, []string{"requests/b/q/z false-true"}},
		{[]string{"request", "swap/other"}, nil},
	} {
		commits, err := r.Commits(t.Context(), old, tip, c.below...)
		if err != nil || len(commits) != 1 {
			t.Fatal(commits, err)
		}
		if got := describe(commits[0].Changes); !slices.Equal(got, c.want) {
			t.Errorf("below %q: %q, want %q", c.below, got, c.want)
		}
	}
}

func TestParseCommit(t *testing.T) {
	a, b := strings.Repeat("a", 40), strings.Repeat("b", 40)
	const people = "author A <a@x> 1700000000 +0200\ncommitter C <c@x> 1700000001 +0000\n"
	for _, c := range []struct{ name, raw, want string }{
		{"plain", "tree " + a + "\nparent " + b + "\n" + people + "\nsubject\n", ""},
		{"no message", "tree " + a + "\n" + people, ""},
		{"no tree", people + "\nx", "no tree"},
		{"short tree", "tree abc\n" + people + "\nx", "no tree"},
		{"odd parent", "tree " + a + "\nparent x\n" + people + "\nx", "a parent that is no hash"},
		{"late parent", "tree " + a + "\n" + people + "parent " + b + "\n\nx", "a second parent"},
		{"no committer", "tree " + a + "\nauthor A <a@x> 1 +0000\n\nx", "no committer"},
		{"NUL", "tree " + a + "\n" + people + "x \x00\n\nx", "NUL"},
		{"empty", "", "no tree"},
	} {
		got, err := parseCommit([]byte(c.raw))
		if c.want == "" && (err != nil || got.Author.Name != "A" ||
			got.Committer.When.Unix() != 1700000001) {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
		if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	for in, want := range map[string]Person{
		"no mail":            {Name: "no mail"},
		"A <a@x>":            {Name: "A", Email: "a@x"},
		"A <b> <a@x> soon x": {Name: "A", Email: "b> <a@x"},
		"<> 99999999999999":  {},
		"\xff <x> -5 +0000":  {Name: "\uFFFD", Email: "x"},
	} {
		if got := parsePerson(in); got != want {
			t.Errorf("%q: %+v, want %+v", in, got, want)
		}
	}
}

func FuzzParseObjects(f *testing.F) {
	a := strings.Repeat("a", 40)
	f.Add([]byte("100644 a\x00aaaaaaaaaaaaaaaaaaaa40000 b\x00bbbbbbbbbbbbbbbbbbbb"))
	f.Add([]byte("tree " + a + "\nparent " + a + "\nauthor A <a> 1 +0\ncommitter A <a> 1 " +
		"+0\ngpgsig x\n y\n\nm"))
	f.Add([]byte("40000 \x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if entries, err := parseTree(raw); err == nil && !bytes.Equal(encodeTree(entries), raw) {
			t.Errorf("a tree is written again as %q", encodeTree(entries))
		}
		if c, err := parseCommit(raw); err == nil && !plumbing.IsHash(c.Tree) {
			t.Errorf("tree %q", c.Tree)
		}
		if payload, armored, err := splitSignature(raw); err == nil && (len(payload) >= len(raw) ||
			armored == "") {
			t.Errorf("split into %q and %q", payload, armored)
		}
	})
}

// TestNamesApart: a name that stands twice in its folder is told so, also where others stand between
// the file and the folder, as git orders folders as if they ended with a slash.
func TestNamesApart(t *testing.T) {
	s := &objects{Storage: memory.NewStorage(), below: memory.NewStorage()}
	blob := s.add(plumbing.BlobObject, []byte("1"))
	inner := s.add(plumbing.TreeObject, encodeTree([]treeEntry{{"100644", "f", blob}}))
	one := s.add(plumbing.TreeObject, encodeTree([]treeEntry{{"100644", "x.y", blob},
		{"40000", "x", inner}}))
	two := s.add(plumbing.TreeObject, encodeTree([]treeEntry{{"100644", "x", blob},
		{"100644", "x.y", blob}, {"40000", "x", inner}}))
	d := differ{objects: s}
	if err := d.compare("", one, two, 0); err != nil || len(d.found) != 2 ||
		d.found[0].Path != "x" || d.found[0].After.Fault != faultTwice ||
		d.found[1].Path != "x/f" || d.found[1].After.Path != "" {
		t.Errorf("changes %+v, %v", d.found, err)
	}
}
