package policies

import (
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// Drift tells why a grant that was allowed does not go with the policies of tree any more, as a cause of a ledger entry:
// its policy is gone or gives something else, or its requester is not in identities.yaml or the policy any more. "" says
// that nothing speaks against it, also where a file does not read: what cannot be judged ends nothing. Membership of
// GitHub teams is not asked; who may ask by a team keeps what was granted.
func Drift(tree Tree, g requests.Grant) string {
	j := newJudge(tree, factsOf(tree.Commit, g.Path, TreeFile{}), time.Time{})
	if len(j.policyFindings) > 0 {
		return ""
	}
	spec := j.policy.Spec
	if !j.policyExists || !slices.Contains(spec.Clusters, g.Cluster) {
		return requests.CausePolicyChanged
	}
	for _, b := range g.Bindings {
		if !slices.ContainsFunc(spec.Target.Grants, func(s GrantSpec) bool {
			return s.RoleRef == b.Role && slices.Contains(s.AllowedNamespaces, b.Namespace)
		}) {
			return requests.CausePolicyChanged
		}
	}
	identity, known := j.identities.find(g.Requester)
	isTeam := func(p Party) bool { return p.Kind == PartyGroup && strings.Contains(p.Name, "/") }
	if !known || identity.Kubernetes.Username != g.Subject.Name ||
		!j.isParty(spec.Subjects, g.Requester) && !slices.ContainsFunc(spec.Subjects, isTeam) {
		return requests.CauseSubjectRemoved
	}
	return ""
}
