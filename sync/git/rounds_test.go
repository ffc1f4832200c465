package git

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/pullgrant/pullgrant/testdata/gitserver"
)

// newLedger is a server with a ledger of two clusters, and a repository that is narrowed as the
// agent's.
func newLedger(t *testing.T) (*gitserver.Server, *Repository) {
	s := gitserver.New(t, withConfig("true", "true")...)
	s.Commit("one", "policies/p.yaml", "1", "requests/a/p/one.yaml", "1",
		"revocations/a/20260101/old.yaml", "{}", "revocations/b/20260101/old.yaml", "{}",
		"revocations/b/20260102/used.yaml", "{}", "src/x", "1")
	r := open(t, s)
	r.Narrow([]string{"requests", "policies"}, []string{"requests/a", "policies"})
	mustFetch(t, r)
	return s, r
}

// merge merges a branch that began at the first commit.
func mergeOld(s *gitserver.Server, name string, files ...string) {
	s.Work("checkout", "-q", "-b", name, s.Work("rev-list", "--max-parents=0", "main"))
	for i := 0; i < len(files); i += 2 {
		s.Write(files[i], files[i+1])
	}
	s.Work("add", "-A")
	s.Work("commit", "-q", "-m", name)
	s.Work("checkout", "-q", "main")
	s.Work("merge", "-q", "--no-ff", "-m", "Merge "+name, name)
}

// TestRoundsOfATip: whatever is new, a tip takes at most four requests, and one more when it is
// more than 256 commits behind; nothing of the ledger is kept that nobody asked for.
func TestRoundsOfATip(t *testing.T) {
	s, r := newLedger(t)
	find := func(tip string, paths ...string) map[string]Entry {
		t.Helper()
		found, err := r.Find(t.Context(), tip, paths...)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	find(r.Tip(), "revocations/*/20260102/used.yaml")
	rounds := func(what string, most int32) {
		t.Helper()
		s.Work("push", "-q", "origin", "main")
		before, old := s.Seen.Load(), r.Tip()
		tip := mustFetch(t, r)
		if n := s.Seen.Load() - before; n > most || tip == old {
			t.Errorf("%s: %d requests, want at most %d", what, n, most)
		}
		for _, path := range []string{"requests/a/p/one.yaml", "policies/p.yaml"} {
			readFile(t, r, tip, path)
		}
		if found := find(tip, "revocations/*/20260102/used.yaml"); len(found) != 1 {
			t.Errorf("%s: found %v", what, found)
		}
		if n := s.Seen.Load() - before; n > most {
			t.Errorf("%s: with a look at the ledger %d requests, want at most %d", what, n, most)
		}
		for h, o := range r.store.objects.Trees {
			if raw, _ := contentOf(o); strings.Contains(string(raw), "old.yaml") {
				t.Errorf("%s: the day %s is in memory", what, h)
			}
		}
	}
	mergeOld(s, "single", "requests/a/p/two.yaml", "2")
	rounds("a merge", 3)
	mergeOld(s, "several", "requests/a/p/three.yaml", "3", "policies/p.yaml", "2")
	for i := range 40 {
		s.Write(fmt.Sprintf("revocations/b/20260102/%d.yaml", i), "{}")
		s.Write("revocations/b/20260101/old.yaml", fmt.Sprint(i))
		s.Work("add", "-A")
		s.Work("commit", "-q", "-m", "Record")
	}
	mergeOld(s, "more", "requests/b/q/four.yaml", "4", "src/y", "2")
	rounds("many at once", 4)
	tip, stream := s.Work("rev-parse", "main"), ""
	for i := range fewCommits + 10 {
		stream += fmt.Sprintf("commit refs/heads/main\ncommitter a <a@x> %d +0000\ndata 1\nm\n", i+1)
		if i == 0 {
			stream += "from " + tip + "\n"
		}
		stream += fmt.Sprintf("M 100644 inline requests/a/p/one.yaml\ndata 3\n%03d\n", i)
	}
	s.Work("checkout", "-q", "--detach")
	if out, err := s.Try(s.WorkDir, strings.NewReader(stream), "fast-import", "--quiet"); err != nil {
		t.Fatal(out)
	}
	rounds("after a long pause", 5)
	before := s.Seen.Load()
	if found := find(r.Tip(), "revocations/*/20260101/old.yaml"); len(found) != 2 {
		t.Errorf("found %v", found)
	}
	if n := s.Seen.Load() - before; n != 1 {
		t.Errorf("a day that nobody asked for: %d requests, want one", n)
	}
}

// TestFind: each path is found once, in every folder that a * stands for, and what is none is told.
func TestFind(t *testing.T) {
	s, r := newLedger(t)
	blob := s.Git("rev-parse", "main:src/x")
	day, err := s.Try(s.Bare, strings.NewReader(lsTree("100644", blob, "twice.yaml")+
		lsTree("120000", blob, "link.yaml")+lsTree("040000", s.Git("rev-parse", "main:src"),
		"folder.yaml")+lsTree("040000", s.Git("rev-parse", "main:src"), "twice.yaml")), "mktree")
	if err != nil {
		t.Fatal(day)
	}
	cluster, err := s.Try(s.Bare, strings.NewReader(lsTree("040000", day, "20260102")), "mktree")
	if err != nil {
		t.Fatal(cluster)
	}
	ledger, err := s.Try(s.Bare, strings.NewReader(lsTree("040000", cluster, "c")+
		lsTree("040000", s.Git("rev-parse", "main:revocations/b"), "b")), "mktree")
	if err != nil {
		t.Fatal(ledger)
	}
	tip := s.Raw(lsTree("040000", ledger, "revocations") +
		lsTree("040000", s.Git("rev-parse", "main:requests"), "requests"))
	mustFetch(t, r)
	found, err := r.Find(t.Context(), tip, "revocations/*/20260102/used.yaml",
		"revocations/*/20260102/link.yaml", "revocations/c/20260102/folder.yaml",
		"revocations/c/20260102/twice.yaml", "revocations/b/20260102/used.yaml/below",
		"revocations/c/20260102/folder.yaml/x", "revocations/none/20260102/used.yaml",
		"requests/a/p/one.yaml", "requests/a", "requests/a/p")
	if err != nil {
		t.Fatal(err)
	}
	for path, fault := range map[string]string{"revocations/b/20260102/used.yaml": "",
		"revocations/c/20260102/link.yaml":   "a symbolic link",
		"revocations/c/20260102/folder.yaml": faultFolder, "requests/a": faultFolder,
		"requests/a/p": faultFolder, "revocations/c/20260102/twice.yaml": faultTwice,
		"revocations/c/20260102/folder.yaml/x": "", "requests/a/p/one.yaml": ""} {
		e, there := found[path]
		if !there || e.Fault != fault || e.Path != path || e.IsFolder() != (fault == faultFolder) {
			t.Errorf("%s: %+v, want the fault %q", path, e, fault)
		}
		delete(found, path)
	}
	if len(found) > 0 {
		t.Errorf("found beside: %v", found)
	}
	nobody := strings.Repeat("ab", 20)
	if _, err := r.Find(t.Context(), nobody, "x"); !errors.Is(err, ErrNotInMemory) {
		t.Errorf("in a commit that nobody has: %v", err)
	}
}

// TestOwnEntries: of a folder that many entries were added to one tree is in memory, what was there
// stays as it is, and no file of the ledger is kept.
func TestOwnEntries(t *testing.T) {
	s, r := newLedger(t)
	before := s.Git("ls-tree", "-r", "main")
	if _, err := r.Commit(t.Context(), put("revocations/a/20260101/new.yaml", "0")); err != nil {
		t.Fatal(err)
	}
	asked, objects := s.Seen.Load(), len(r.store.objects.Objects)
	for i := range 20 {
		if _, err := r.Commit(t.Context(), put(fmt.Sprintf("revocations/a/20260101/%d.yaml", i),
			"own")); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.Seen.Load() - asked; n != 20 {
		t.Errorf("%d requests for 20 entries", n)
	}
	if n := len(r.store.objects.Objects) - objects; n != 40 { // a commit and the root of each
		t.Errorf("%d objects more in memory, want 40", n)
	}
	for h, o := range r.store.objects.Blobs {
		if content, _ := contentOf(o); string(content) == "own" {
			t.Errorf("the entry %s is in memory", h)
		}
	}
	after := s.Git("ls-tree", "-r", "main")
	for line := range strings.SplitSeq(before, "\n") {
		if !strings.Contains(after, line) {
			t.Errorf("lost: %s", line)
		}
	}
	s.Fsck()
	// When those that were looked into have become too much, they are dropped and fetched again.
	usual := r.limits
	r.limits.total = 4
	r.besides("another", plumbing.ZeroHash, 1, nil)
	r.limits = usual
	if len(r.beside) != 1 {
		t.Errorf("%d folders are kept", len(r.beside))
	}
	asked = s.Seen.Load()
	if found, err := r.Find(t.Context(), r.Tip(), "revocations/*/20260101/19.yaml"); err != nil ||
		len(found) != 1 || s.Seen.Load() == asked {
		t.Errorf("found %v, %v after %d requests", found, err, s.Seen.Load()-asked)
	}
}

// TestTrace: what is known of a tip stays known for the next ones, in one walk, until the file goes
// or the branch is rewritten.
func TestTrace(t *testing.T) {
	for _, env := range [][]string{withConfig("true", "true"), withConfig("false", "false")} {
		h, r := newHistory(t, env...)
		tip := h.next
		mustFetch(t, r)
		paths := map[string]string{"requests/a/p/zero": h.first, "requests/a/p/one": h.old,
			"requests/a/p/three": h.tip, "requests/a/p/five": h.next}
		check := func(what string, most int32, walk bool) {
			t.Helper()
			before := h.Seen.Load()
			if walk {
				if err := r.Trace(t.Context(), tip, slices.Collect(maps.Keys(paths)),
					time.Time{}); err != nil {
					t.Errorf("%s: %v", what, err)
				}
			}
			for path, want := range paths {
				if c, err := r.Added(t.Context(), tip, path, time.Time{}); err != nil ||
					c.Hash != want || len(c.Changes) == 0 {
					t.Errorf("%s: %s came with %s, %v; want %s", what, path, c.Hash, err, want)
				}
			}
			if n := h.Seen.Load() - before; n > most {
				t.Errorf("%s: %d requests, want at most %d", what, n, most)
			}
		}
		check("the first time", 14, true)
		check("again", 0, true)
		h.Work("rm", "-q", "requests/a/p/one")
		h.Commit("away")
		paths["requests/a/p/one"] = h.Commit("again", "requests/a/p/one", "1")
		paths["requests/a/p/six"] = h.Commit("six", "requests/a/p/six", "6")
		tip = mustFetch(t, r)
		check("later", 12, false)
		delete(paths, "requests/a/p/zero")
		check("without one", 5, true)
		if n := len(r.origins.added); n != len(paths) {
			t.Errorf("%d are known, want those that were asked for", n)
		}
		if c, err := r.Added(t.Context(), tip, "requests/none", time.Time{}); err == nil ||
			!strings.Contains(err.Error(), "does not have it") {
			t.Errorf("what is not there came with %s, %v", c.Hash, err)
		}
		h.Work("commit", "-q", "--amend", "-m", "rewritten")
		h.Work("push", "-q", "--force", "origin", "main")
		tip = h.Work("rev-parse", "HEAD")
		if err := r.Resume(h.old); err != nil {
			t.Fatal(err)
		}
		mustFetch(t, r)
		paths["requests/a/p/six"] = tip
		check("rewritten", 12, true)
	}
}

// TestThinPartsThatBuildOnNothing: what a thin pack builds on a tree that is not kept is left out,
// and nothing is where all must be there; commits before the old tip do not come again.
func TestThinPartsThatBuildOnNothing(t *testing.T) {
	s, r := newLedger(t)
	for i := range 200 {
		s.Write(fmt.Sprintf("revocations/b/20260101/%d.yaml", i), "{}")
	}
	s.Commit("many")
	mustFetch(t, r)
	tip := plumbing.NewHash(s.Commit("one more", "revocations/b/20260101/more.yaml", "{}"))
	s.Git("repack", "-adq")
	c, err := r.remote.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pack, err := c.fetch(t.Context(), r.newest(r.tip, tip), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for _, parts := range []bool{true, false} {
		got := r.over()
		got.parts = parts
		err := got.unpack(pack, r.limits)
		if (err == nil) != parts || parts && len(got.Commits) != 1 {
			t.Errorf("in parts: %t: %v, %d commits", parts, err, len(got.Commits))
		}
	}
	if len(pack) > 2000 {
		t.Errorf("%d bytes for one more entry", len(pack))
	}
	got, err := r.download(t.Context(), c, r.back(fewCommits, tip), 0)
	if err != nil || len(got.Objects) != 1 || got.Commits[tip] == nil {
		t.Errorf("of the commits before: %d objects, %v; want the new one alone", len(got.Objects),
			err)
	}
}
