package policies_test

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/pullgrant/pullgrant/policies"
)

// TestNewRuleset: GitHub lists the rules of a ruleset as they were given, and in those nothing is
// missing; without any one of them something is.
func TestNewRuleset(t *testing.T) {
	ruleset := policies.NewRuleset(1233, 1234)
	data, err := json.Marshal(ruleset.Rules)
	if err != nil {
		t.Fatal(err)
	}
	var rules []policies.BranchRule
	if err := json.Unmarshal(data, &rules); err != nil {
		t.Fatal(err)
	}
	if weak := policies.Weaknesses(rules, 1233); len(weak) > 0 {
		t.Errorf("weak: %q", weak)
	}
	if weak := policies.Weaknesses(rules, 1234); len(weak) != 1 {
		t.Errorf("with the check of another App: %q", weak)
	}
	for n := range rules {
		if without := slices.Delete(slices.Clone(rules), n, n+1); len(policies.Weaknesses(without,
			1233)) == 0 {
			t.Errorf("without %s nothing is missing", rules[n].Type)
		}
	}
	if len(ruleset.Bypass) != 1 || ruleset.Bypass[0].ID != 1234 || ruleset.Enforcement != "active" ||
		!slices.Equal(ruleset.Conditions.Refs.Include, []string{"~DEFAULT_BRANCH"}) {
		t.Errorf("%+v", ruleset)
	}
}

// TestAgentApp: the agent's App is the only one that the ruleset of an access repository does not hold
// for; where that is not plain, nobody is it.
func TestAgentApp(t *testing.T) {
	kept, err := os.ReadFile("../testdata/accessrepo/.github/pullgrant/ruleset.json")
	if err != nil {
		t.Fatal(err)
	}
	for data, want := range map[string]int64{
		string(kept):            7002,
		"":                      0,
		"[1]":                   0,
		`{"bypass_actors": []}`: 0,
		`{"bypass_actors": [{"actor_id": 5, "actor_type": "RepositoryRole"}]}`: 0,
		`{"bypass_actors": [{"actor_id": 5, "actor_type": "Integration"},
			{"actor_id": 6, "actor_type": "Integration"}]}`: 0,
	} {
		if got := policies.AgentApp([]byte(data)); got != want {
			t.Errorf("%s: %d, want %d", data, got, want)
		}
	}
}
