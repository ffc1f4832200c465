package policies

import (
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/requests"
)

// Withdrawal is an open pull request that does nothing but remove a request file from the default
// branch, and is no draft.
type Withdrawal struct {
	PullRequest int
	Author      User
	Path        string // of the request file
}

// Ends tells why a withdrawal ends a grant although nobody has approved or merged it: Relinquished
// when its author asked for the access or receives it, Revoked when their approval counted for it,
// and "" when the author is none of these, whose withdrawal waits for a code owner. Only account
// numbers count, those of identities and of the approving reviews (R22). Drafts wait (R38); forks
// do not matter here (R41), for whoever ends access early takes nothing from others.
func (w Withdrawal) Ends(g requests.Grant, identities IdentityMap) (cause string) {
	if w.Path != g.Path || w.Author.ID == 0 {
		return ""
	}
	if slices.ContainsFunc(identities.Spec.Users, func(u Identity) bool {
		return u.GitHubID == w.Author.ID && (strings.EqualFold(u.GitHub, g.Requester) ||
			u.On(g.Cluster) == g.Subject.Name)
	}) {
		return requests.CauseRelinquished
	}
	if slices.ContainsFunc(g.Evidence.Approvers,
		func(a requests.Approver) bool { return a.ID == w.Author.ID }) {
		return requests.CauseRevoked
	}
	return ""
}
