package policies

import (
	"fmt"
	"slices"
)

// CheckName is the check run that carries the verdict, which the ruleset of an access repository
// requires.
const CheckName = "pullgrant"

// BranchRule is one rule in force on a branch, as GET /repos/{owner}/{repo}/rules/branches/{branch}
// lists those of every active ruleset of the repository, its organization and its enterprise. What
// a rule does not say is not required.
type BranchRule struct {
	Type       string `json:"type"`
	Parameters struct {
		Approvals    int             `json:"required_approving_review_count"`
		DismissStale bool            `json:"dismiss_stale_reviews_on_push"`
		CodeOwners   bool            `json:"require_code_owner_review"`
		Checks       []RequiredCheck `json:"required_status_checks"`
	} `json:"parameters"`
}

// RequiredCheck is a check that must be green before a merge. Without the number of an App, anybody
// may report it.
type RequiredCheck struct {
	Context     string `json:"context"`
	Integration int64  `json:"integration_id"`
}

// Weaknesses lists what the rules in force on the default branch lack of docs/setup.md, in words
// and with what to do; none when nothing is missing. Of several rules of one kind GitHub holds a
// merge to all, so each point may be in any of them. app is the number of the Action's App, whose
// check no other may stand in for; where it is 0, not known, any one App's will do.
func Weaknesses(rules []BranchRule, app int64) (weak []string) {
	source := "that App"
	if app != 0 {
		source = fmt.Sprintf("the App with number %d", app)
	}
	has := func(kind string, met func(BranchRule) bool) bool {
		return slices.ContainsFunc(rules, func(r BranchRule) bool {
			return r.Type == kind &&
				met(r)
		})
	}
	always := func(BranchRule) bool { return true }
	for _, want := range []struct {
		kind, problem string
		met           func(BranchRule) bool
	}{
		{"pull_request", "changes need no pull request; turn on 'Require a pull request before merging'",
			always},
		{"pull_request", "pull requests need no approval; set 'Required approvals' to 1 or more",
			func(r BranchRule) bool { return r.Parameters.Approvals >= 1 }},
		{"pull_request", "approvals outlive a push; turn on 'Dismiss stale pull request " +
			"approvals when new commits are pushed'",
			func(r BranchRule) bool { return r.Parameters.DismissStale }},
		{"pull_request", "any approval suffices; turn on 'Require review from Code Owners'",
			func(r BranchRule) bool { return r.Parameters.CodeOwners }},
		{"required_status_checks", "the check " + CheckName + " of the Action's App is not " +
			"required; require it, with " + source + " as its source",
			func(r BranchRule) bool {
				return slices.ContainsFunc(r.Parameters.Checks,
					func(c RequiredCheck) bool {
						return c.Context == CheckName && c.Integration != 0 &&
							(app == 0 || c.Integration == app)
					})
			}},
		{"non_fast_forward", "history may be rewritten; turn on 'Block force pushes'", always},
		{"deletion", "the branch may be deleted; turn on 'Restrict deletions'", always},
	} {
		if !has(want.kind, want.met) {
			weak = append(weak, want.problem)
		}
	}
	if has("merge_queue", always) { // R42
		weak = append(weak, "a merge queue merges commits that nobody reviewed; turn off "+
			"'Require merge queue'")
	}
	return weak
}
