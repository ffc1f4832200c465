package policies

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// Drift tells why grants of one policy that were allowed do not go with tree any more, as causes of
// ledger entries by the path of the request: the policy is gone or gives something else, a rule
// denies it at now and ends it, or a requester is not in identities.yaml or the policy any more. A
// grant that nothing speaks against is not in the result; where a file does not read, none is: what
// cannot be judged ends nothing.
// Membership of GitHub teams is not asked; who may ask by a team keeps what was granted.
func Drift(tree Tree, grants []requests.Grant, now time.Time) map[string]string {
	found := map[string]string{}
	if len(grants) == 0 {
		return found
	}
	j := newJudge(tree, factsOf(tree.Commit, grants[0].Path, TreeFile{}), now)
	if len(j.policyFindings) > 0 {
		return found
	}
	for _, g := range grants {
		if cause := j.drift(g); cause != "" {
			found[g.Path] = cause
		}
	}
	return found
}

func (j *judge) drift(g requests.Grant) string {
	spec := j.world.policy.Spec
	if !j.policyExists || !slices.Contains(spec.Clusters, g.Cluster) {
		return requests.CausePolicyChanged
	}
	for _, item := range g.Items {
		if !spec.covers(item) || j.hasUnnamed(g.Cluster, item) {
			return requests.CausePolicyChanged
		}
	}
	if j.endedByRule(g) {
		return requests.CausePolicyChanged
	}
	_, known := j.world.identities.find(g.Requester)
	receiver, is := j.world.identities.on(g.Cluster, g.Subject.Name)
	if !known || !is || !strings.EqualFold(receiver.GitHub, cmp.Or(g.Behalf, g.Requester)) ||
		g.ARN != "" && receiver.AWS.ARN != g.ARN || j.isNone(spec.askers(g.BreakGlass != nil), g.Requester) ||
		g.Behalf != "" && j.isNone(spec.OnBehalfOf, g.Behalf) {
		return requests.CauseSubjectRemoved
	}
	return ""
}

// isNone tells that somebody is none of parties; with a team in them they may be in that.
func (j *judge) isNone(parties []Party, login string) bool {
	return !j.world.isParty(j.facts, parties, login) && !slices.ContainsFunc(parties, Party.isTeam)
}

// hasUnnamed tells whether an item has a danger that the policy does not name, as far as the
// catalogue tells.
func (j *judge) hasUnnamed(cluster string, i requests.Item) bool {
	_, known := grantKindOf(i.Kind).gives(j.tree, cluster, i)
	return known && j.world.policy.Spec.dangerProblem(j.tree, cluster, i) != ""
}
