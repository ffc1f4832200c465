package action_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/testdata/forge"
	"github.com/pullgrant/pullgrant/testdata/webhook"
)

// room is a channel on loopback, which keeps what it is told.
type room struct {
	inputs []string // that let the Action tell it
	status int

	sync.Mutex
	told []map[string]string
}

func newRoom(t *testing.T) *room {
	t.Helper()
	r := &room{status: http.StatusOK}
	url, config, _ := webhook.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		var m map[string]string
		if err := json.NewDecoder(q.Body).Decode(&m); err != nil {
			t.Errorf("it is told %v", err)
		}
		r.Lock()
		defer r.Unlock()
		r.told = append(r.told, m)
		w.WriteHeader(r.status)
	}))
	r.inputs = []string{"INPUT_WEBHOOK-HOSTS", config.Hosts.String(), "INPUT_WEBHOOK-CA", string(config.CA),
		"INPUT_CHANNELS", "\noncall generic" + strings.TrimPrefix(url, "https") + "/s3cretPath\n",
		"GITHUB_SERVER_URL", "https://github.example.com"}
	return r
}

// events are those it was told of.
func (r *room) events() (all []string) {
	r.Lock()
	defer r.Unlock()
	for _, m := range r.told {
		all = append(all, m["event"])
	}
	return all
}

// newTold is a world in whose policy the channels are told of the events.
func newTold(t *testing.T, notifications string) *world {
	t.Helper()
	w := newWorld(t)
	const path = "policies/payments-debug.yaml"
	policy := strings.Replace(accessRepository(t)[path], "\n  target:", "\n  notifications: "+notifications+
		"\n  target:", 1)
	if _, err := w.forge.Push(forge.Change{User: "dave", Branch: "main", Files: map[string]string{path: policy},
		Message: "Have channels told"}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) must(inputs ...string) {
	w.t.Helper()
	if _, err := w.judge(inputs...); err != nil {
		w.t.Fatal(err)
	}
}

// TestRequestedIsToldOnce: approvers are told of a request, with who must act and the link, once over
// all that happens to it; a draft is not told of yet.
func TestRequestedIsToldOnce(t *testing.T) {
	w, r := newTold(t, "[{channel: oncall, events: [Requested]}]"), newRoom(t)
	w.open(map[string]string{requestPath: fmt.Sprintf(request, "9h", "INC-123, <b>slow</b> @everyone")})
	w.must(r.inputs...) // denied
	if got := r.events(); got != nil {
		t.Errorf("of what is refused it is told %v", got)
	}
	less := fmt.Sprintf(request, "1h", "INC-123, <b>slow</b> @everyone")
	if _, err := w.forge.Push(forge.Change{User: "alice", Branch: "ask", Message: "Ask for less",
		Files: map[string]string{requestPath: less}}); err != nil {
		t.Fatal(err)
	}
	w.must(r.inputs...)
	w.must(r.inputs...)
	w.approve("bob")
	w.must(r.inputs...)
	if got := r.events(); !slices.Equal(got, []string{policies.NotifyRequested}) {
		t.Fatalf("it was told %v\n%s", got, w.out.String())
	}
	for field, want := range map[string]string{"who": "acme/squad-b", "requester": "alice", "cluster": "prod-eu",
		"url":     fmt.Sprintf("https://github.example.com/acme/access/pull/%d", w.number),
		"request": "20261122-alice-inc-123", "reason": "INC-123, <b>slow</b> @everyone", "policy": "payments-debug"} {
		if got := r.told[0][field]; got != want && (field != "who" || got == "") {
			t.Errorf("%s is %q", field, got)
		}
	}
	if got := w.forge.Reactions(w.number, "pullgrant[bot]"); !slices.Equal(got, []string{"eyes"}) {
		t.Errorf("the mark is %v", got)
	}
}

// TestRequestedOnBehalf: who is to receive the access is named, beside who asks.
func TestRequestedOnBehalf(t *testing.T) {
	w := newTold(t, "[{channel: oncall, events: [Requested]}]\n  onBehalfOf: [{kind: User, name: carol}]")
	r := newRoom(t)
	w.open(map[string]string{requestPath: fmt.Sprintf(request, "1h", "INC-123, checkout is slow") +
		"  subject: {kind: User, name: carol@example.com}\n"})
	w.must(r.inputs...)
	if len(r.events()) != 1 || !strings.HasPrefix(r.told[0]["happened"], "on behalf of carol, ClusterRole") {
		t.Errorf("it was told %v\n%s", r.told, w.out.String())
	}
}

// TestOthersMarksDoNotCount: whoever puts the same mark on a pull request keeps nobody from being told.
func TestOthersMarksDoNotCount(t *testing.T) {
	w, r := newTold(t, "[{channel: oncall, events: [Requested]}]"), newRoom(t)
	w.open(map[string]string{requestPath: fmt.Sprintf(request, "1h", "INC-123, checkout is slow")})
	if first, err := w.as("alice").MarkTold(t.Context(), w.number); !first || err != nil {
		t.Fatal(first, err)
	}
	w.must(r.inputs...)
	if got := r.events(); len(got) != 1 {
		t.Errorf("it was told %v", got)
	}
}

// TestSeveralAtATime: of runs at the same time one tells.
func TestSeveralAtATime(t *testing.T) {
	w := newTold(t, "[{channel: oncall, events: [Requested]}]")
	w.open(map[string]string{requestPath: fmt.Sprintf(request, "1h", "INC-123, checkout is slow")})
	var wait sync.WaitGroup
	firsts := make([]bool, 8)
	for i := range firsts {
		wait.Go(func() { firsts[i], _ = w.as("bob").MarkTold(t.Context(), w.number) })
	}
	wait.Wait()
	if n := len(slices.DeleteFunc(firsts, func(is bool) bool { return !is })); n != 1 {
		t.Errorf("%d were first", n)
	}
}

// TestEscalatedIsTold: a call for a review by whoever asked, and nobody else, is told once, and no
// second one within the hour.
func TestEscalatedIsTold(t *testing.T) {
	w, r := newTold(t, "[{channel: oncall, events: [Escalated]}]"), newRoom(t)
	w.open(map[string]string{requestPath: fmt.Sprintf(request, "1h", "INC-123, checkout is slow")})
	called := func(by string) {
		t.Helper()
		if _, err := w.as(by).Escalate(t.Context(), w.number, "please"); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := w.run("issue_comment", map[string]any{"action": "created", "issue": map[string]any{
				"number": w.number, "pull_request": map[string]any{}}}, r.inputs...); err != nil {
				t.Fatal(err)
			}
		}
	}
	called("bob")
	if got := r.events(); got != nil {
		t.Errorf("called by another: %v", got)
	}
	called("alice")
	w.now = w.now.Add(59 * time.Minute)
	called("alice")
	if got := r.events(); !slices.Equal(got, []string{policies.NotifyEscalated}) {
		t.Errorf("called twice within the hour: %v\n%s", got, w.out.String())
	}
	w.now = w.now.Add(time.Minute)
	called("alice")
	if got := r.events(); len(got) != 2 {
		t.Errorf("called an hour later: %v", got)
	}
	w.approve("bob")
	w.now = w.now.Add(time.Hour)
	called("alice")
	if got := r.events(); len(got) != 2 {
		t.Errorf("called when it is approved: %v", got)
	}
}

// TestChannelsChangeNoVerdict: a channel that fails, has no address, or one of no use, is told in the log,
// without a part of its address, and nothing else is otherwise.
func TestChannelsChangeNoVerdict(t *testing.T) {
	for name, c := range map[string]struct {
		notifications, channels, want string
		status                        int
	}{
		"fails":      {"[{channel: oncall, events: [Requested]}]", "", "answered 500", 500},
		"no address": {"[{channel: room, events: [Requested]}]", "", "has no address for it", 200},
		"no use": {"[{channel: oncall, events: [Requested]}]", "oncall https://hooks.slack.com/s3cretPath",
			"the channel oncall: its address", 200},
		"the other way round": {"[{channel: oncall, events: [Requested]}]", "slack://s3cretPath oncall",
			"line 1: write the channel's name", 200},
		"no line": {"[{channel: oncall, events: [Requested]}]", "s3cretPath", "line 1: write the channel's name", 200},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			w, r := newTold(t, c.notifications), newRoom(t)
			r.status = c.status
			if c.channels != "" {
				r.inputs[slices.Index(r.inputs, "INPUT_CHANNELS")+1] = c.channels
			}
			w.open(map[string]string{requestPath: fmt.Sprintf(request, "1h", "INC-123, checkout is slow")})
			w.approve("bob")
			result, err := w.judge(r.inputs...)
			if err != nil {
				t.Fatal(err)
			}
			w.expect(result, policies.Allowed, "success", "Allowed")
			if !strings.Contains(w.out.String(), c.want) || strings.Contains(w.out.String()+w.files["summary"],
				"s3cretPath") {
				t.Errorf("the log says\n%s", w.out.String())
			}
			if fails := c.status != 200; fails != strings.Contains(w.files["summary"], c.want) {
				t.Errorf("the summary says\n%s", w.files["summary"])
			}
		})
	}
}

// as is somebody's access to the forge.
func (w *world) as(login string) *github.Client {
	w.t.Helper()
	client, err := github.New(github.Config{APIURL: w.forge.URL, Owner: "acme", Repo: "access",
		Token: func(context.Context) (string, error) { return w.forge.Token(login), nil }})
	if err != nil {
		w.t.Fatal(err)
	}
	return client
}
