package git

import (
	"errors"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/testdata/gitserver"
)

// TestCommitOfAMessageAlone: a commit that changes no file is made where that is allowed, git takes
// it, and whoever walks along the branch finds it between what it stands on and what comes after.
func TestCommitOfAMessageAlone(t *testing.T) {
	s := gitserver.New(t)
	before := s.Commit("one", "a", "1", "folder/b", "2")
	r := open(t, s)
	mustFetch(t, r)
	empty := change(Change{AllowEmpty: true})
	hash, err := r.Commit(t.Context(), func(string) (Change, error) { return empty, nil })
	if err != nil || s.Git("rev-parse", "main") != hash {
		t.Fatalf("%q, %v", hash, err)
	}
	s.Fsck()
	if s.Git("rev-parse", hash+"^{tree}") != s.Git("rev-parse", before+"^{tree}") {
		t.Error("it changed files")
	}
	s.Work("pull", "-q", "origin", "main")
	s.Commit("after", "c", "3")
	tip := mustFetch(t, r)
	for _, from := range []string{before, hash} {
		if first, err := r.Reach(t.Context(), tip, from); err != nil || first != from {
			t.Errorf("reached %s, %v", first, err)
		}
	}
	line, err := r.Line(tip, before)
	if err != nil || len(line) != 3 || line[0].Hash != tip || line[1].Hash != hash ||
		line[2].Hash != before || line[1].Tree != line[2].Tree {
		t.Errorf("the line: %+v, %v", line, err)
	}
	if _, err := r.Line(hash, tip); !errors.Is(err, ErrNotOnLine) && !errors.Is(err, ErrNotInMemory) {
		t.Errorf("of what comes later: %v", err)
	}
	added, err := r.Added(t.Context(), tip, "folder/b", time.Time{})
	if err != nil || added.Hash != before {
		t.Errorf("added by %s, %v", added.Hash, err)
	}
	commits, err := r.Commits(t.Context(), before, tip)
	if err != nil || len(commits) != 2 || len(commits[0].Changes) != 0 || len(commits[1].Changes) != 1 {
		t.Errorf("%+v, %v", commits, err)
	}
}
