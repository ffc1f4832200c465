package forge

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-github/v60/github"
)

// clock is the forge's time in these tests; it moves by hand only.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

// start makes a forge with contract checks, people and a seeded main: alice, bob, carol (write),
// root (admin), rita (read), eve (none), the Apps pullgrant and agent (bypass).
func start(t *testing.T, opts Options) *Forge {
	t.Helper()
	opts.Contract = true
	if opts.Now == nil {
		opts.Now = (&clock{time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)}).now
	}
	f, err := Start(t.TempDir(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.Close()
		for _, v := range f.Violations() {
			t.Errorf("contract: %s", v)
		}
	})
	for i, login := range []string{"alice", "bob", "carol", "root", "rita", "eve"} {
		f.AddUser(login, int64(101+i), login+"@example.com")
		f.SetPermission(login, []string{"write", "write", "write", "admin", "read", "none"}[i])
	}
	f.AddApp("pullgrant", 7001)
	f.AddApp("agent", 7002)
	f.Protect(Rules{Approvals: 1, Check: "pullgrant", CheckApp: "pullgrant",
		Bypass: []string{"agent[bot]"}})
	must(f.Seed(map[string]string{"README.md": "hello\n",
		"docs/a.txt":      "one\ntwo\nthree\nfour\nfive\n",
		"policies/p.yaml": "kind: AccessPolicy\n"}, "Seed", "root"))(t)
	return f
}

// must turns a (value, error) pair into the value, or ends the test.
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// client is an unmodified go-github client with a token.
func client(t *testing.T, f *Forge, token string) *github.Client {
	t.Helper()
	c := github.NewClient(nil).WithAuthToken(token)
	u, err := c.BaseURL.Parse(f.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	c.BaseURL = u
	return c
}

// opened pushes one file to a branch as login and opens a pull request for it.
func opened(t *testing.T, f *Forge, login, branch string) int {
	t.Helper()
	must(f.Push(Change{User: login, Branch: branch, Files: map[string]string{"requests/" + branch +
		".yaml": "name: " + branch + "\n"}, Message: "Ask"}))(t)
	return must(f.Open(login, branch, "Ask for "+branch))(t)
}

// ready approves a pull request and lets its check pass.
func ready(t *testing.T, f *Forge, number int) {
	t.Helper()
	pull := getPull(t, f, number)
	must(f.Review("bob", number, "APPROVE"))(t)
	if err := f.Pass("pullgrant", "pullgrant", pull.GetHead().GetSHA()); err != nil {
		t.Fatal(err)
	}
}

func getPull(t *testing.T, f *Forge, number int) *github.PullRequest {
	t.Helper()
	p, _, err := client(t, f, f.Token("root")).PullRequests.Get(context.Background(), "acme",
		"access", number)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// refused checks that err is GitHub's refusal with this status and words in it.
func refused(t *testing.T, err error, status int, words string) {
	t.Helper()
	e, isRefusal := err.(*github.ErrorResponse)
	if !isRefusal || e.Response.StatusCode != status || !strings.Contains(e.Error(), words) {
		t.Fatalf("got %v, want %d with %q", err, status, words)
	}
}

// git runs the git client without any configuration of the machine and returns its output and
// whether it succeeded.
func git(t *testing.T, dir string, args ...string) (string, bool) {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=x", "GIT_AUTHOR_EMAIL=alice@example.com", "GIT_COMMITTER_NAME=x",
		"GIT_COMMITTER_EMAIL=alice@example.com")
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

// as puts a user's token into the clone address.
func as(f *Forge, login string) string {
	return strings.Replace(f.CloneURL(), "http://", "http://x:"+f.Token(login)+"@", 1)
}

// get makes one GET with extra headers given as pairs.
func get(t *testing.T, f *Forge, token, path string, headers ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return response
}
