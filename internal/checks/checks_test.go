package checks_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/internal/checks"
	"github.com/pullgrant/pullgrant/internal/inquire"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/webhook"
)

// asking is alice's question under a challenge.
func asking(c policies.Challenge) policies.Asking {
	a := policies.Asking{Inquiry: policies.Inquiry{Kind: c.Kind, Of: c.URL}, Challenge: c,
		Repository: "acme/access", PullRequest: 7, HeadSHA: "7777777777777777777777777777777777777777",
		Requester: policies.Identity{GitHub: "alice", GitHubID: 101,
			Kubernetes: policies.KubernetesIdentity{Username: "alice@example.com"}},
		Grant: requests.Grant{Cluster: "prod-eu", Policy: "payments-debug",
			Duration: requests.Duration(time.Hour), Items: []requests.Item{{
				Kind: requests.KubernetesRoleBinding, Namespace: "payments",
				Role: requests.Role{Kind: requests.KindClusterRole, Name: "payments-debug"}}}}}
	a.Receiver = a.Requester
	a.Request.Metadata.Name, a.Request.Spec.Reason = "20261123-alice-inc-123", "OPS-12, checkout is slow"
	return a
}

// ask has the config's answerers reply.
func ask(t *testing.T, c checks.Config, a policies.Asking) policies.Reply {
	t.Helper()
	all, err := checks.Answerers(c)
	if err != nil {
		t.Fatal(err)
	}
	return all[a.Kind](t.Context(), a)
}

func hook(url string) policies.Asking {
	return asking(policies.Challenge{Kind: policies.Webhook, URL: url})
}

// TestWebhook (R89): what the check decides is the reply, and it is told all that it needs.
func TestWebhook(t *testing.T) {
	var decision string
	var told []policies.WebhookRequest
	handler, err := webhook.Handler(webhook.Secret, func(q policies.WebhookRequest) (string, string) {
		told = append(told, q)
		return decision, "because\nof `this`"
	})
	if err != nil {
		t.Fatal(err)
	}
	url, config, _ := webhook.Serve(t, handler)
	for given, want := range map[string]policies.Verdict{"allowed": policies.Yes, "denied": policies.No,
		"pending": policies.Waiting, "yes": policies.Unknown, "Allowed": policies.Unknown,
		"": policies.Unknown} {
		decision = given
		if r := ask(t, config, hook(url+"/access")); r.Verdict != want || want != policies.Unknown &&
			r.Text != "because\nof `this`" {
			t.Errorf("%q became %+v", given, r)
		}
	}
	ids := map[string]bool{}
	for _, q := range told {
		ids[q.ID] = true
		q.ID = ""
		got, err := json.Marshal(q)
		const want = `{"apiVersion":"pullgrant.dev/v1alpha1","kind":"WebhookRequest","id":"",` +
			`"repository":"acme/access","pullRequest":7,"head":"7777777777777777777777777777777777777777",` +
			`"name":"20261123-alice-inc-123","cluster":"prod-eu","policy":"payments-debug",` +
			`"requester":{"github":"alice","githubID":101,"username":"alice@example.com"},` +
			`"receiver":{"github":"alice","githubID":101,"username":"alice@example.com"},` +
			`"reason":"OPS-12, checkout is slow","access":[{"kind":"KubernetesRoleBinding",` +
			`"text":"ClusterRole payments-debug in namespace payments","role":"payments-debug",` +
			`"namespace":"payments"}],"duration":"1h"}`
		if err != nil || string(got) != want {
			t.Fatalf("it was told %s, %v", got, err)
		}
	}
	if len(ids) != 6 {
		t.Errorf("%d ids in 6 questions", len(ids))
	}
}

// TestWebhookIsSigned: a check can tell who asks, and nobody is asked without a secret.
func TestWebhookIsSigned(t *testing.T) {
	var asked atomic.Int32
	handler, err := webhook.Handler("whsec_"+strings.Repeat("QUJD", 10),
		func(policies.WebhookRequest) (string, string) {
			asked.Add(1)
			return "allowed", ""
		})
	if err != nil {
		t.Fatal(err)
	}
	url, config, _ := webhook.Serve(t, handler)
	if r := ask(t, config, hook(url)); r.Verdict != policies.Unknown || !strings.Contains(r.Text,
		"answered 401") || asked.Load() != 0 {
		t.Errorf("signed by another secret: %+v, asked %d times", r, asked.Load())
	}
	config.Env = func(string) string { return "" }
	if r := ask(t, config, hook(url)); r.Verdict != policies.Unknown || !strings.Contains(r.Text,
		"no secret is set") {
		t.Errorf("without a secret: %+v", r)
	}
	for _, secret := range []string{"whsec_", "whsec_short", strings.TrimPrefix(webhook.Secret, "whsec_"),
		webhook.Secret + "!", "whsec_" + strings.Repeat("QUJD", 30)} {
		_, err := checks.Answerers(checks.Config{Env: func(string) string { return secret }})
		if err == nil || !strings.Contains(err.Error(), checks.EnvSecret) || strings.Contains(err.Error(),
			secret) && secret != "whsec_" {
			t.Errorf("the secret %q: %v", secret, err)
		}
	}
}

// answer is what a check says to the question that it was asked, with something in the place of what it
// should say.
func answer(change func(r *policies.WebhookResponse)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		response := policies.WebhookResponse{APIVersion: requests.APIVersion,
			Kind: policies.KindWebhookResponse, ID: r.Header.Get("webhook-id"), Decision: "allowed"}
		change(&response)
		_ = json.NewEncoder(w).Encode(response)
	}
}

func says(status int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, strings.ReplaceAll(text, "ID", r.Header.Get("webhook-id")))
	}
}

const yes = `{"apiVersion": "pullgrant.dev/v1alpha1", "kind": "WebhookResponse", "id": "ID", "decision": "allowed"`

// TestWebhookFaults: whatever a check does that is not an answer, it has not said yes, and why is told.
func TestWebhookFaults(t *testing.T) {
	for name, fault := range map[string]struct {
		check http.HandlerFunc
		want  string
	}{
		"none":             {says(200, yes+"}"), ""},
		"redirect":         {says(302, yes+"}"), "no redirect is followed"},
		"error with a yes": {says(500, yes+"}"), "answered 500"},
		"accepted":         {says(202, yes+"}"), "answered 202"},
		"10 MiB":           {says(200, yes+`, "text": "`+strings.Repeat("x", 10<<20)+`"}`), "more than 64 KiB"},
		"empty":            {says(200, ""), "its answer is no WebhookResponse"},
		"null":             {says(200, "null"), "its answer is no WebhookResponse"},
		"garbage":          {says(200, "\x00\xff{[<html>"), "its answer is no WebhookResponse"},
		"HTML":             {says(200, "<html>allowed</html>"), "its answer is no WebhookResponse"},
		"list":             {says(200, "["+yes+"}]"), "its answer is no WebhookResponse"},
		"two answers":      {says(200, yes+"}"+yes+"}"), "its answer is no WebhookResponse"},
		"cut short":        {says(200, yes), "its answer is no WebhookResponse"},
		"unknown field":    {says(200, yes+`, "expires": "1h"}`), `unknown field "expires"`},
		"twice":            {says(200, yes+`, "decision": "denied"}`), `duplicate field "decision"`},
		"other letters": {says(200, strings.Replace(yes, `"decision"`, `"Decision"`, 1)+"}"),
			`unknown field "Decision"`},
		"number": {says(200, strings.Replace(yes, `"allowed"`, "1", 1)+"}"), "its answer is no WebhookResponse"},
		"another version": {answer(func(r *policies.WebhookResponse) { r.APIVersion = "v2" }),
			"no WebhookResponse of pullgrant.dev/v1alpha1"},
		"another kind": {answer(func(r *policies.WebhookResponse) { r.Kind = "WebhookRequest" }),
			"no WebhookResponse of pullgrant.dev/v1alpha1"},
		"no id": {answer(func(r *policies.WebhookResponse) { r.ID = "" }),
			"it answered another question"},
		"another id": {answer(func(r *policies.WebhookResponse) { r.ID = "msg_1" }),
			"it answered another question"},
		"unknown word": {answer(func(r *policies.WebhookResponse) { r.Decision = "ok" }),
			`its decision is "ok"; allowed:`},
		"no word":         {answer(func(r *policies.WebhookResponse) { r.Decision = "" }), `its decision is ""`},
		"hangs up":        {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
		"slow":            {slow, "context deadline exceeded"},
		"never stops":     {endless, "more than 64 KiB"},
		"hides in spaces": {says(200, yes+strings.Repeat(" ", 65<<10)+"}"), "more than 64 KiB"},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			url, config, _ := webhook.Serve(t, fault.check)
			all, err := checks.Answerers(config)
			if err != nil {
				t.Fatal(err)
			}
			ctx := t.Context()
			if name == "slow" {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, time.Second)
				defer cancel()
			}
			r := all[policies.Webhook](ctx, hook(url))
			if fault.want == "" && r.Verdict != policies.Yes || fault.want != "" &&
				(r.Verdict != policies.Unknown || !strings.Contains(r.Text, fault.want)) {
				t.Errorf("got %+v, want %q", r, fault.want)
			}
			if len(inquire.Words(r.Text)) > policies.MaxReplyText {
				t.Error("too much of it is shown")
			}
		})
	}
	handler, err := webhook.Handler(webhook.Secret,
		func(policies.WebhookRequest) (string, string) { return "allowed", "" })
	if err != nil {
		t.Fatal(err)
	}
	url, config, stop := webhook.Serve(t, handler)
	elsewhere, wrong := config, config
	elsewhere.Hosts, wrong.CA = nil, nil
	for want, c := range map[string]checks.Config{"is not among the hosts that may be called": elsewhere,
		"unknown authority": wrong} {
		if r := ask(t, c, hook(url)); r.Verdict != policies.Unknown || !strings.Contains(r.Text, want) {
			t.Errorf("want %q, got %+v", want, r)
		}
	}
	stop()
	if r := ask(t, config, hook(url)); r.Verdict != policies.Unknown || !strings.Contains(r.Text,
		"connection refused") {
		t.Errorf("down: %+v", r)
	}
}

func slow(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // else nobody notices that the other side left
	<-r.Context().Done()
	panic(http.ErrAbortHandler) // else it says 200 to who is just about to hang up
}

func endless(w http.ResponseWriter, r *http.Request) {
	for r.Context().Err() == nil {
		if _, err := w.Write([]byte(strings.Repeat(" ", 4096))); err != nil {
			return
		}
	}
}

// TestConfig: what would send a token to another host than it is for, or believe nobody, is told.
func TestConfig(t *testing.T) {
	none := func(string) string { return "" }
	c := checks.Config{Env: none, CA: []byte("no certificate")}
	if _, err := checks.Answerers(c); err == nil || !strings.Contains(err.Error(), "no certificate in PEM") {
		t.Errorf("got %v", err)
	}
	c = checks.Config{Env: none}
	if err := c.Hosts.Set("a-b.example.com,a.b.example.com"); err != nil {
		t.Fatal(err)
	}
	if _, err := checks.Answerers(c); err == nil || !strings.Contains(err.Error(),
		"would share the token in PULLGRANT_CHECK_TOKEN_A_B_EXAMPLE_COM") {
		t.Errorf("got %v", err)
	}
}

// TestTransport: what makes the calls in place of connections is given no host that is not listed.
func TestTransport(t *testing.T) {
	var reached []string
	c := checks.Config{Clock: time.Now, Env: func(string) string { return "" }, Transport: carrier(
		func(r *http.Request) (*http.Response, error) {
			reached = append(reached, r.URL.Host)
			return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(
				`{"number":12,"state":"open"}`))}, nil
		})}
	if err := c.Hosts.Set("tracker.example.com"); err != nil {
		t.Fatal(err)
	}
	about := func(host string) policies.Asking {
		a := asking(policies.Challenge{Kind: policies.Ticket, URL: "https://" + host,
			Tracker: policies.GitHubIssues, Project: "acme/ops"})
		a.Request.Spec.Reason = "for #12"
		return a
	}
	if r := ask(t, c, about("tracker.example.com")); r.Verdict != policies.Yes {
		t.Errorf("where it is listed: %+v", r)
	}
	if r := ask(t, c, about("other.example.com")); r.Verdict != policies.Unknown ||
		!strings.Contains(r.Text, "is not among the hosts") {
		t.Errorf("elsewhere: %+v", r)
	}
	if want := []string{"tracker.example.com"}; !slices.Equal(reached, want) {
		t.Errorf("it was to call %q", reached)
	}
}

type carrier func(*http.Request) (*http.Response, error)

func (c carrier) RoundTrip(r *http.Request) (*http.Response, error) { return c(r) }
