package git

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	gosync "sync"
	"sync/atomic"
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
	commits, err := r.Commits(t.Context(), old, hash, "requests", "revocations")
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
		if got, err := r.Commit(t.Context(), func(string) (Change, error) {
			return c,
				nil
		}); got != "" || err != nil {
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
		{"remove below a missing folder", "removing no/such", Change{Remove: []string{"no/such"}},
			nil},
		{"remove a folder", "dir is not a regular file", Change{Remove: []string{"dir"}}, nil},
		{"remove twice", "removed twice", Change{Remove: []string{"a", "a"}}, nil},
		{"put and remove", "both put and removed", Change{Put: map[string][]byte{"a": {1}},
			Remove: []string{"a"}}, nil},
		{"put over a folder", "dir is not a regular file",
			Change{Put: map[string][]byte{"dir": {1}}},
			nil},
		{"put below a file", "a is not a folder", Change{Put: map[string][]byte{"a/b": {1}}}, nil},
		{"put a file and a folder", "both a file and a folder",
			Change{Put: map[string][]byte{"n": {1}, "n/m": {1}}}, nil},
		{"climb out", "not a file's path", Change{Put: map[string][]byte{"../x": {1}}}, nil},
		{"remove what is climbed to", "not a file's path", Change{Remove: []string{"../a"}}, nil},
		{"rooted", "not a file's path", Change{Put: map[string][]byte{"/x": {1}}}, nil},
		{"git's own folder", "no file can have",
			Change{Put: map[string][]byte{"x/.GIT/config": {1}}},
			nil},
		{"line end in a name", "characters that are not allowed",
			Change{Put: map[string][]byte{"x\ny": {1}}}, nil},
		{"author with a bracket", "cannot stand", Change{Remove: []string{"a"}},
			author(Person{Name: "a <b>", Email: "x"})},
		{"author with a header", "cannot stand", Change{Remove: []string{"a"}},
			author(Person{Name: "a\ngpgsig x", Email: "x"})},
		{"no author", "cannot stand", Change{Remove: []string{"a"}}, author(Person{})},
		{"NUL in the message", "without NUL", Change{Message: "a\x00b", Remove: []string{"a"}},
			nil},
		{"no time", "needs a time", Change{Remove: []string{"a"}},
			func(c *Change) { c.When = time.Time{} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			full := change(c.change)
			if c.edit != nil {
				c.edit(&full)
			}
			calls := 0
			_, err := r.Commit(t.Context(), func(string) (Change, error) {
				calls++
				return full,
					nil
			})
			if err == nil || !strings.Contains(err.Error(), c.want) || calls != 1 {
				t.Errorf("%v after %d calls, want one and %q", err, calls, c.want)
			}
			if strings.HasPrefix(c.want, "removing") && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%v is not fs.ErrNotExist", err)
			}
		})
	}
	broken := errors.New("broken")
	if _, err := r.Commit(t.Context(), func(string) (Change, error) {
		return Change{},
			broken
	}); err != broken {
		t.Errorf("error of build: %v", err)
	}
	if got := s.Git("rev-parse", "main"); got != tip {
		t.Errorf("main moved to %s", got)
	}
}

// onPush runs f when a push arrives, before the server sees it.
func onPush(s *gitserver.Server, f func(w http.ResponseWriter, r *http.Request,
	next http.Handler)) {
	s.Intercept(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/git-receive-pack") {
			f(w, r, next)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func TestCommitLosesARaceAndBuildsAgain(t *testing.T) {
	s := gitserver.New(t)
	s.Commit("one", "requests/x", "1", "requests/y", "1")
	r := open(t, s)
	mustFetch(t, r)
	var winner string
	onPush(s, func(w http.ResponseWriter, req *http.Request, next http.Handler) {
		if winner == "" {
			s.Work("rm", "-q", "requests/x")
			winner = s.Commit("somebody else was faster")
		}
		next.ServeHTTP(w, req)
	})
	var tips []string
	hash, err := r.Commit(t.Context(), func(tip string) (Change, error) {
		tips = append(tips, tip)
		var c Change
		entries, err := r.Entries(t.Context(), tip, "requests")
		for _, e := range entries {
			c.Remove = append(c.Remove, e.Path)
		}
		return change(c), err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(tips) != 2 || tips[1] != winner {
		t.Errorf("built on %q, want twice, then on %s", tips, winner)
	}
	if got := s.Git("log", "--format=%H", "--first-parent", "-2", "main"); got != hash+"\n"+winner {
		t.Errorf("main: %s", got)
	}
	s.Fsck()
}

func TestCommitLosesARaceToTheSameWork(t *testing.T) {
	s := gitserver.New(t)
	s.Commit("one", "requests/x", "1", "keep", "1")
	r := open(t, s)
	mustFetch(t, r)
	var once gosync.Once
	onPush(s, func(w http.ResponseWriter, req *http.Request, next http.Handler) {
		once.Do(func() { s.Work("rm", "-q", "requests/x"); s.Commit("the other replica did it") })
		next.ServeHTTP(w, req)
	})
	hash, err := r.Commit(t.Context(), func(tip string) (Change, error) {
		if entries, err := r.Entries(t.Context(), tip, "requests/x"); err != nil ||
			len(entries) == 0 {
			return Change{}, err
		}
		return change(Change{Remove: []string{"requests/x"}}), nil
	})
	if hash != "" || err != nil {
		t.Errorf("%q, %v; want nothing left to do", hash, err)
	}
	if got := r.Tip(); got != s.Git("rev-parse", "main") {
		t.Errorf("tip %s is not main", got)
	}
}

// The push arrived, its answer did not.
func TestCommitWhoseAnswerIsLost(t *testing.T) {
	for name, foreign := range map[string]bool{"alone": false, "with another commit on top": true} {
		t.Run(name, func(t *testing.T) {
			s := gitserver.New(t)
			s.Commit("one", "a", "1")
			r := open(t, s)
			mustFetch(t, r)
			pushes := 0
			onPush(s, func(w http.ResponseWriter, req *http.Request, next http.Handler) {
				pushes++
				next.ServeHTTP(&lostWriter{header: http.Header{}}, req)
				if foreign {
					s.Work("pull", "-q", "origin", "main")
					s.Commit("on top", "c", "1")
				}
				panic(http.ErrAbortHandler)
			})
			calls := 0
			hash, err := r.Commit(t.Context(), func(tip string) (Change,
				error) {
				calls++
				return put("b", "2")(tip)
			})
			if err != nil || pushes != 1 || calls != 1 {
				t.Fatalf("%v after %d pushes and %d builds, want the first to count", err,
					pushes, calls)
			}
			if got := s.Git("log", "--format=%H", "-1", "--", "b"); got != hash {
				t.Errorf("main has %s, Commit said %s", got, hash)
			}
		})
	}
}

// lostWriter is an answer that nobody gets.
type lostWriter struct{ header http.Header }

func (w *lostWriter) Header() http.Header         { return w.header }
func (w *lostWriter) Write(b []byte) (int, error) { return len(b), nil }
func (w *lostWriter) WriteHeader(int)             {}

func TestCommitStopsWithItsContext(t *testing.T) {
	s := gitserver.New(t)
	s.Commit("one", "a", "1")
	r := open(t, s)
	mustFetch(t, r)
	ctx, cancel := context.WithCancel(t.Context())
	pushes := 0
	onPush(s, func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		pushes++
		cancel()
		http.Error(w, "down", http.StatusServiceUnavailable)
	})
	_, err := r.Commit(ctx, put("b", "2"))
	if !errors.Is(err, context.Canceled) || pushes != 1 {
		t.Errorf("%v after %d pushes, want context.Canceled after one", err, pushes)
	}
}

func TestCommitsOfManyAgentsAllArrive(t *testing.T) {
	s := gitserver.New(t)
	s.Commit("one", "a", "1")
	var calls atomic.Int32
	var wg gosync.WaitGroup
	for i := range 3 {
		r := open(t, s)
		wg.Go(func() {
			for n := range 2 {
				if _, err := r.Commit(t.Context(), func(tip string) (Change, error) {
					calls.Add(1)
					return put(fmt.Sprintf("revocations/c%d/%d", i, n), "x")(tip)
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := len(strings.Fields(s.Git("ls-tree", "-r", "--name-only", "main",
		"revocations"))); got != 6 {
		t.Errorf("%d records on main after %d builds, want 6", got, calls.Load())
	}
	s.Fsck()
}

// Readers go on while the branch is fetched, written and tidied up.
func TestReadingBesideWriting(t *testing.T) {
	s := gitserver.New(t)
	s.Commit("one", "requests/a", "1")
	r := open(t, s)
	first := mustFetch(t, r)
	ctx, stop := context.WithCancel(t.Context())
	var readers gosync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for ctx.Err() == nil {
				entries, err := r.Entries(t.Context(), r.Tip(), "requests")
				if err != nil || len(entries) == 0 {
					t.Errorf("reading: %v, %v", entries, err)
					return
				}
				if _, err := r.Commits(t.Context(), first, r.Tip()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 4 {
		if _, err := r.Commit(t.Context(), put(fmt.Sprint("requests/", i), "x")); err != nil {
			t.Error(err)
		}
		mustFetch(t, r)
		if err := r.Forget(first); err != nil {
			t.Error(err)
		}
	}
	stop()
	readers.Wait()
}
