package git

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/testdata/gitserver"
)

// TestCommitIsRefused: a push that the server does not want, though nobody moved the branch, is
// sent once.
func TestCommitIsRefused(t *testing.T) {
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
	if pushes != 1 || !errors.Is(err, ErrRefused) {
		t.Errorf("%d pushes and %v, want one that is refused", pushes, err)
	}
	if got := s.Git("rev-parse", "main"); got != tip || r.Tip() != tip {
		t.Errorf("main %s, Tip %s: something moved", got, r.Tip())
	}
	if n := len(r.store.objects.Commits); n != 1 {
		t.Errorf("%d commits in memory: what was refused stayed", n)
	}
}
