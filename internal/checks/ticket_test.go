package checks_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/pullgrant/pullgrant/internal/checks"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/testdata/webhook"
)

const (
	jiraIssue = `{"expand": "x", "id": "10002", "key": "OPS-12", "fields": {"status": {"name": "To Do",
		"statusCategory": {"id": 2, "key": "new", "name": "To Do"}}}}`
	record = `{"result": [{"number": "INC0010001", "active": "true"}]}`
	issue  = `{"id": 1, "number": 12, "state": "open", "title": "checkout is slow", "user": {"login": "bob"}}`
)

// TestTicket (R91): each tracker is asked as it documents, and its answer means what it does there.
func TestTicket(t *testing.T) {
	const (
		jira = "GET /rest/api/2/issue/OPS-12?fields=status"
		now  = "GET /api/now/table/incident?sysparm_fields=number%2Cactive&sysparm_limit=2&" +
			"sysparm_query=number%3DINC0010001"
		hub = "GET /repos/acme/ops/issues/12"
	)
	replace := func(text, old, new string) string {
		if !strings.Contains(text, old) {
			t.Fatalf("no %s in %s", old, text)
		}
		return strings.Replace(text, old, new, 1)
	}
	for _, try := range []struct {
		tracker, asked string
		status         int
		body           string
		want           policies.Verdict
		why            string
	}{
		{policies.Jira, jira, 200, jiraIssue, policies.Yes, ""},
		{policies.Jira, jira, 200, replace(jiraIssue, `"new"`, `"indeterminate"`), policies.Yes, ""},
		{policies.Jira, jira, 200, replace(jiraIssue, `"new"`, `"done"`), policies.No, "it is done"},
		{policies.Jira, jira, 200, replace(jiraIssue, `"new"`, `"undefined"`), policies.Unknown, "no status"},
		{policies.Jira, jira, 200, replace(jiraIssue, `"OPS-12"`, `"SEC-3"`), policies.Unknown, `told of "SEC-3"`},
		{policies.Jira, jira, 200, replace(jiraIssue, `"statusCategory"`, `"StatusCategory"`), policies.Unknown,
			"no status"},
		{policies.Jira, jira, 404, `{"errorMessages": ["Issue does not exist"]}`, policies.No, "no such ticket"},
		{policies.ServiceNow, now, 200, record, policies.Yes, ""},
		{policies.ServiceNow, now, 200, replace(record, `"true"`, `"false"`), policies.No, "not active"},
		{policies.ServiceNow, now, 200, replace(record, `"true"`, `""`), policies.Unknown, "did not tell"},
		{policies.ServiceNow, now, 200, `{"result": []}`, policies.No, "no such ticket"},
		{policies.ServiceNow, now, 200, `{}`, policies.Unknown, "no records"},
		{policies.ServiceNow, now, 200, replace(record, "[{", `[{"number": "INC0010001", "active": "true"}, {`),
			policies.Unknown, "other tickets"},
		{policies.ServiceNow, now, 200, replace(record, "10001", "10002"), policies.Unknown, "other tickets"},
		{policies.GitHubIssues, hub, 200, issue, policies.Yes, ""},
		{policies.GitHubIssues, hub, 200, replace(issue, `"open"`, `"closed"`), policies.No, "it is closed"},
		{policies.GitHubIssues, hub, 200, replace(issue, `"id"`, `"pull_request": {"url": "x"}, "id"`),
			policies.No, "it is a pull request"},
		{policies.GitHubIssues, hub, 200, replace(issue, "12", "13"), policies.Unknown, "told of #13"},
		{policies.GitHubIssues, hub, 200, replace(issue, `"open"`, `"OPEN"`), policies.Unknown, "no state"},
		{policies.GitHubIssues, hub, 410, `{}`, policies.No, "no such ticket"},
		{policies.GitHubIssues, hub, 301, issue, policies.Unknown, "no redirect"}, // it was transferred
		{policies.Jira, jira, 401, jiraIssue, policies.Unknown, "answered 401"},
		{policies.ServiceNow, now, 500, record, policies.Unknown, "answered 500"},
		{policies.GitHubIssues, hub, 200, "<html>", policies.Unknown, "read its answer"},
		{policies.GitHubIssues, hub, 200, `{"body": "` + strings.Repeat("x", 10<<20) + `"}`, policies.Unknown,
			"more than 1024 KiB"},
	} {
		var asked atomic.Value
		url, config, _ := webhook.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked.Store(r.Method + " " + r.URL.String())
			w.WriteHeader(try.status)
			fmt.Fprint(w, try.body)
		}))
		r := ask(t, config, ticket(try.tracker, url))
		if r.Verdict != try.want || !strings.Contains(r.Text, try.why) || asked.Load() != try.asked {
			t.Errorf("%s, %.80s: %+v, asked %v; want %s %q", try.tracker, try.body, r, asked.Load(), try.want,
				try.why)
		}
	}
}

// ticket is the question about the ticket in the reason.
func ticket(tracker, url string) policies.Asking {
	a := asking(policies.Challenge{Kind: policies.Ticket, Tracker: tracker, URL: url,
		Project: map[string]string{policies.Jira: "OPS", policies.ServiceNow: "incident",
			policies.GitHubIssues: "acme/ops"}[tracker]})
	a.Request.Spec.Reason = "OPS-12, INC0010001 and #12: checkout is slow"
	return a
}

// TestTicketIsGoneAfterTheMerge (R91): that the tracker finds none any more is no answer then, so that
// nothing is refused for good by it; that it is closed is one.
func TestTicketIsGoneAfterTheMerge(t *testing.T) {
	for _, try := range []struct {
		tracker string
		status  int
		body    string
		want    policies.Verdict
	}{
		{policies.Jira, 404, "{}", policies.Unknown},
		{policies.GitHubIssues, 410, "{}", policies.Unknown},
		{policies.ServiceNow, 200, `{"result": []}`, policies.Unknown},
		{policies.GitHubIssues, 200, strings.Replace(issue, `"open"`, `"closed"`, 1), policies.No},
		{policies.GitHubIssues, 200, issue, policies.Yes},
	} {
		url, config, _ := webhook.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(try.status)
			fmt.Fprint(w, try.body)
		}))
		a := ticket(try.tracker, url)
		a.Merged = true
		if r := ask(t, config, a); r.Verdict != try.want ||
			try.want == policies.Unknown && !strings.Contains(r.Text, "no such ticket") {
			t.Errorf("%s, %d: %+v, want %q", try.tracker, try.status, r, try.want)
		}
	}
}

// TestTicketToken: the token of a host is sent to that host, in the way that it is written.
func TestTicketToken(t *testing.T) {
	var sent atomic.Value
	url, config, stop := webhook.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent.Store(r.Header.Get("Authorization"))
		fmt.Fprint(w, issue)
	}))
	for token, want := range map[string]string{"": "", "secret": "Bearer secret",
		"me@example.com:secret": "Basic bWVAZXhhbXBsZS5jb206c2VjcmV0"} {
		config.Env = func(name string) string {
			return map[string]string{"PULLGRANT_CHECK_TOKEN_127_0_0_1": token}[name]
		}
		if r := ask(t, config, ticket(policies.GitHubIssues, url)); r.Verdict != policies.Yes ||
			sent.Load() != want {
			t.Errorf("%q: %+v, sent %q", token, r, sent.Load())
		}
	}
	config.Env = func(name string) string {
		return map[string]string{checks.EnvToken("acme.atlassian.net"): "secret"}[name]
	}
	if _ = ask(t, config, ticket(policies.GitHubIssues, url)); sent.Load() != "" {
		t.Errorf("a token for another host was sent: %q", sent.Load())
	}
	stop()
	config.Env = func(string) string { return "" }
	if r := ask(t, config, ticket(policies.GitHubIssues, url)); r.Verdict != policies.Unknown ||
		!strings.Contains(r.Text, "connection refused") {
		t.Errorf("down: %+v", r)
	}
}
