package forge

import (
	"slices"
	"testing"
)

// behaviour is one thing GitHub does, where it says so, and the proof that the forge does it.
type behaviour struct {
	does, doc string
	prove     func(*testing.T, *Forge)
}

// The documents: docs.github.com/en/ below each of these.
const (
	docPagination  = "rest/using-the-rest-api/using-pagination-in-the-rest-api"
	docConditional = "rest/using-the-rest-api/best-practices-for-using-the-rest-api#use-conditional-requests-if-appropriate"
	docPulls       = "rest/pulls/pulls"
	docReviews     = "rest/pulls/reviews"
	docRequests    = "rest/pulls/review-requests"
	docAboutReview = "pull-requests/collaborating-with-pull-requests/reviewing-changes-in-pull-requests/about-pull-request-reviews"
	docMerges      = "pull-requests/collaborating-with-pull-requests/incorporating-changes-from-a-pull-request/about-pull-request-merges"
	docAutoMerge   = "pull-requests/collaborating-with-pull-requests/incorporating-changes-from-a-pull-request/automatically-merging-a-pull-request"
	docDrafts      = "pull-requests/collaborating-with-pull-requests/proposing-changes-to-your-work-with-pull-requests/about-pull-requests#draft-pull-requests"
	docBranches    = "repositories/configuring-branches-and-merges-in-your-repository/configuring-pull-request-merges/managing-the-automatic-deletion-of-branches"
	docRulesets    = "repositories/configuring-branches-and-merges-in-your-repository/managing-rulesets/about-rulesets"
	docCommits     = "rest/commits/commits"
	docEmail       = "account-and-profile/reference/email-addresses-reference"
	docChecks      = "rest/checks/runs"
	docStatuses    = "rest/commits/statuses"
	docRefs        = "rest/git/refs"
	docTrees       = "rest/git/trees"
	docGitCommits  = "rest/git/commits"
	docActivity    = "rest/repos/repos#list-repository-activities"
	docAccess      = "rest/collaborators/collaborators#get-repository-permissions-for-a-user"
	docTeams       = "rest/teams/members"
	docOrg         = "rest/orgs/members"
	docGhost       = "account-and-profile/concepts/account-management#deletion-of-your-personal-account"
	docApps        = "apps/creating-github-apps/authenticating-with-a-github-app/about-authentication-with-a-github-app"
	docToken       = "actions/concepts/security/github_token"
	docOwners      = "repositories/managing-your-repositorys-settings-and-features/customizing-your-repository/about-code-owners"
	docHTTPS       = "get-started/git-basics/about-remote-repositories#cloning-with-https-urls"
	docTimeline    = "rest/using-the-rest-api/issue-event-types"
	docForks       = "pull-requests/collaborating-with-pull-requests/proposing-changes-to-your-work-with-pull-requests/creating-a-pull-request-from-a-fork"
)

// TestBehaviour runs every row against a forge of its own, with GitHub's API description checked on
// both sides.
func TestBehaviour(t *testing.T) {
	t.Parallel()
	for _, row := range slices.Concat(pullBehaviours, reviewBehaviours, mergeBehaviours,
		accessBehaviours, gitBehaviours, reportBehaviours) {
		t.Run(row.does, func(t *testing.T) {
			t.Parallel()
			t.Logf("https://docs.github.com/en/%s", row.doc)
			row.prove(t, start(t, Options{}))
		})
	}
}
