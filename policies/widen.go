package policies

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/requests"
)

// Widened tells in sentences what becomes possible under after that was not under before: new
// policies, and existing ones that let more people ask, for more, for longer, or with fewer
// approvals. Policies that do not read are left out; whoever judges the change refuses them.
func Widened(before, after Tree) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(after.Files)) {
		if !isPolicyPath(name) {
			continue
		}
		policy, findings := parse(after, name, ParsePolicy)
		if len(findings) > 0 {
			continue
		}
		old, findings := parse(before, name, ParsePolicy)
		if _, existed := before.Files[name]; !existed || len(findings) > 0 {
			all = append(all, fmt.Sprintf("policy %s is new: %s may ask for %s on %s, for at "+
				"most %s, with %s", policy.Metadata.Name,
				names(policy.Spec.Subjects), inWords(policy.Spec.Target.Grants),
				strings.Join(policy.Spec.Clusters, ", "),
				policy.Spec.Target.MaxDuration, approvalsInWords(policy.Spec.Challenges)))
			old.Spec = policy.Spec
			old.Spec.Target.AllowDangerous, old.Spec.BreakGlass = nil, nil
		}
		for _, more := range wider(after, policy, old.Spec) {
			all = append(all, "policy "+policy.Metadata.Name+": "+more)
		}
	}
	all = append(all, deniedLess(before, after)...)
	all = append(all, certifiedAnew(before, after)...)
	all = append(all, onCallMore(before, after)...)
	return append(all, peopleAdded(before, after)...)
}

func inWords(grants []GrantSpec) string {
	var all []string
	for _, g := range grants {
		all = append(all, g.String())
	}
	return strings.Join(all, " and ")
}

// wider says what a policy of a tree allows that the old one did not.
func wider(after Tree, policy AccessPolicy, old PolicySpec) []string {
	var all []string
	s := policy.Spec
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	for _, p := range s.Subjects {
		if !slices.Contains(old.Subjects, p) {
			add("%s may ask too", p.Name)
		}
	}
	for _, p := range s.OnBehalfOf {
		if !slices.Contains(old.OnBehalfOf, p) {
			add("it may be asked for on behalf of %s too", p.Name)
		}
	}
	for _, cluster := range s.Clusters {
		if !slices.Contains(old.Clusters, cluster) {
			add("it holds for the cluster %s too", cluster)
		}
	}
	given := map[string]bool{}
	for _, cluster := range s.Clusters {
		for _, item := range policy.Offers(after, cluster) {
			if text := item.String(); !old.covers(item) && !given[text] {
				given[text] = true
				add("it gives %s", text)
			}
		}
	}
	all = append(all, s.dangersAdded(old)...)
	if s.Target.MaxDuration > old.Target.MaxDuration {
		add("access may last %s instead of %s", s.Target.MaxDuration, old.Target.MaxDuration)
	}
	if s.Target.Backstop == BackstopOptional && old.Target.Backstop != BackstopOptional {
		add("access may be given where nothing ends it but the agent")
	}
	if s.AllowWithoutReview && !old.AllowWithoutReview {
		add("access may be given with nobody's review")
	}
	if old.AllowNarrowing && !s.AllowNarrowing {
		add("an approval gives all that is asked for, whatever it says and whoever edited it")
	}
	all = append(all, s.glassWider(old)...)
	if more := s.opened(old); more != "" {
		add("%s", more)
	}
	now, then := s.limits(), old.limits()
	if now.MaxPending > then.MaxPending || now.MaxApprovalAge > then.MaxApprovalAge {
		add("requests may wait %s and approvals may be %s old instead of %s and %s", now.MaxPending,
			now.MaxApprovalAge, then.MaxPending, then.MaxApprovalAge)
	}
	if now.MaxLeadTime > then.MaxLeadTime {
		add("access may start %s after the merge instead of %s", now.MaxLeadTime, then.MaxLeadTime)
	}
	for _, c := range old.Challenges {
		if !slices.ContainsFunc(s.Challenges, func(n Challenge) bool { return n.atLeast(c) }) {
			add("%s is no longer asked for; now it takes %s", approvalsInWords([]Challenge{c}),
				approvalsInWords(s.Challenges))
		}
	}
	return slices.Concat(all, s.countsLess(old), s.conditionsGone(old), s.customGone(old),
		s.certifiedLess(old), s.onChangeLess(old))
}

// peopleAdded names who joins a group and whose Kubernetes user changes: both reach every policy
// that names them.
func peopleAdded(before, after Tree) []string {
	var all []string
	oldGroups, _ := parse(before, GroupsPath, ParseGroups)
	groups, _ := parse(after, GroupsPath, ParseGroups)
	for _, g := range groups.Spec.Groups {
		members, _ := oldGroups.members(g.Name)
		for _, m := range g.Members {
			if !slices.ContainsFunc(members, func(o string) bool {
				return strings.EqualFold(o,
					m)
			}) {
				all = append(all, fmt.Sprintf("%s joins the group %s", m, g.Name))
			}
		}
	}
	oldPeople, _ := parse(before, IdentitiesPath, ParseIdentities)
	people, _ := parse(after, IdentitiesPath, ParseIdentities)
	for _, u := range people.Spec.Users {
		old, known := oldPeople.find(u.GitHub)
		known = known && old.GitHub == u.GitHub && old.GitHubID == u.GitHubID
		who := fmt.Sprintf("%s (%d) is the Kubernetes user ", u.GitHub, u.GitHubID)
		if !known || old.Kubernetes.Username != u.Kubernetes.Username {
			all = append(all, who+requests.Quote(u.Kubernetes.Username))
		}
		if arn := u.AWS.ARN; arn != "" && (!known || old.AWS.ARN != arn) {
			all = append(all, fmt.Sprintf("%s (%d) comes in through aws-auth as %s", u.GitHub,
				u.GitHubID, requests.Quote(arn)))
		}
		both := IdentityMap{Spec: IdentitySpec{Users: []Identity{old, u}}}
		for _, cluster := range both.clusters() {
			if name := u.On(cluster); !known || old.On(cluster) != name {
				all = append(all, who+requests.Quote(name)+" on "+cluster)
			}
		}
		all = append(all, groupsJoined(old, u)...)
		all = append(all, onCallAs(old, u)...)
	}
	return all
}
