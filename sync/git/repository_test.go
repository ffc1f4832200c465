package git

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/testdata/gitserver"
)

func TestFetchReadsTheTip(t *testing.T) {
	s := gitserver.New(t)
	s.Commit("old", "requests/a/p/one.yaml", "1")
	tip := s.Commit("new", "requests/a/p/two.yaml", "2", "requests-archive/x", "no",
		"policies/p.yaml", "policy", "README", "r")
	r := open(t, s)
	if got := r.Tip(); got != "" {
		t.Errorf("tip before the first fetch: %q", got)
	}
	if got := mustFetch(t, r); got != tip || r.Tip() != tip {
		t.Fatalf("tip %s, want %s", got, tip)
	}
	entries, err := r.Entries(t.Context(), tip, "requests", "policies/p.yaml", "nowhere")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"policies/p.yaml", "requests/a/p/one.yaml", "requests/a/p/two.yaml"}
	if got := paths(entries); !slices.Equal(got, want) {
		t.Errorf("entries %q, want %q", got, want)
	}
	for _, e := range entries {
		if e.Mode != "100644" || e.Fault != "" {
			t.Errorf("%+v: want a plain file", e)
		}
	}
	if all, _ := r.Entries(t.Context(), tip); len(all) != 5 {
		t.Errorf("all entries: %q", paths(all))
	}
	if got := readFile(t, r, tip, "requests/a/p/two.yaml"); got != "2" {
		t.Errorf("content %q", got)
	}
}

func TestFetchOfAnUnchangedTipIsOneRequest(t *testing.T) {
	s := gitserver.New(t)
	s.Commit("one", "a", "1")
	r := open(t, s)
	mustFetch(t, r)
	before := s.Seen.Load()
	mustFetch(t, r)
	if got := s.Seen.Load() - before; got != 1 {
		t.Errorf("%d requests for an unchanged tip, want 1", got)
	}
}

func TestFetchFollowsTheBranch(t *testing.T) {
	s := gitserver.New(t)
	r := open(t, s)
	old := s.Commit("zero", "f", "0")
	mustFetch(t, r)
	for _, steps := range []int{1, 2, 3, 4, 5, 40} {
		var last string
		for i := range steps {
			last = s.Commit(fmt.Sprint("step ", i), fmt.Sprintf("d/%d/%d", steps, i), "x", "f",
				fmt.Sprint(steps, i))
		}
		if got := mustFetch(t, r); got != last {
			t.Fatalf("%d steps: tip %s, want %s", steps, got, last)
		}
		commits, err := r.Commits(t.Context(), old, last)
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Fields(s.Git("rev-list", "--first-parent", "--reverse", old+".."+last))
		var got []string
		for _, c := range commits {
			got = append(got, c.Hash)
			if len(c.Changes) != 2 {
				t.Errorf("commit %s changes %+v, want two paths", c.Hash, c.Changes)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d steps: commits %q, want %q", steps, got, want)
		}
		old = last
	}
}

// A pull request that was opened long ago ends on a commit before what the agent has. Its merge
// must not bring the history before that again.
func TestFetchOfAnOldBranchBringsNoHistory(t *testing.T) {
	s := gitserver.New(t)
	s.Commit("root", "f", "0")
	s.Work("branch", "feature")
	for i := range 60 {
		s.Write("f", fmt.Sprint("step ", i))
		s.Work("commit", "-q", "-am", "step")
	}
	old := s.Push()
	r := open(t, s)
	mustFetch(t, r)
	before := len(r.store.objects.Objects)
	s.Work("checkout", "-q", "feature")
	s.Write("g", "new")
	s.Work("add", "-A")
	s.Work("commit", "-q", "-m", "feature")
	s.Work("checkout", "-q", "main")
	s.Work("merge", "-q", "--no-ff", "-m", "Merge feature", "feature")
	tip := s.Push()
	var received int64
	r.remote.client.Transport = counting{&received}
	if got := mustFetch(t, r); got != tip {
		t.Fatalf("tip %s, want %s", got, tip)
	}
	commits, err := r.Commits(t.Context(), old, tip)
	if err != nil || len(commits) != 1 || len(commits[0].Parents) != 2 {
		t.Fatalf("commits %+v, %v; want one merge", commits, err)
	}
	if c := commits[0].Changes; len(c) != 1 || c[0].Path != "g" || c[0].Before != (Entry{}) ||
		c[0].After.Mode != "100644" {
		t.Errorf("changes %+v, want g added", c)
	}
	if got := len(r.store.objects.Objects) - before; got != 3 { // the merge, its root tree, g
		t.Errorf("%d objects were added, want 3", got)
	}
	if received > 4096 {
		t.Errorf("%d bytes received: the old history came along", received)
	}
}

// With reachability bitmaps a server believes that a client with a commit also has the content of
// all older ones.
func TestFetchOfARevertFromAServerWithBitmaps(t *testing.T) {
	s := gitserver.New(t)
	s.Commit("first", "dir/f", "first content\n", "dir/g", "g\n")
	old := s.Commit("second", "dir/f", "second content\n")
	s.Git("repack", "-adb")
	r := open(t, s)
	mustFetch(t, r)
	tip := s.Commit("revert", "dir/f", "first content\n")
	if got := mustFetch(t, r); got != tip {
		t.Fatalf("tip %s, want %s", got, tip)
	}
	if got := readFile(t, r, tip, "dir/f"); got != "first content\n" {
		t.Errorf("dir/f: %q", got)
	}
	if got := readFile(t, r, old, "dir/f"); got != "second content\n" {
		t.Errorf("dir/f before: %q", got)
	}
}

func TestFetchDetectsRewrittenHistory(t *testing.T) {
	for _, c := range []struct {
		name string
		move func(s *gitserver.Server)
	}{
		{"reset to an older commit", func(s *gitserver.Server) {
			s.Work("reset", "-q", "--hard",
				"HEAD~1")
		}},
		{"amended", func(s *gitserver.Server) { s.Work("commit", "-q", "--amend", "-m", "other") }},
		{"unrelated", func(s *gitserver.Server) {
			s.Work("checkout", "-q", "--orphan", "new")
			s.Work("commit", "-q", "-m", "unrelated")
			s.Work("branch", "-M", "new", "main")
		}},
		{"merged the wrong way round", func(s *gitserver.Server) { // the old tip becomes the second parent
			s.Work("checkout", "-q", "-b", "side", "HEAD~1")
			s.Work("commit", "-q", "--allow-empty", "-m", "side")
			s.Work("merge", "-q", "--no-ff", "-m", "foxtrot", "main")
			s.Work("branch", "-f", "main", "side")
			s.Work("checkout", "-q", "main")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := gitserver.New(t)
			s.Commit("one", "a", "1")
			s.Commit("two", "a", "2")
			old := s.Commit("three", "a", "3")
			r := open(t, s)
			mustFetch(t, r)
			c.move(s)
			s.Work("push", "-q", "--force", "origin", "main")
			if _, err := r.Fetch(t.Context()); !errors.Is(err, ErrNonFastForward) ||
				!strings.Contains(err.Error(), old) {
				t.Fatalf("error %v, want ErrNonFastForward with the old tip", err)
			}
			if r.Tip() != old || readFile(t, r, old, "a") != "3" {
				t.Errorf("tip %s: the old one is not kept", r.Tip())
			}
			before := s.Seen.Load()
			if _, err := r.Fetch(t.Context()); !errors.Is(err, ErrNonFastForward) ||
				s.Seen.Load() != before+1 {
				t.Errorf("again: %v after %d requests, want the same error after one", err,
					s.Seen.Load()-before)
			}
			if _, err := r.Commit(t.Context(), put("b", "x")); !errors.Is(err, ErrNonFastForward) {
				t.Errorf("commit on a rewritten branch: %v", err)
			}
			// A person has looked and accepts the new head.
			if err := r.Resume(s.Work("rev-parse", "HEAD")); err != nil {
				t.Fatal(err)
			}
			if got := mustFetch(t, r); got != s.Work("rev-parse", "HEAD") {
				t.Errorf("after Resume: tip %s", got)
			}
		})
	}
}

func TestResume(t *testing.T) {
	s := gitserver.New(t)
	s.Commit("one", "a", "1")
	saved := s.Commit("two", "a", "2")
	for i := range 9 {
		s.Commit("more", "a", fmt.Sprint("more ", i))
	}
	tip := s.Work("rev-parse", "HEAD")
	r := open(t, s)
	if err := r.Resume(saved); err != nil {
		t.Fatal(err)
	}
	if got := mustFetch(t, r); got != tip {
		t.Fatalf("tip %s, want %s", got, tip)
	}
	commits, err := r.Commits(t.Context(), saved, tip)
	if err != nil || len(commits) != 9 {
		t.Fatalf("%d commits, %v; want 9", len(commits), err)
	}
	if err := r.Resume("main"); err == nil || !strings.Contains(err.Error(),
		"not a full commit hash") {
		t.Errorf("resume at a name: %v", err)
	}
	if err := r.Resume(strings.Repeat("ab", 20)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Fetch(t.Context()); !errors.Is(err, ErrNonFastForward) ||
		!strings.Contains(err.Error(), "is gone from the server") {
		t.Errorf("resume at a commit that is gone: %v, want ErrNonFastForward", err)
	}
}

func TestForgetKeepsWhatIsAsked(t *testing.T) {
	s := gitserver.New(t)
	first := s.Commit("zero", "f", "0", "big", strings.Repeat("x", 100))
	r := open(t, s)
	mustFetch(t, r)
	if n := len(r.store.objects.Objects); n == 0 || r.kept != n {
		t.Errorf("%d objects count as what there was first, want %d", r.kept, n)
	}
	var hashes []string
	for i := range 20 {
		hashes = append(hashes, s.Commit("step", "f", fmt.Sprint(i)))
	}
	tip := mustFetch(t, r)
	grown := len(r.store.objects.Objects)
	if err := r.Forget(strings.Repeat("ab", 20)); !errors.Is(err, ErrNotInMemory) ||
		len(r.store.objects.Objects) != grown {
		t.Errorf("forgetting what is before a commit that nobody knows: %v", err)
	}
	r.kept = grown/2 + 1 // which is not twice as much yet
	if err := r.Forget(hashes[15]); err != nil || len(r.store.objects.Objects) != grown {
		t.Errorf("forgotten too early: %v, %d objects of %d", err, len(r.store.objects.Objects), grown)
	}
	r.kept = grown / 2
	if err := r.Forget(hashes[15]); err != nil {
		t.Fatal(err)
	}
	if got := len(r.store.objects.Objects); got >= grown/2 {
		t.Errorf("%d objects of %d are left", got, grown)
	}
	if c, err := r.Commits(t.Context(), hashes[15], tip); err != nil || len(c) != 4 {
		t.Errorf("%d commits, %v; want 4", len(c), err)
	}
	if _, err := r.Commits(t.Context(), first, tip); !errors.Is(err, ErrNotInMemory) {
		t.Errorf("forgotten commits: %v, want ErrNotInMemory", err)
	}
	// who judges again by what was before a merge has to have that again
	if after, err := r.After(t.Context(), tip, first); err != nil || len(after) != 20 {
		t.Errorf("after a commit that was forgotten: %d commits, %v; want 20", len(after), err)
	}
	if got := readFile(t, r, tip, "big"); len(got) != 100 {
		t.Errorf("big: %q", got)
	}
	next := s.Commit("after", "f", "0") // content that was forgotten
	if got := mustFetch(t, r); got != next || readFile(t, r, next, "f") != "0" {
		t.Errorf("tip %s after forgetting, want %s", got, next)
	}
}
