package git

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/testdata/gitserver"
)

// small are the limits of these tests, so that a bomb may be small too.
var small = limitsOf(16 << 20)

const asking = "requests/prod-eu/p/one.yaml"

// servers are git servers that differ in what they can do.
var servers = []struct {
	name         string
	filter, byID bool
	env          []string
	change       func(*gitserver.Server)
	told         string // why whole commits are fetched
}{
	{name: "filter", filter: true, byID: true, env: withConfig("true", "true")},
	{name: "filter, ids not allowed by name", filter: true, byID: true,
		env: withConfig("true", "false")},
	{name: "no filter", byID: true, env: withConfig("false", "true"), told: "offers no filters"},
	{name: "no filter, ids not allowed by name", byID: true, env: withConfig("false", "false"),
		told: "offers no filters"},
	{name: "a filter that is ignored", byID: true, env: withConfig("true", "true"),
		change: ignoreFilters, told: "ignores them"},
	{name: "filter, but nothing by id", filter: true, env: withConfig("true", "true"),
		change: refuseIDs, told: "by their ids"},
	{name: "nothing", env: withConfig("false", "false"), change: refuseIDs,
		told: "offers no filters"},
}

func withConfig(filter, any string) []string {
	return []string{"GIT_CONFIG_COUNT=2",
		"GIT_CONFIG_KEY_0=uploadpack.allowFilter", "GIT_CONFIG_VALUE_0=" + filter,
		"GIT_CONFIG_KEY_1=uploadpack.allowAnySHA1InWant", "GIT_CONFIG_VALUE_1=" + any}
}

// rewrite changes what git is asked, or answers itself when it returns an answer.
func rewrite(s *gitserver.Server, f func(body []byte) (changed []byte, answer string)) {
	s.Intercept(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/git-upload-pack") {
			body, _ := io.ReadAll(r.Body)
			body, answer := f(body)
			if answer != "" {
				w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
				_, _ = io.WriteString(w, answer)
				return
			}
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		}
		next.ServeHTTP(w, r)
	})
}

func ignoreFilters(s *gitserver.Server) {
	line := regexp.MustCompile(`[0-9a-f]{4}filter [^\n]*\n`)
	rewrite(s, func(body []byte) ([]byte, string) { return line.ReplaceAll(body, nil), "" })
}

func refuseIDs(s *gitserver.Server) {
	want := regexp.MustCompile(`want ([0-9a-f]{40})`)
	rewrite(s, func(body []byte) ([]byte, string) {
		for _, m := range want.FindAllSubmatch(body, -1) {
			if string(m[1]) != s.Git("rev-parse", "main") {
				return nil, pktLine("ERR upload-pack: not our ref " + string(m[1]))
			}
		}
		return body, ""
	})
}

// bomb commits files below a folder that unpack to more than the limits, and takes them away again.
func bomb(s *gitserver.Server, folder string) {
	for i := range 40 {
		s.Write(fmt.Sprintf("%s/%d", folder, i), strings.Repeat(fmt.Sprintf("%09d\n", i), 10_000))
	}
	s.Work("add", "-A")
	s.Work("commit", "-q", "-m", "bomb")
	s.Work("rm", "-rq", folder)
	s.Write(asking, "1")
	s.Work("add", "-A")
	s.Work("commit", "-q", "-m", "ask")
}

// TestHistoryBomb: what was on a branch that is merged comes to nobody's memory, whatever the
// server can do.
func TestHistoryBomb(t *testing.T) {
	for _, server := range servers {
		t.Run(server.name, func(t *testing.T) {
			s := gitserver.New(t, server.env...)
			if server.change != nil {
				server.change(s)
			}
			old := s.Commit("one", "policies/p.yaml", "policy", "README", "r")
			r := open(t, s)
			r.limits = small
			r.Narrow([]string{"requests", "policies"}, []string{"requests/prod-eu", "policies"})
			mustFetch(t, r)
			if !strings.Contains(r.Whole(), server.told) ||
				(server.told == "") != (r.Whole() == "") {
				t.Errorf("told %q, want %q", r.Whole(), server.told)
			}
			merge := func() string {
				s.Work("checkout", "-q", "-b", "side")
				bomb(s, "junk")
				s.Work("checkout", "-q", "main")
				s.Work("merge", "-q", "--no-ff", "-m", "Merge side", "side")
				s.Work("branch", "-D", "side")
				return s.Push()
			}
			merged := merge()
			if got := mustFetch(t, r); got != merged || readFile(t, r, merged, asking) != "1" {
				t.Fatalf("tip %s, want the merge %s", got, merged)
			}
			c, err := r.Added(t.Context(), merged, asking, time.Time{})
			if err != nil || c.Hash != merged || len(c.Changes) != 1 || c.TooMany {
				t.Errorf("added by %+v, %v; want the merge and one change", c, err)
			}

			// Three commits at once, the merge first.
			s.Work("rm", "-q", asking)
			s.Work("commit", "-q", "-m", "take it back")
			before := s.Push()
			mustFetch(t, r)
			merged = merge()
			s.Commit("two", "policies/p.yaml", "another")
			tip := s.Commit("three", "policies/q.yaml", "one more")
			if got := mustFetch(t, r); got != tip || readFile(t, r, tip,
				"policies/q.yaml") != "one more" {
				t.Fatalf("tip %s, want %s", got, tip)
			}
			commits, err := r.Commits(t.Context(), before, tip)
			if err != nil || len(commits) != 3 || commits[0].Hash != merged ||
				len(commits[0].Changes) != 1 {
				t.Errorf("%d commits, %v; want three, the merge with one change", len(commits), err)
			}

			// An agent that begins now goes back beyond both.
			r = open(t, s)
			r.limits = small
			mustFetch(t, r)
			first, commits, err := r.History(t.Context(), tip, old)
			if err != nil || first != old || len(commits) != 5 {
				t.Errorf("history from %s: %d commits, %v; want 5", first, len(commits), err)
			}
		})
	}
}

// TestBombOnTheBranchItself: files that were rebased onto the branch and are gone again stop
// nothing. Where the server has filters they may stay; elsewhere the tip that has them is refused,
// the one before stays, and the next one is taken.
func TestBombOnTheBranchItself(t *testing.T) {
	for _, server := range servers {
		t.Run(server.name, func(t *testing.T) {
			s := gitserver.New(t, server.env...)
			if server.change != nil {
				server.change(s)
			}
			old := s.Commit("one", "policies/p.yaml", "policy")
			r := open(t, s)
			r.limits = small
			r.Narrow([]string{"requests", "policies"}, []string{"requests/prod-eu", "policies"})
			mustFetch(t, r)
			bomb(s, "junk")
			tip := s.Push()
			if got := mustFetch(t, r); got != tip || readFile(t, r, tip, asking) != "1" {
				t.Fatalf("tip %s, want %s", got, tip)
			}
			commits, err := r.Commits(t.Context(), old, tip)
			if err != nil || len(commits) != 2 || len(commits[0].Changes) != 40 {
				t.Errorf("commits %v, %v; want two, the first with 40 changes", commits, err)
			}

			bomb(s, "more")
			s.Work("reset", "-q", "--hard", "HEAD~1")
			there := s.Push()
			got, err := r.Fetch(t.Context())
			if server.filter && server.byID && (err != nil || got != there) {
				t.Errorf("tip %s, %v; want %s", got, err, there)
			}
			if !server.filter || !server.byID {
				if !errors.Is(err, ErrLimit) || r.Tip() != tip || readFile(t, r, tip,
					asking) != "1" {
					t.Errorf("%v and tip %s, want ErrLimit and the tip before", err, r.Tip())
				}
				seen := s.Seen.Load()
				_, err := r.Fetch(t.Context())
				if n := s.Seen.Load() - seen; !errors.Is(err, ErrLimit) || n != 1 {
					t.Errorf("again: %v after %d requests, want the same after one", err, n)
				}
				if _, err := r.Commit(t.Context(), put("requests/x", "1")); !errors.Is(err,
					ErrLimit) {
					t.Errorf("a commit on a tip that is refused: %v", err)
				}
			}
			s.Work("rm", "-rq", "more")
			next := s.Commit("less", "policies/p.yaml", "another")
			if got := mustFetch(t, r); got != next || readFile(t, r, next,
				"policies/p.yaml") != "another" {
				t.Errorf("tip %s, want %s", got, next)
			}
		})
	}
}

// TestTooMuchToRead: a tip whose own folders are too large is refused, and the next one is taken;
// the commit that is passed over is told to be too much.
func TestTooMuchToRead(t *testing.T) {
	s := gitserver.New(t, withConfig("true", "true")...)
	old := s.Commit("one", "policies/p.yaml", "policy")
	r := open(t, s)
	r.limits = small
	r.Narrow([]string{"requests", "policies"}, []string{"requests/prod-eu", "policies"})
	mustFetch(t, r)
	for i := range 40 {
		s.Write(fmt.Sprintf("requests/prod-eu/p/%d.yaml", i), strings.Repeat(fmt.Sprintf("%09d\n",
			i), 10_000))
	}
	s.Commit("too much")
	if _, err := r.Fetch(t.Context()); !errors.Is(err, ErrLimit) || r.Tip() != old {
		t.Fatalf("%v and tip %s, want ErrLimit", err, r.Tip())
	}
	s.Work("rm", "-rq", "requests")
	tip := s.Commit("less", asking, "1")
	if got := mustFetch(t, r); got != tip || readFile(t, r, tip, asking) != "1" {
		t.Fatalf("tip %s, want %s", got, tip)
	}
}

// TestLargeFileIsLeftOut: a file above 1 MiB refuses itself and not the tip.
func TestLargeFileIsLeftOut(t *testing.T) {
	s := gitserver.New(t, withConfig("true", "true")...)
	r := open(t, s)
	r.limits = limitsOf(1 << 30)
	r.Narrow([]string{"requests"}, []string{"requests"})
	tip := s.Commit("one", "requests/large", strings.Repeat("x", maxBlob+1), asking, "1",
		"elsewhere", "2", "large", strings.Repeat("y", maxBlob+1))
	if got := mustFetch(t, r); got != tip || readFile(t, r, tip, asking) != "1" {
		t.Fatalf("tip %s, want %s", got, tip)
	}
	for path, want := range map[string]error{"requests/large": ErrTooLarge, "large": ErrTooLarge,
		"elsewhere": nil} {
		entries, err := r.Entries(t.Context(), tip, path)
		if err != nil || len(entries) != 1 {
			t.Fatal(path, entries, err)
		}
		if _, err := r.Blob(t.Context(), entries[0].Hash); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
	}
	if n := len(r.store.objects.Blobs); n != 1 {
		t.Errorf("%d files in memory, want the one that is read", n)
	}
}

func TestLimitsFollowFromMemory(t *testing.T) {
	for memory, want := range map[int64]limits{
		256 << 20: {pack: 16 << 20, object: 8 << 20, total: 32 << 20, objects: 1 << 16},
		512 << 20: {pack: 32 << 20, object: 16 << 20, total: 64 << 20, objects: 1 << 17},
		1 << 40:   {pack: 512 << 20, object: 128 << 20, total: 1 << 30, objects: 10_000_000},
	} {
		if got := limitsOf(memory); got != want {
			t.Errorf("%d bytes: %+v, want %+v", memory, got, want)
		}
	}
}
