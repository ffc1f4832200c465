package git

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/testdata/gitserver"
)

func TestCommitIsWhatGitReads(t *testing.T) {
	s := gitserver.New(t)
	old := s.Commit("one", "requests/a/p/one.yaml", "1", "requests/a/p/two.yaml", "2",
		"requests/a.b", "x", "z", "z")
	r := open(t, s)
	mustFetch(t, r)
	hash, err := r.Commit(t.Context(), func(tip string) (Change, error) {
		if tip != old {
			t.Errorf("built on %s, want %s", tip, old)
		}
		return change(Change{
			Put: map[string][]byte{"revocations/a/20261122/one.yaml": []byte("status\n"),
				"requests/a-b": nil, "z": []byte("Z")},
			Remove: []string{"requests/a/p/one.yaml"},
		}), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Git("rev-parse", "main"); got != hash || r.Tip() != hash {
		t.Fatalf("main is at %s, Tip %s, want %s", got, r.Tip(), hash)
	}
	s.Fsck()
	want := "requests/a-b\nrequests/a.b\nrequests/a/p/two.yaml\nrevocations/a/20261122/one.yaml\nz"
	if got := s.Git("ls-tree", "-r", "--name-only", hash); got != want {
		t.Errorf("files:\n%s\nwant:\n%s", got, want)
	}
	if got := s.Git("show", hash+":revocations/a/20261122/one.yaml"); got != "status" {
		t.Errorf("content %q", got)
	}
	if got := s.Git("log", "-1", "--format=%P|%an "+
		"<%ae>|%cI|%s|%(trailers:key=Pullgrant-Cause,valueonly)",
		hash); got !=
		old+"|pullgrant <agent@example.com>|2026-11-22T10:00:00+00:00|Record what happened|Expired" {
		t.Errorf("log: %s", got)
	}
	// The agent knows its own commit without fetching, and a clone sees the same.
	if tip := mustFetch(t, r); tip != hash || readFile(t, r, tip, "z") != "Z" {
		t.Errorf("fetched tip %s, want %s", tip, hash)
	}
	commits, err := r.Commits(old, hash, "requests", "revocations")
	if err != nil || len(commits) != 1 {
		t.Fatalf("%+v, %v", commits, err)
	}
	var changed []string
	for _, c := range commits[0].Changes {
		changed = append(changed, c.Path)
	}
	if want := []string{"requests/a-b", "requests/a/p/one.yaml",
		"revocations/a/20261122/one.yaml"}; !slices.Equal(
		slices.Sorted(slices.Values(changed)), want) {
		t.Errorf("changed %q, want %q", changed, want)
	}
	s.Work("pull", "-q", "origin", "main")
	next := s.Commit("after", "q", "1")
	if got := mustFetch(t, r); got != next {
		t.Errorf("after our commit: tip %s, want %s", got, next)
	}
}

func TestCommitRemovesEmptyFolders(t *testing.T) {
	s := gitserver.New(t)
	s.Commit("one", "requests/a/p/one.yaml", "1")
	r := open(t, s)
	hash, err := r.Commit(t.Context(), func(string) (Change, error) { // fetches by itself the first time
		return change(Change{Remove: []string{"requests/a/p/one.yaml"}}), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Git("ls-tree", "-r", "-t", hash); got != "" {
		t.Errorf("left: %s", got)
	}
	s.Fsck()
	if _, err := r.Commit(t.Context(), put("new", "1")); err != nil {
		t.Errorf("a file into the empty tree: %v", err)
	}
	s.Fsck()
}

func TestCommitWithNothingToDo(t *testing.T) {
	s := gitserver.New(t)
	tip := s.Commit("one", "a", "1")
	r := open(t, s)
	for name, c := range map[string]Change{
		"empty":        {},
		"same content": change(Change{Put: map[string][]byte{"a": []byte("1")}}),
	} {
		if got, err := r.Commit(
			t.Context(), func(string) (Change, error) { return c, nil }); got != "" || err != nil {
			t.Errorf("%s: %q, %v; want no commit", name, got, err)
		}
	}
	if got := s.Git("rev-parse", "main"); got != tip {
		t.Errorf("main moved to %s", got)
	}
}

func TestCommitRefusesWhatItCannotDo(t *testing.T) {
	s := gitserver.New(t)
	tip := s.Commit("one", "a", "1", "dir/b", "2")
	r := open(t, s)
	author := func(p Person) func(*Change) { return func(c *Change) { c.Author = p } }
	for _, c := range []struct {
		name, want string
		change     Change
		edit       func(*Change)
	}{
		{"remove a missing file", "removing gone", Change{Remove: []string{"gone"}}, nil},
		{"remove below a missing folder", "removing no/such",
			Change{Remove: []string{"no/such"}}, nil},
		{"remove a folder", "dir is not a regular file", Change{Remove: []string{"dir"}}, nil},
		{"remove twice", "removed twice", Change{Remove: []string{"a", "a"}}, nil},
		{"put and remove", "both put and removed", Change{Put: map[string][]byte{"a": {1}},
			Remove: []string{"a"}}, nil},
		{"put over a folder", "dir is not a regular file",
			Change{Put: map[string][]byte{"dir": {1}}}, nil},
		{"put below a file", "a is not a folder", Change{Put: map[string][]byte{"a/b": {1}}}, nil},
		{"put a file and a folder", "both a file and a folder",
			Change{Put: map[string][]byte{"n": {1}, "n/m": {1}}}, nil},
		{"climb out", "not a file's path", Change{Put: map[string][]byte{"../x": {1}}}, nil},
		{"rooted", "not a file's path", Change{Put: map[string][]byte{"/x": {1}}}, nil},
		{"git's own folder", "no file can have",
			Change{Put: map[string][]byte{"x/.GIT/config": {1}}}, nil},
		{"line end in a name", "characters that are not allowed",
			Change{Put: map[string][]byte{"x\ny": {1}}}, nil},
		{"author with a bracket", "cannot stand", Change{Remove: []string{"a"}},
			author(Person{Name: "a <b>", Email: "x"})},
		{"author with a header", "cannot stand", Change{Remove: []string{"a"}},
			author(Person{Name: "a\ngpgsig x", Email: "x"})},
		{"no author", "cannot stand", Change{Remove: []string{"a"}}, author(Person{})},
		{"NUL in the message", "without NUL",
			Change{Message: "a\x00b", Remove: []string{"a"}}, nil},
		{"no time", "needs a time", Change{Remove: []string{"a"}},
			func(c *Change) { c.When = time.Time{} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			full := change(c.change)
			if c.edit != nil {
				c.edit(&full)
			}
			calls := 0
			_, err := r.Commit(t.Context(),
				func(string) (Change, error) { calls++; return full, nil })
			if err == nil || !strings.Contains(err.Error(), c.want) || calls != 1 {
				t.Errorf("%v after %d calls, want one and %q", err, calls, c.want)
			}
			if strings.HasPrefix(c.want, "removing") && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%v is not fs.ErrNotExist", err)
			}
		})
	}
	broken := errors.New("broken")
	if _, err := r.Commit(
		t.Context(), func(string) (Change, error) { return Change{}, broken }); err != broken {
		t.Errorf("error of build: %v", err)
	}
	if got := s.Git("rev-parse", "main"); got != tip {
		t.Errorf("main moved to %s", got)
	}
}
