package action

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
)

// FuzzParseEvent reads whatever payload, from GitHub's own examples on: what comes out is a number,
// a commit or every pull request, never a bit of each event, and an error is one line that a log
// can hold.
func FuzzParseEvent(f *testing.F) {
	examples, err := filepath.Glob("../testdata/runner/payloads/*.json")
	if err != nil || len(examples) < 9 {
		f.Fatalf("%d examples, %v", len(examples), err)
	}
	for _, example := range examples {
		data, err := os.ReadFile(example)
		if err != nil {
			f.Fatal(err)
		}
		event, _, _ := strings.Cut(filepath.Base(example), ".")
		f.Add(event, data)
	}
	f.Add("pull_request_target", []byte(`{"pull_request": {"number": 7}}`))
	f.Add("pull_request_target", []byte(`{"pull_request": {"number": -1, "head": {"sha": "::error::"}}}`))
	f.Add("pull_request", []byte(`{"pull_request": {"number": 7, "head": {"sha": "main"}}}`))
	f.Add("workflow_run", []byte(`{"workflow_run": {"head_sha": "\\n::error::", "event": "merge_group"}}`))
	f.Add("workflow_run", []byte(`{"workflow_run": {"head_sha": "`+strings.Repeat("a", 40)+
		`", "pull_requests": [{"number": -1}, {"number": 7}]}}`))
	f.Add("schedule", []byte(`{"schedule": "*/5 * * * *"}`))
	f.Add("repository_dispatch", []byte(`{"action": "pullgrant-due", "client_payload": {"pull_request": 7}}`))
	f.Add("workflow_run\n::error::", []byte("{\x1b"))
	f.Fuzz(func(t *testing.T, event string, data []byte) {
		got, err := parseEvent(event, data)
		if err != nil {
			if got != (target{}) || strings.ContainsFunc(err.Error(), unicode.IsControl) {
				t.Errorf("%+v, %q", got, err)
			}
			return
		}
		switch event {
		case "push":
			if got != (target{all: true}) {
				t.Errorf("a push is %+v", got)
			}
		case "schedule", "repository_dispatch":
			if got != (target{all: true, due: true}) {
				t.Errorf("a moment of the schedule is %+v", got)
			}
		case "workflow_run":
			if got.number < 0 || got.all || !isCommit(got.headSHA) {
				t.Errorf("a workflow run is %+v", got)
			}
		case "pull_request", "pull_request_target", "pull_request_review":
			if got.number < 1 || got.all || got.queue || got.headSHA != "" &&
				!isCommit(got.headSHA) {
				t.Errorf("a pull request is %+v", got)
			}
		default:
			t.Errorf("the event %q is %+v", event, got)
		}
	})
}

// TestEventsThatNameNothing are errors that name the event.
func TestEventsThatNameNothing(t *testing.T) {
	for _, event := range []string{"pull_request", "pull_request_target", "pull_request_review",
		"workflow_run", "issue_comment"} {
		for _, data := range []string{"", "{", "[]", "{}", `{"pull_request": {"number": 0}}`} {
			got, err := parseEvent(event, []byte(data))
			if err == nil || got != (target{}) || !strings.Contains(err.Error(), event) {
				t.Errorf("%s %s: %+v, %v", event, data, got, err)
			}
		}
	}
}
