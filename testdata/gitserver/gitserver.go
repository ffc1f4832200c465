// Package gitserver is one bare repository behind git's own HTTP backend, and a working copy that
// other people push from.
package gitserver

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/pullgrant/pullgrant/testdata/forge"
)

// Server is a running one. Its methods fail the test when git does.
type Server struct {
	Bare    string // folder of the bare repository
	WorkDir string // folder of the working copy
	URL     string
	Seen    atomic.Int32 // requests, GET and POST

	t      testing.TB
	answer atomic.Pointer[func(w http.ResponseWriter, r *http.Request, next http.Handler)]
}

// New serves an empty repository until the test ends. env is added to the environment of git.
func New(t testing.TB, env ...string) *Server {
	t.Helper()
	root := t.TempDir()
	s := &Server{t: t, Bare: filepath.Join(root, "access.git"),
		WorkDir: filepath.Join(t.TempDir(), "wc")}
	s.Run(root, "init", "-q", "--bare", "-b", "main", s.Bare)
	s.Git("config", "receive.fsckObjects", "true")
	s.Run(root, "init", "-q", "-b", "main", s.WorkDir)
	s.Work("remote", "add", "origin", s.Bare)
	h, err := forge.GitHandler(root, env...)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.Seen.Add(1)
		if f := s.answer.Load(); f != nil {
			(*f)(w, r, h)
			return
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.URL = server.URL + "/access.git"
	return s
}

// Intercept puts f before git.
func (s *Server) Intercept(f func(w http.ResponseWriter, r *http.Request, next http.Handler)) {
	s.answer.Store(&f)
}

// Run runs git in a folder and returns what it prints.
func (s *Server) Run(dir string, args ...string) string {
	s.t.Helper()
	out, err := s.Try(dir, nil, args...)
	if err != nil {
		s.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// Try is Run with an input, and returns the error.
func (s *Server) Try(dir string, stdin io.Reader, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Stdin = dir, stdin
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=alice", "GIT_AUTHOR_EMAIL=alice@example.com",
		"GIT_AUTHOR_DATE=2026-11-22T10:00:00Z",
		"GIT_COMMITTER_NAME=alice", "GIT_COMMITTER_EMAIL=alice@example.com",
		"GIT_COMMITTER_DATE=2026-11-22T10:00:00Z")
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// Git runs git in the bare repository.
func (s *Server) Git(args ...string) string { s.t.Helper(); return s.Run(s.Bare, args...) }

// Work runs git in the working copy.
func (s *Server) Work(args ...string) string { s.t.Helper(); return s.Run(s.WorkDir, args...) }

// Write makes a file in the working copy.
func (s *Server) Write(path, content string) {
	s.t.Helper()
	file := filepath.Join(s.WorkDir, path)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// Commit writes one file (path and content alternate), commits, pushes and returns the new tip.
func (s *Server) Commit(message string, files ...string) string {
	s.t.Helper()
	for i := 0; i < len(files); i += 2 {
		s.Write(files[i], files[i+1])
	}
	s.Work("add", "-A")
	s.Work("commit", "-q", "--allow-empty", "-m", message)
	return s.Push()
}

// Push pushes the working copy and returns its commit.
func (s *Server) Push() string {
	s.t.Helper()
	s.Work("push", "-q", "origin", "main")
	return s.Work("rev-parse", "HEAD")
}

// Raw pushes a commit over a tree made by hand with git mktree: lines as git ls-tree prints them.
func (s *Server) Raw(lines string) string {
	s.t.Helper()
	s.Git("config", "receive.fsckObjects", "false")
	tree, err := s.Try(s.Bare, strings.NewReader(lines), "mktree", "--missing")
	if err != nil {
		s.t.Fatal(tree)
	}
	return s.CommitTree(tree)
}

// CommitTree puts a tree on main.
func (s *Server) CommitTree(tree string) string {
	s.t.Helper()
	commit := s.Git("commit-tree", tree, "-p", "main", "-m", "by hand")
	s.Git("update-ref", "refs/heads/main", commit)
	return commit
}

// Fsck has git check the bare repository.
func (s *Server) Fsck() {
	s.t.Helper()
	if out, err := s.Try(s.Bare, nil, "fsck", "--strict", "--full"); err != nil ||
		strings.Contains(out, "error") || strings.Contains(out, "warning") {
		s.t.Errorf("git fsck: %v\n%s", err, out)
	}
}
