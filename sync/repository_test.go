package sync

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

func TestFetchReadsTheTip(t *testing.T) {
	s := newGitServer(t)
	s.commit("old", "requests/a/p/one.yaml", "1")
	tip := s.commit("new", "requests/a/p/two.yaml", "2", "requests-archive/x", "no", "policies/p.yaml", "policy", "README", "r")
	r := s.open()
	if got := r.Tip(); got != "" {
		t.Errorf("tip before the first fetch: %q", got)
	}
	if got := mustFetch(t, r); got != tip || r.Tip() != tip {
		t.Fatalf("tip %s, want %s", got, tip)
	}
	entries, err := r.Entries(tip, "requests", "policies/p.yaml", "nowhere")
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
	if all, _ := r.Entries(tip); len(all) != 5 {
		t.Errorf("all entries: %q", paths(all))
	}
	if got := readFile(t, r, tip, "requests/a/p/two.yaml"); got != "2" {
		t.Errorf("content %q", got)
	}
}

func TestFetchOfAnUnchangedTipIsOneRequest(t *testing.T) {
	s := newGitServer(t)
	s.commit("one", "a", "1")
	r := s.open()
	mustFetch(t, r)
	before := s.requests.Load()
	mustFetch(t, r)
	if got := s.requests.Load() - before; got != 1 {
		t.Errorf("%d requests for an unchanged tip, want 1", got)
	}
}

func TestFetchFollowsTheBranch(t *testing.T) {
	s := newGitServer(t)
	r := s.open()
	old := s.commit("zero", "f", "0")
	mustFetch(t, r)
	for _, steps := range []int{1, 2, 3, 4, 5, 40} {
		var last string
		for i := range steps {
			last = s.commit(fmt.Sprint("step ", i), fmt.Sprintf("d/%d/%d", steps, i), "x", "f", fmt.Sprint(steps, i))
		}
		if got := mustFetch(t, r); got != last {
			t.Fatalf("%d steps: tip %s, want %s", steps, got, last)
		}
		commits, err := r.Commits(old, last)
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Fields(s.git("rev-list", "--first-parent", "--reverse", old+".."+last))
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

// A pull request that was opened long ago ends on a commit before what the agent has. Its merge must not bring the
// history before that again.
func TestFetchOfAnOldBranchBringsNoHistory(t *testing.T) {
	s := newGitServer(t)
	s.commit("root", "f", "0")
	s.work("branch", "feature")
	for i := range 60 {
		s.write("f", fmt.Sprint("step ", i))
		s.work("commit", "-q", "-am", "step")
	}
	old := s.push()
	r := s.open()
	mustFetch(t, r)
	before := len(r.store.Objects)
	s.work("checkout", "-q", "feature")
	s.write("g", "new")
	s.work("add", "-A")
	s.work("commit", "-q", "-m", "feature")
	s.work("checkout", "-q", "main")
	s.work("merge", "-q", "--no-ff", "-m", "Merge feature", "feature")
	tip := s.push()
	var received int64
	r.remote.client.Transport = counting{&received}
	if got := mustFetch(t, r); got != tip {
		t.Fatalf("tip %s, want %s", got, tip)
	}
	commits, err := r.Commits(old, tip)
	if err != nil || len(commits) != 1 || len(commits[0].Parents) != 2 {
		t.Fatalf("commits %+v, %v; want one merge", commits, err)
	}
	if c := commits[0].Changes; len(c) != 1 || c[0].Path != "g" || c[0].Before != (Entry{}) || c[0].After.Mode != "100644" {
		t.Errorf("changes %+v, want g added", c)
	}
	if got := len(r.store.Objects) - before; got != 3 { // the merge, its root tree, g
		t.Errorf("%d objects were added, want 3", got)
	}
	if received > 4096 {
		t.Errorf("%d bytes received: the old history came along", received)
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

// With reachability bitmaps a server believes that a client with a commit also has the content of all older ones.
func TestFetchOfARevertFromAServerWithBitmaps(t *testing.T) {
	s := newGitServer(t)
	s.commit("first", "dir/f", "first content\n", "dir/g", "g\n")
	old := s.commit("second", "dir/f", "second content\n")
	s.git("repack", "-adb")
	r := s.open()
	mustFetch(t, r)
	tip := s.commit("revert", "dir/f", "first content\n")
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
		move func(s *gitServer)
	}{
		{"reset to an older commit", func(s *gitServer) { s.work("reset", "-q", "--hard", "HEAD~1") }},
		{"amended", func(s *gitServer) { s.work("commit", "-q", "--amend", "-m", "other") }},
		{"unrelated", func(s *gitServer) {
			s.work("checkout", "-q", "--orphan", "new")
			s.work("commit", "-q", "-m", "unrelated")
			s.work("branch", "-M", "new", "main")
		}},
		{"merged the wrong way round", func(s *gitServer) { // the old tip becomes the second parent
			s.work("checkout", "-q", "-b", "side", "HEAD~1")
			s.work("commit", "-q", "--allow-empty", "-m", "side")
			s.work("merge", "-q", "--no-ff", "-m", "foxtrot", "main")
			s.work("branch", "-f", "main", "side")
			s.work("checkout", "-q", "main")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newGitServer(t)
			s.commit("one", "a", "1")
			s.commit("two", "a", "2")
			old := s.commit("three", "a", "3")
			r := s.open()
			mustFetch(t, r)
			c.move(s)
			s.work("push", "-q", "--force", "origin", "main")
			if _, err := r.Fetch(t.Context()); !errors.Is(err, ErrNonFastForward) || !strings.Contains(err.Error(), old) {
				t.Fatalf("error %v, want ErrNonFastForward with the old tip", err)
			}
			if r.Tip() != old || readFile(t, r, old, "a") != "3" {
				t.Errorf("tip %s: the old one is not kept", r.Tip())
			}
			before := s.requests.Load()
			if _, err := r.Fetch(t.Context()); !errors.Is(err, ErrNonFastForward) || s.requests.Load() != before+1 {
				t.Errorf("again: %v after %d requests, want the same error after one", err, s.requests.Load()-before)
			}
			if _, err := r.Commit(t.Context(), put("b", "x")); !errors.Is(err, ErrNonFastForward) {
				t.Errorf("commit on a rewritten branch: %v", err)
			}
			// A person has looked and accepts the new head.
			if err := r.Resume(s.work("rev-parse", "HEAD")); err != nil {
				t.Fatal(err)
			}
			if got := mustFetch(t, r); got != s.work("rev-parse", "HEAD") {
				t.Errorf("after Resume: tip %s", got)
			}
		})
	}
}

func TestResume(t *testing.T) {
	s := newGitServer(t)
	s.commit("one", "a", "1")
	saved := s.commit("two", "a", "2")
	for i := range 9 {
		s.commit("more", "a", fmt.Sprint("more ", i))
	}
	tip := s.work("rev-parse", "HEAD")
	r := s.open()
	if err := r.Resume(saved); err != nil {
		t.Fatal(err)
	}
	if got := mustFetch(t, r); got != tip {
		t.Fatalf("tip %s, want %s", got, tip)
	}
	commits, err := r.Commits(saved, tip)
	if err != nil || len(commits) != 9 {
		t.Fatalf("%d commits, %v; want 9", len(commits), err)
	}
	if err := r.Resume("main"); err == nil || !strings.Contains(err.Error(), "not a full commit hash") {
		t.Errorf("resume at a name: %v", err)
	}
	if err := r.Resume(strings.Repeat("ab", 20)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Fetch(t.Context()); !errors.Is(err, ErrNonFastForward) {
		t.Errorf("resume at a commit that is gone: %v, want ErrNonFastForward", err)
	}
}

func TestForgetKeepsWhatIsAsked(t *testing.T) {
	s := newGitServer(t)
	first := s.commit("zero", "f", "0", "big", strings.Repeat("x", 100))
	r := s.open()
	mustFetch(t, r)
	var hashes []string
	for i := range 20 {
		hashes = append(hashes, s.commit("step", "f", fmt.Sprint(i)))
	}
	tip := mustFetch(t, r)
	grown := len(r.store.Objects)
	if err := r.Forget(hashes[15]); err != nil {
		t.Fatal(err)
	}
	if got := len(r.store.Objects); got >= grown/2 {
		t.Errorf("%d objects of %d are left", got, grown)
	}
	if c, err := r.Commits(hashes[15], tip); err != nil || len(c) != 4 {
		t.Errorf("%d commits, %v; want 4", len(c), err)
	}
	if _, err := r.Commits(first, tip); !errors.Is(err, ErrNotInMemory) {
		t.Errorf("forgotten commits: %v, want ErrNotInMemory", err)
	}
	if got := readFile(t, r, tip, "big"); len(got) != 100 {
		t.Errorf("big: %q", got)
	}
	next := s.commit("after", "f", "0") // content that was forgotten
	if got := mustFetch(t, r); got != next || readFile(t, r, next, "f") != "0" {
		t.Errorf("tip %s after forgetting, want %s", got, next)
	}
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
