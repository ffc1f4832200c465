package sync

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/testdata/forge"
)

// gitServer is one bare repository behind git's own HTTP backend, and a working copy that other people push from.
type gitServer struct {
	t        testing.TB
	bare, wc string
	url      string
	answer   atomic.Pointer[func(w http.ResponseWriter, r *http.Request, next http.Handler)]
	requests atomic.Int32 // GET and POST seen
}

func newGitServer(t testing.TB, env ...string) *gitServer {
	t.Helper()
	root := t.TempDir()
	s := &gitServer{t: t, bare: filepath.Join(root, "access.git"), wc: filepath.Join(t.TempDir(), "wc")}
	s.run(root, "init", "-q", "--bare", "-b", "main", s.bare)
	s.git("config", "receive.fsckObjects", "true")
	s.run(root, "init", "-q", "-b", "main", s.wc)
	s.work("remote", "add", "origin", s.bare)
	h, err := forge.GitHandler(root, env...)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		if f := s.answer.Load(); f != nil {
			(*f)(w, r, h)
			return
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL + "/access.git"
	return s
}

// intercept puts f before git.
func (s *gitServer) intercept(f func(w http.ResponseWriter, r *http.Request, next http.Handler)) {
	s.answer.Store(&f)
}

func (s *gitServer) run(dir string, args ...string) string {
	s.t.Helper()
	out, err := s.try(dir, nil, args...)
	if err != nil {
		s.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (s *gitServer) try(dir string, stdin io.Reader, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Stdin = dir, stdin
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=alice", "GIT_AUTHOR_EMAIL=alice@example.com", "GIT_AUTHOR_DATE=2026-11-22T10:00:00Z",
		"GIT_COMMITTER_NAME=alice", "GIT_COMMITTER_EMAIL=alice@example.com", "GIT_COMMITTER_DATE=2026-11-22T10:00:00Z")
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (s *gitServer) git(args ...string) string  { s.t.Helper(); return s.run(s.bare, args...) }
func (s *gitServer) work(args ...string) string { s.t.Helper(); return s.run(s.wc, args...) }

// write makes a file in the working copy.
func (s *gitServer) write(path, content string) {
	s.t.Helper()
	file := filepath.Join(s.wc, path)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// commit writes one file (path and content alternate), commits, pushes and returns the new tip.
func (s *gitServer) commit(message string, files ...string) string {
	s.t.Helper()
	for i := 0; i < len(files); i += 2 {
		s.write(files[i], files[i+1])
	}
	s.work("add", "-A")
	s.work("commit", "-q", "--allow-empty", "-m", message)
	return s.push()
}

func (s *gitServer) push() string {
	s.t.Helper()
	s.work("push", "-q", "origin", "main")
	return s.work("rev-parse", "HEAD")
}

// raw pushes a commit over a tree made by hand with git mktree: lines as git ls-tree prints them.
func (s *gitServer) raw(lines string) string {
	s.t.Helper()
	s.git("config", "receive.fsckObjects", "false")
	tree, err := s.try(s.bare, strings.NewReader(lines), "mktree", "--missing")
	if err != nil {
		s.t.Fatal(tree)
	}
	return s.commitTree(tree)
}

func (s *gitServer) commitTree(tree string) string {
	s.t.Helper()
	commit := s.git("commit-tree", tree, "-p", "main", "-m", "by hand")
	s.git("update-ref", "refs/heads/main", commit)
	return commit
}

func (s *gitServer) fsck() {
	s.t.Helper()
	if out, err := s.try(s.bare, nil, "fsck", "--strict", "--full"); err != nil || strings.Contains(out, "error") || strings.Contains(out, "warning") {
		s.t.Errorf("git fsck: %v\n%s", err, out)
	}
}

func (s *gitServer) open() *Repository {
	s.t.Helper()
	r, err := NewRepository(s.url, "main", func(context.Context) (string, string, error) {
		return "x-access-token", "s3cret-token", nil
	}, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func mustFetch(t testing.TB, r *Repository) string {
	t.Helper()
	tip, err := r.Fetch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return tip
}

func readFile(t testing.TB, r *Repository, commit, path string) string {
	t.Helper()
	entries, err := r.Entries(commit, path)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Fault != "" {
		t.Fatalf("%s in %s: %+v, want one plain file", path, commit, entries)
	}
	b, err := r.Blob(entries[0].Hash)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func paths(entries []Entry) []string {
	var out []string
	for _, e := range entries {
		out = append(out, e.Path)
	}
	return out
}

func put(path, content string) func(string) (Change, error) {
	return func(string) (Change, error) {
		return change(Change{Put: map[string][]byte{path: []byte(content)}}), nil
	}
}

func change(c Change) Change {
	c.Message = cmp.Or(c.Message, "Record what happened\n\nPullgrant-Event: revoked\nPullgrant-Cause: Expired\n")
	c.Author = Person{Name: "pullgrant", Email: "agent@example.com"}
	c.Committer = c.Author
	c.When = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	return c
}

func writeHook(t testing.TB, path, script string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
}

// counting counts the bytes of the answers.
type counting struct{ n *int64 }

func (c counting) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			return nil, err
		}
		*c.n += int64(len(b))
		resp.Body = io.NopCloser(bytes.NewReader(b))
	}
	return resp, err
}
