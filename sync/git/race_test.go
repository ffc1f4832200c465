package git

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	gosync "sync"
	"sync/atomic"
	"testing"

	"github.com/pullgrant/pullgrant/testdata/gitserver"
)

// onPush runs f when a push arrives, before the server sees it.
func onPush(s *gitserver.Server,
	f func(w http.ResponseWriter, r *http.Request, next http.Handler)) {
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
		entries, err := r.Entries(tip, "requests")
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
		if entries, err := r.Entries(tip, "requests/x"); err != nil || len(entries) == 0 {
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
			hash, err := r.Commit(t.Context(),
				func(tip string) (Change, error) { calls++; return put("b", "2")(tip) })
			if err != nil || pushes != 1 || calls != 1 {
				t.Fatalf("%v after %d pushes and %d builds, want the first to count",
					err, pushes, calls)
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

func TestCommitGivesUp(t *testing.T) {
	s := gitserver.New(t)
	tip := s.Commit("one", "a", "1")
	r := open(t, s)
	mustFetch(t, r)
	hook := s.Bare + "/hooks/pre-receive"
	writeHook(t, hook, "#!/bin/sh\nprintf 'GH006: Protected branch \\033[31mupdate failed\\n' "+
		">&2\nexit 1\n")
	pushes := 0
	onPush(s, func(w http.ResponseWriter, req *http.Request,
		next http.Handler) {
		pushes++
		next.ServeHTTP(w, req)
	})
	_, err := r.Commit(t.Context(), put("b", "2"))
	if err == nil || !errors.Is(err, errRefused) || !strings.Contains(err.Error(),
		"GH006: Protected branch ?[31mupdate failed") {
		t.Errorf("error %q, want the server's words without control characters", err)
	}
	if pushes != maxTries {
		t.Errorf("%d pushes, want %d", pushes, maxTries)
	}
	if got := s.Git("rev-parse", "main"); got != tip || r.Tip() != tip {
		t.Errorf("main %s, Tip %s: something moved", got, r.Tip())
	}
	if n := len(r.store.Commits); n != 1 {
		t.Errorf("%d commits in memory: what was refused stayed", n)
	}
}

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
				entries, err := r.Entries(r.Tip(), "requests")
				if err != nil || len(entries) == 0 {
					t.Errorf("reading: %v, %v", entries, err)
					return
				}
				if _, err := r.Commits(first, r.Tip()); err != nil {
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
