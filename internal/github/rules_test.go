package github

import (
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

func TestRules(t *testing.T) {
	w := newWorld(t)
	for name, test := range map[string]struct {
		rules forge.Rules
		weak  int
	}{
		"as set up": {forge.DefaultRules(), 0},
		"off":       {forge.Rules{Off: true}, 7},
		"weakest":   {forge.Rules{}, 4},
		"any App's": {forge.Rules{Approvals: 2, DismissStale: true, CodeOwners: true,
			Check: "pullgrant"}, 1},
	} {
		w.Protect(test.rules)
		rules, err := w.client.Rules(t.Context())
		if weak := policies.Weaknesses(rules, 0); err != nil || len(weak) != test.weak {
			t.Errorf("%s: error %v, %q; want %d", name, err, weak, test.weak)
		}
	}
}

// TestRulesOfUnknownKinds: one that go-github does not know is a rule like any other, and one
// without a kind is none.
func TestRulesOfUnknownKinds(t *testing.T) {
	w := newWorld(t)
	w.Protect(forge.DefaultRules())
	kind := "merge_queue"
	client := w.edited("/rules/branches/main", func(body any) any {
		body.([]any)[0].(map[string]any)["type"] = kind
		return body
	})
	rules, err := client.Rules(t.Context())
	if weak := policies.Weaknesses(rules, 0); err != nil || !strings.Contains(strings.Join(weak, "\n"),
		"merge queue") {
		t.Errorf("%q, error %v", weak, err)
	}
	kind = ""
	if rules, err := client.Rules(t.Context()); err == nil {
		t.Errorf("rules %+v", rules)
	}
}

func TestSelf(t *testing.T) {
	w := newWorld(t)
	for token, want := range map[string]string{w.AppToken("agent"): "agent[bot]",
		w.Token("alice"): "alice"} {
		if got, err := w.clientOf(w.URL, token).Self(t.Context()); err != nil || got != want {
			t.Errorf("%q, error %v; want %s", got, err, want)
		}
	}
	for body, words := range map[string]string{
		`{"data": {"viewer": null}}`:                                 "lacks a field",
		`{"data": null, "errors": [{"message": "not for you"}]}`:     "not for you",
		`{"data": {"viewer": {"login": ""}}, "errors": []}`:          "lacks a field",
		`{"errors": [{"message": "try later"}, {"message": "two"}]}`: "try later",
	} {
		w.Fail("POST", "/graphql", 1, 200, body)
		if got, err := w.client.Self(t.Context()); got != "" || err == nil ||
			!strings.Contains(err.Error(), words) {
			t.Errorf("%s: %q, error %v", body, got, err)
		}
	}
}
