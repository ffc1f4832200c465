package github

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

// recording is every answer to the calls of something that worked, in order.
type recording struct {
	calls   []string // paths with query
	answers map[string]*httptest.ResponseRecorder
}

func (w world) record(do func(*Client) error) recording {
	w.Helper()
	r := recording{answers: map[string]*httptest.ResponseRecorder{}}
	client := w.between(func(rw http.ResponseWriter, req *http.Request) bool {
		recorder := httptest.NewRecorder()
		w.ServeHTTP(recorder, req)
		r.calls = append(r.calls, req.URL.RequestURI())
		r.answers[req.URL.RequestURI()] = recorder
		maps.Copy(rw.Header(), recorder.Header())
		rw.WriteHeader(recorder.Code)
		_, _ = rw.Write(recorder.Body.Bytes())
		return true
	})
	w.check(do(client))
	return r
}

// fault is one way in which a call can go wrong.
type fault struct {
	name   string
	status int
	header http.Header
	body   func(whole string) string
	words  string // in the error
}

var faults = []fault{
	{"forbidden", 403, nil, message("Resource not accessible by integration"),
		"lacks a permission: "},
	{"not found", 404, nil, message("Not Found"), "it may not exist"},
	{"unauthorized", 401, nil, message("Bad credentials"), "get a new one"},
	{"rate limit", 403, http.Header{"X-Ratelimit-Remaining": {"0"},
		"X-Ratelimit-Reset": {"1795435200"}},
		message("API rate limit exceeded"),
		"resets at 2026-11-23T12:00:00Z"},
	{"rate limit as 429", 429, http.Header{"X-Ratelimit-Remaining": {"0"},
		"X-Ratelimit-Reset": {"1795435200"}}, message("API rate limit exceeded"),
		"resets at 2026-11-23T12:00:00Z"},
	{"secondary limit", 429, http.Header{"Retry-After": {"3600"}}, message("You have exceeded a " +
		"secondary rate limit"), "called less often"},
	{"secondary limit without a time", 403, nil, message("You have exceeded a secondary rate " +
		"limit. Please wait a few minutes before you try again."), "called less often"},
	{"trouble", 500, nil, message("Server Error"), "GitHub is in trouble"},
	{"bad gateway", 502, nil, func(string) string { return "<html>" }, "GitHub is in trouble"},
	{"moved", 301, http.Header{"Location": {"/repositories/1"}}, message("Moved Permanently"),
		"moved"},
	{"cut short", 200, nil, func(whole string) string { return whole[:len(whole)/2] },
		"no complete JSON"},
	{"empty", 200, nil, func(string) string { return "" }, "no complete JSON"},
	{"null", 200, nil, func(string) string { return "null" }, "no complete JSON"},
	{"an empty object", 200, nil, func(string) string { return "{}" }, ""},
}

func message(text string) func(string) string {
	return func(string) string { return fmt.Sprintf(`{"message": %q}`, text) }
}

// isAnswer tells which faults are good answers to a call: 404 is how GitHub says that somebody is
// no member.
func (f fault) isAnswer(call string) bool {
	return f.status == http.StatusNotFound && (strings.Contains(call, "/memberships/") ||
		strings.Contains(call, "/orgs/acme/members/"))
}

// replay serves the recording with one call, on all its attempts, going wrong. Calls beside each
// other come in any order: it is found by how often the same was asked before.
func (r recording) replay(broken int, f fault) http.HandlerFunc {
	var mu sync.Mutex
	asked, before := 0, 0
	for _, call := range r.calls[:broken] {
		if call == r.calls[broken] {
			before++
		}
	}
	return func(rw http.ResponseWriter, req *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		whole := r.answers[req.URL.RequestURI()]
		same := req.URL.RequestURI() == r.calls[broken]
		if same && asked >= before {
			maps.Copy(rw.Header(), f.header)
			rw.WriteHeader(f.status)
			_, _ = rw.Write([]byte(f.body(whole.Body.String())))
			return
		}
		if same {
			asked++
		}
		maps.Copy(rw.Header(), whole.Header())
		rw.WriteHeader(whole.Code)
		_, _ = rw.Write(whole.Body.Bytes())
	}
}

// TestEveryFailedCallFailsTheGathering breaks each call of a gathering in turn, in each way, and
// sees no facts come back.
func TestEveryFailedCallFailsTheGathering(t *testing.T) {
	w := newWorld(t)
	n := w.ask()
	w.review("bob", n, "APPROVE")
	w.merge(n)
	var whole policies.Facts
	r := w.record(func(c *Client) (err error) {
		whole, err = c.Facts(t.Context(), n, noon)
		return err
	})
	if len(r.calls) < 25 || whole.Merge == nil {
		t.Fatalf("only %d calls: %q", len(r.calls), r.calls)
	}
	for i, call := range r.calls {
		for _, f := range faults {
			t.Run(f.name+" "+strconv.Itoa(i)+" "+strings.ReplaceAll(call, "/", "|"),
				func(t *testing.T) {
					server := httptest.NewServer(r.replay(i, f))
					defer server.Close()
					facts, err := world{Forge: w.Forge, T: t}.clientOf(server.URL,
						"secret-token").Facts(t.Context(), n, noon)
					switch {
					case f.isAnswer(call):
						if err != nil || reflect.DeepEqual(facts, whole) {
							t.Errorf("error %v; want facts that say the person is no member", err)
						}
					case r.answers[call].Code == http.StatusNoContent && f.status == http.StatusOK:
						if err == nil {
							t.Error("a 200 in the place of 204 gave facts")
						}
					case err == nil:
						t.Error("facts were gathered")
					case !reflect.DeepEqual(facts, policies.Facts{}):
						t.Error("the error came with facts")
					case !strings.Contains(err.Error(), f.words):
						t.Errorf("error %q lacks %q", err, f.words)
					case strings.Contains(err.Error(), "secret-token"):
						t.Errorf("error %q holds the token", err)
					}
				})
		}
	}
}

// TestEveryFailedCallIsAnError does the same with everything else that is asked: nothing is known
// then, and least of all that there is nothing.
func TestEveryFailedCallIsAnError(t *testing.T) {
	w := newWorld(t)
	n := w.ask()
	asked := w.Branch("ask")
	w.review("bob", n, "APPROVE")
	merged := w.merge(n)
	w.push(forge.Change{Branch: "drop", Files: map[string]string{requestPath: forge.Removed}})
	drop := OpenPull{Number: w.open("drop"), HeadSHA: w.Branch("drop"), BaseRef: "main"}
	w.push(forge.Change{Branch: "b", Files: map[string]string{"b": "x"}})
	w.open("b")
	w.push(forge.Change{Branch: "c", Files: map[string]string{"c": "x"}})
	w.open("c")
	w.Protect(forge.DefaultRules())
	tip, ctx := w.Branch("main"), t.Context()
	for name, test := range map[string]struct {
		calls int
		ask   func(*Client) (any, error)
	}{
		"open pull requests": {2, func(c *Client) (any, error) { return c.OpenPulls(ctx) }},
		"withdrawal":         {4, func(c *Client) (any, error) { return c.Withdrawal(ctx, drop) }},
		"what was updated": {1, func(c *Client) (any, error) {
			return c.FollowOpen().news(ctx)
		}},
		"rules": {3, func(c *Client) (any, error) { return c.Rules(ctx) }},
		"reviews": {2, func(c *Client) (any, error) {
			_, reviews, err := c.Reviewed(ctx, n)
			return reviews, err
		}},
		"what adds a file": {5, func(c *Client) (any, error) {
			return c.PullsAdding(ctx, func(string) bool { return true })
		}},
		"what changes a file": {5, func(c *Client) (any, error) {
			return c.PullsChanging(ctx, func(string) bool { return true })
		}},
		"when it changed": {3, func(c *Client) (any, error) {
			return c.Changed(ctx, tip, []string{requestPath})
		}},
		"by head": {4, func(c *Client) (any, error) { return c.PullsByHead(ctx, asked) }},
		"merged with head": {3, func(c *Client) (any, error) {
			return c.MergedWithHead(ctx,
				asked)
		}},
		"merged as":  {2, func(c *Client) (any, error) { return c.MergedAs(ctx, merged) }},
		"who merged": {2, func(c *Client) (any, error) { return c.MergedBy(ctx, merged) }},
		"who removed": {12, func(c *Client) (any, error) {
			return c.RemovedBy(ctx, requestPath, tip)
		}},
		"what introduced": {10, func(c *Client) (any, error) {
			number, _, err := c.Introduced(ctx, requestPath, tip)
			return number, err
		}},
		"tip":        {2, func(c *Client) (any, error) { return c.Tip(ctx) }},
		"files":      {5, func(c *Client) (any, error) { return c.Files(ctx, tip, "policies") }},
		"used names": {5, func(c *Client) (any, error) { return c.UsedNames(ctx, tip, requestName) }},
		"tree": {10, func(c *Client) (any, error) {
			return c.Tree(ctx, tip, policies.Wanted(policies.KindRequest, requestPath))
		}},
		"last check": {1, func(c *Client) (any, error) {
			return c.LastCheck(ctx, asked, policies.CheckName, "pullgrant")
		}},
		"agent":    {1, func(c *Client) (any, error) { return c.AgentSaid(ctx, n, 7002) }},
		"standing": {1, func(c *Client) (any, error) { return c.Standing(ctx, n) }},
		"self":     {1, func(c *Client) (any, error) { return c.Self(ctx) }},
	} {
		r := w.record(func(c *Client) error {
			_, err := test.ask(c)
			return err
		})
		if len(r.calls) != test.calls {
			t.Errorf("%s: calls %q", name, r.calls)
		}
		for i, call := range r.calls {
			for _, f := range faults {
				t.Run(name+" "+f.name+" "+strconv.Itoa(i), func(t *testing.T) {
					server := httptest.NewServer(r.replay(i, f))
					defer server.Close()
					got, err := test.ask(world{Forge: w.Forge, T: t}.clientOf(server.URL,
						"secret-token"))
					if err == nil || !reflect.ValueOf(got).IsZero() ||
						!strings.Contains(err.Error(),
							f.words) || strings.Contains(err.Error(), "secret-token") {
						t.Errorf("%s: %v, error %v; want %q", call, got, err, f.words)
					}
				})
			}
		}
	}
}

func TestCallsAreTriedAgainOnlyWhenThatIsSafe(t *testing.T) {
	w := newWorld(t)
	n := w.ask()
	calls := func(method, path string) int {
		count := 0
		for _, r := range w.Requests() {
			if r.Method == method && r.Path == path {
				count++
			}
		}
		return count
	}
	path := fmt.Sprintf("/repos/acme/access/pulls/%d/reviews", n)
	for i, status := range []int{500, 502, 503, 504, 0} { // 0: the connection breaks
		before := calls("GET", path)
		w.Fail("GET", path, 1, status, "")
		w.Fail("GET", path, 1, []int{429, 403}[i%2], "", "Retry-After", "0")
		w.facts(n)
		if got := calls("GET", path) - before; got != 3 {
			t.Errorf("%d attempts after %d; want 3", got, status)
		}
		before = calls("POST", "/graphql")
		w.Fail("POST", "/graphql", 1, status, "")
		_, err := w.client.Self(t.Context())
		w.check(err)
		if got := calls("POST", "/graphql") - before; got != 2 {
			t.Errorf("%d attempts to read by POST after %d; want 2", got, status)
		}
		before = calls("POST", "/repos/acme/access/git/blobs")
		w.Fail("POST", "/repos/acme/access/git/blobs", 1, status, "")
		_, err = w.client.Propose(t.Context(), Proposal{Branch: "b",
			Files: map[string][]byte{"x": []byte("x")}, Message: "m", Title: "t"})
		if got := calls("POST", "/repos/acme/access/git/blobs") - before; err == nil || got != 1 {
			t.Errorf("error %v after %d attempts to write, the first with %d; want an error after 1",
				err, got, status)
		}
	}
}

// TestSecondaryLimitIsWaitedFor: nobody calls before the minute is over that GitHub asks for, and
// whoever has no minute is told so at once.
func TestSecondaryLimitIsWaitedFor(t *testing.T) {
	w := newWorld(t)
	n := w.ask()
	w.client.wire.pause = 5 * time.Millisecond // so that a minute is 600 ms
	path := fmt.Sprintf("/repos/acme/access/pulls/%d", n)
	refuse := func() {
		w.Fail("GET", path, 1, 403, `{"message": "You have exceeded a secondary rate limit"}`)
	}
	refuse()
	begin := time.Now()
	w.facts(n)
	if took := time.Since(begin); took < 600*time.Millisecond {
		t.Errorf("GitHub was called again after %s", took)
	}
	refuse()
	w.client.wire.pause = time.Second
	before := len(w.Requests())
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		_, err := w.client.Facts(ctx, n, noon)
		cancel()
		if err == nil || !strings.Contains(err.Error(), "called less often") ||
			strings.Contains(err.Error(), "permission") {
			t.Errorf("error %v", err)
		}
	}
	// The pull request, and beside it the repository, unless that came too late.
	if calls := w.Requests()[before:]; len(calls) < 1 || len(calls) > 2 {
		t.Errorf("called all the same: %v", calls)
	}
}

// TestConnectionsAreNobodyElses: a test server that closes takes the idle connections of
// http.DefaultTransport with it, as any library of a program may.
func TestConnectionsAreNobodyElses(t *testing.T) {
	a, b := newTransport(nil, nil), newTransport(nil, nil)
	if a.next == http.DefaultTransport || a.next == b.next {
		t.Error("clients share a transport")
	}
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	w := newWorld(t)
	n := w.ask()
	w.Fail("GET", "/repos/acme/access", -1, 503, "", "Retry-After", "20")
	before := len(w.Requests())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := w.client.Facts(ctx, n, noon)
		done <- err
	}()
	deadline := time.After(10 * time.Second)
	for len(w.Requests()) == before {
		select {
		case <-deadline:
			t.Fatal("no call was made")
		case <-time.After(time.Millisecond):
		}
	}
	cancel()
	if err := <-done; err == nil || !strings.Contains(err.Error(), context.Canceled.Error()) {
		t.Errorf("error %v; want the cancellation", err)
	}
}

func TestTheConnectionBreaks(t *testing.T) {
	w := newWorld(t)
	n := w.ask()
	w.Fail("GET", fmt.Sprintf("/repos/acme/access/pulls/%d/files", n), attempts, 0, "")
	w.refused(n, "list the files of the pull request", "the answer broke off", "check the network")
}
