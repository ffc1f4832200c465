package policies

import "encoding/json"

// Ruleset is the ruleset of an access repository as POST /repos/{owner}/{repo}/rulesets takes it:
// what Weaknesses asks for, one method of merging, and past it the agent alone.
// https://docs.github.com/rest/repos/rules#create-a-repository-ruleset
type Ruleset struct {
	Name        string        `json:"name"`
	Target      string        `json:"target"`
	Enforcement string        `json:"enforcement"`
	Bypass      []BypassActor `json:"bypass_actors"`
	Conditions  struct {
		Refs struct {
			Include []string `json:"include"`
			Exclude []string `json:"exclude"`
		} `json:"ref_name"`
	} `json:"conditions"`
	Rules []RulesetRule `json:"rules"`
}

// AgentApp is the number of the agent's App by a Ruleset as NewRuleset makes one, in JSON: of the only
// App that the rules do not hold for. 0 where data tells of none, or of more than one.
func AgentApp(data []byte) int64 {
	var r Ruleset
	if json.Unmarshal(data, &r) != nil || len(r.Bypass) != 1 || r.Bypass[0].Type != "Integration" {
		return 0
	}
	return r.Bypass[0].ID
}

// BypassActor is whom a ruleset does not hold for.
type BypassActor struct {
	ID   int64  `json:"actor_id"`
	Type string `json:"actor_type"`
	Mode string `json:"bypass_mode"`
}

// RulesetRule is one rule of a Ruleset. GitHub wants every parameter of its kind.
type RulesetRule struct {
	Type       string         `json:"type"`
	Parameters map[string]any `json:"parameters,omitempty"`
}

// NewRuleset is the ruleset for the default branch. checks is the number of the Action's App, the
// only source of the required check; agent that of the agent's App, which pushes its records.
func NewRuleset(checks, agent int64) Ruleset {
	r := Ruleset{Name: CheckName, Target: "branch", Enforcement: "active",
		Bypass: []BypassActor{{ID: agent, Type: "Integration", Mode: "always"}},
		Rules: []RulesetRule{
			{Type: "deletion"},
			{Type: "non_fast_forward"},
			{Type: "pull_request", Parameters: map[string]any{
				"required_approving_review_count":   1,
				"dismiss_stale_reviews_on_push":     true,
				"require_code_owner_review":         true,
				"require_last_push_approval":        false,
				"required_review_thread_resolution": false,
				"allowed_merge_methods":             []string{"merge"},
			}},
			{Type: "required_status_checks", Parameters: map[string]any{
				"required_status_checks": []RequiredCheck{{Context: CheckName, Integration: checks}},
				// every record would outdate every approval
				"strict_required_status_checks_policy": false,
			}},
		}}
	r.Conditions.Refs.Include = []string{"~DEFAULT_BRANCH"}
	r.Conditions.Refs.Exclude = []string{}
	return r
}
