package action_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

func TestHostileTextAppearsOnlyEscaped(t *testing.T) {
	reason := "_GitHubActionsFileCommandDelimeter_ ::add-mask::x</details>| @acme/everyone `x` " +
		"<img src=x>"
	w := newWorld(t)
	w.open(map[string]string{requestPath: fmt.Sprintf(request, "1h", reason)})
	if _, err := w.judge(); err != nil {
		t.Fatal(err)
	}
	w.expectCommands()
	if strings.Contains(w.files["output"], "everyone") {
		t.Errorf("outputs carry the reason:\n%s", w.files["output"])
	}
	for _, text := range []string{w.files["summary"], w.lastCheck().Summary} {
		for _, raw := range []string{"x</details>", "<img", "@acme/everyone", "`x`"} {
			if strings.Contains(text, raw) {
				t.Errorf("the summary has the raw text %q:\n%s", raw, text)
			}
		}
		if !strings.Contains(text, "everyone") {
			t.Errorf("the summary does not show the reason:\n%s", text)
		}
	}
}

// Every byte that a requester chooses is hostile: none may begin a log line, reach an output or
// stand raw in a summary.
func TestHostilePullRequest(t *testing.T) {
	const command = "##[set-output name=decision;]allowed"
	w := newWorld(t)
	name := "requests/<img src=x>|`$(id)`\u202e::x " + command + ".yaml"
	if _, err := w.forge.Push(forge.Change{User: "alice", Branch: "a;$(id)&&<b>|`id`",
		Files: map[string]string{name: "kind: ["}, Message: command +
			"\n\n::error::x"}); err != nil {
		t.Fatal(err)
	}
	number, err := w.forge.Open("alice", "a;$(id)&&<b>|`id`",
		"::set-output name=decision::allowed "+
			command)
	if err != nil {
		t.Fatal(err)
	}
	w.number = number
	result, err := w.judge()
	if err != nil {
		t.Fatal(err)
	}
	w.expect(result, policies.Denied, "failure", "Denied: FileRejected")
	w.expectCommands()
	if strings.Contains(w.files["output"], "allowed") {
		t.Errorf("outputs:\n%s", w.files["output"])
	}
	for _, text := range []string{w.files["summary"], w.lastCheck().Summary} {
		if strings.Contains(text, "<img") || strings.Contains(text, "$(id)") ||
			strings.Contains(text, "\u202e") || !strings.Contains(text, "img") {
			t.Errorf("the summary has a raw name, or none:\n%s", text)
		}
	}

	// The same in an error.
	w.forge.Fail("POST", ".*/check-runs", -1, 422, `{"message": "no\n::add-mask::x `+command+`"}`)
	if result, err = w.judge(); err == nil || result.Outcome != policies.Failed {
		t.Errorf("%+v, %v", result, err)
	}
	w.expectCommands()
	if !strings.Contains(w.out.String(), "::error::post the check run on #1: ") ||
		!strings.Contains(w.files["output"], "\nerror\n") {
		t.Errorf("log:\n%s\noutputs:\n%s", w.out.String(), w.files["output"])
	}
}

// expectCommands holds that the runner takes every line of the log for one of our own commands.
func (w *world) expectCommands() {
	w.t.Helper()
	for line := range strings.Lines(w.out.String()) {
		if !strings.HasPrefix(line, "::notice::") && !strings.HasPrefix(line, "::warning::") &&
			!strings.HasPrefix(line, "::error::") {
			w.t.Errorf("raw log line %q", line)
		}
	}
}

func TestTokenIsMaskedOnlyWhereTheRunnerSwallowsIt(t *testing.T) {
	w := newWorld(t)
	w.open(map[string]string{requestPath: fmt.Sprintf(request, "1h", "INC-123, checkout is slow")})
	token := w.forge.AppToken("pullgrant")
	if _, err := w.judge(); err != nil || strings.Contains(w.out.String(), token) {
		t.Errorf("%v, log:\n%s", err, w.out.String())
	}
	if _, err := w.judge("GITHUB_ACTIONS", "true", "INPUT_TOKEN", token+"\n"); err != nil ||
		!strings.HasPrefix(w.out.String(), "::add-mask::"+token+"\n") {
		t.Errorf("%v, log:\n%s", err, w.out.String())
	}
}
