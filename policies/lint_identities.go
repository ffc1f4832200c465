package policies

import (
	"fmt"
	"maps"
	"slices"

	"github.com/pullgrant/pullgrant/requests"
)

// unusedClusters looks for names of people on clusters that no policy is for: where that is a slip,
// the person is somebody else on the cluster that was meant.
func (l *linter) unusedClusters(identities IdentityMap, d *requests.Document) {
	var used []string
	for _, w := range l.policies {
		used = append(used, w.policy.Spec.Clusters...)
	}
	for i, u := range identities.Spec.Users {
		for _, cluster := range slices.Sorted(maps.Keys(u.Clusters)) {
			if l.everyPolicy && !slices.Contains(used, cluster) {
				d.Add(fmt.Sprintf("spec.users[%d].clusters.%s", i, cluster), RuleIdentityCluster,
					"no policy is for the cluster %s; correct the name, or remove it",
					requests.Quote(cluster))
			}
		}
	}
}

// heldByAWSAuth looks for names on single clusters that aws-auth cannot hold, of people whom it is
// to let in: only the cluster tells whether it has such a list.
func (l *linter) heldByAWSAuth(identities IdentityMap, d *requests.Document) {
	for i, u := range identities.Spec.Users {
		for _, cluster := range slices.Sorted(maps.Keys(u.Clusters)) {
			if u.AWS.ARN != "" && requests.CheckAWSUser(u.On(cluster)) != "" {
				d.Add(fmt.Sprintf("spec.users[%d].clusters.%s.username", i, cluster),
					RuleIdentityAWS,
					"aws-auth cannot hold %s; if %s is on EKS and lets people in by it, give @%s "+
						"another name there: letters, digits and . _ @ + -",
					requests.Quote(u.On(cluster)), cluster, u.GitHub)
			}
		}
	}
}

// unusedIdentities looks for people whom nothing names. With a GitHub team in a policy anybody may
// be in it.
func (l *linter) unusedIdentities(identities IdentityMap, d *requests.Document) {
	var used []string
	for _, w := range l.policies {
		people, teams := w.resolve(slices.Concat(w.policy.Spec.Subjects, w.policy.Spec.OnBehalfOf))
		used = append(used, people...)
		if b := w.policy.Spec.BreakGlass; b != nil {
			people, more := w.resolve(slices.Concat(b.Subjects, b.Owners))
			used, teams = append(used, people...), append(teams, more...)
		}
		if len(teams) > 0 || !l.everyPolicy {
			return
		}
		for _, c := range parts("", w.policy.Spec.Challenges) {
			people, _ := w.resolve(c.Reviewers)
			used = append(used, people...)
		}
	}
	owners, _ := l.tree.codeowners()
	for _, r := range owners.Rules {
		for _, o := range r.Owners {
			used = append(used, o.Name)
		}
	}
	for _, r := range l.tree.rules() {
		used = append(used, partyNames(r.Spec.Deny.Subjects)...)
	}
	for i, u := range identities.Spec.Users {
		if !has(used, u.GitHub) {
			d.Add(fmt.Sprintf("spec.users[%d].github", i), RuleIdentityUnused,
				"no policy, group or line of CODEOWNERS names @%s; remove them if they left",
				u.GitHub)
		}
	}
}
