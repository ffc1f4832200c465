package policies

import (
	"cmp"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
)

// Way is a request that would allow what a cluster forbade.
type Way struct {
	Spec      requests.RequestSpec // without a reason, fields and times
	Grant     requests.Grant       // what it gives
	Approvals int                  // the fewest that it needs
	Breadth   int                  // how much it gives beside, to compare
	Longest   requests.Duration    // that its policy grants
}

// compare puts the cheapest first: fewest approvals, then what gives least, then what ends soonest.
func (w Way) compare(other Way) int {
	return cmp.Or(cmp.Compare(w.Approvals, other.Approvals), cmp.Compare(w.Breadth, other.Breadth),
		cmp.Compare(w.Longest, other.Longest), cmp.Compare(w.Spec.Policy, other.Spec.Policy))
}

// SortWays puts the cheapest first.
func SortWays(all []Way) { slices.SortStableFunc(all, Way.compare) }

// Way is the cheapest request under a policy by which login would be allowed all that a cluster
// forbade. Where there is none, why is what the rules say against one that would; it is Pending
// where nothing that the policy gives would. Who may ask, and what the request must say beside, is
// not judged.
func (t Tree) Way(policy AccessPolicy, cluster, login string, forbidden []requests.Forbidden) (best Way,
	ok bool, why Decision) {
	approvals := t.LeastApprovals(policy, cluster)
	for _, spec := range policy.Spec.specs(forbidden) {
		spec.Cluster, spec.Policy, spec.Requester = cluster, policy.Metadata.Name, login
		way := Way{Spec: spec, Approvals: approvals, Longest: policy.Spec.Target.MaxDuration}
		decision := t.tryOut(spec)
		if decision.Grant == nil || slices.ContainsFunc(forbidden, func(f requests.Forbidden) bool {
			return !t.allows(*decision.Grant, f)
		}) {
			continue
		}
		if decision.Code != "" {
			why = decision
			continue
		}
		for _, item := range decision.Grant.Items {
			way.Breadth += t.breadth(cluster, item)
		}
		if way.Grant = *decision.Grant; !ok || way.compare(best) < 0 {
			best, ok = way, true
		}
	}
	return best, ok, why
}

// tryOut judges a request as far as nobody has to say why they ask. The code is empty when nothing
// speaks against it.
func (t Tree) tryOut(spec requests.RequestSpec) Decision {
	const reason = "not said yet"
	spec.Reason = reason
	request := requests.AccessRequest{APIVersion: requests.APIVersion, Kind: requests.KindAccessRequest,
		Metadata: requests.Metadata{Name: "20060102-" + requests.NamePart(spec.Requester) + "-why"},
		Spec:     spec}
	path := requests.Path(spec.Cluster, spec.Policy, request.Metadata.Name)
	data := encode(request)
	j := newJudge(t, factsOf("", path, NewTreeFile(PlainFile, "", data, int64(len(data)))), requests.Time{}.Time)
	j.readRequest(j.facts.Head)
	j.run(j.fileSteps()...)
	j.run(slices.DeleteFunc(j.policySteps(), func(s step) bool {
		return slices.Contains([]Code{FieldNotAccepted, ReasonNotAccepted, ConditionNotMet}, s.code)
	})...)
	j.run(step{AccessDenied, j.surelyDenied})
	return j.decision
}

// specs are the requests under a policy that could allow what was forbidden, for each of its grants
// alone and for all at once.
func (s PolicySpec) specs(forbidden []requests.Forbidden) (all []requests.RequestSpec) {
	for _, g := range s.Target.Grants {
		for _, spec := range g.specs(forbidden) {
			if all = append(all, spec); len(s.Target.Grants) > 1 && g.Name != "" {
				spec.Grants = []string{g.Name}
				all = append(all, spec)
			}
		}
	}
	return all
}

func (g GrantSpec) specs(forbidden []requests.Forbidden) []requests.RequestSpec {
	var one requests.RequestSpec
	for _, f := range forbidden {
		if !g.wide() {
			one.Namespace = cmp.Or(one.Namespace, f.Namespace)
		}
		if slices.Contains(g.kind().asks, "resources") {
			one.Resources = append(one.Resources, requests.Resource{Kind: f.Object(), Name: f.Name}.String())
		}
	}
	one.Resources = slices.Compact(slices.Sorted(slices.Values(one.Resources)))
	all := []requests.RequestSpec{one}
	if slices.Contains(g.kind().asks, "exec") {
		all = g.execSpecs(one, forbidden[0].Name)
	}
	if len(g.Roles) > 0 {
		all = nil
		for _, one.Role = range g.Roles {
			all = append(all, one)
		}
	}
	return all
}

// execSpecs are the commands that a grant offers in a pod, or in the Deployment that it could be of.
func (g GrantSpec) execSpecs(one requests.RequestSpec, pod string) (all []requests.RequestSpec) {
	for _, e := range g.execs() {
		switch {
		case e.Stdin && !e.Terminal || !e.Stdin && g.Terminal && g.AnyCommand:
			continue // a shell wants both
		case e.Container != "" && len(g.Containers) > 1:
			continue // which one it was, no message tells: kubectl's default one
		case e.Pod != "":
			e.Pod = pod
		case !isOf(pod, e.Deployment):
			if e.Deployment = deploymentOf(pod); e.Deployment == "" {
				continue
			}
		}
		one.Exec = &e
		all = append(all, one)
	}
	return all
}

// deploymentOf is the Deployment that a pod is of by its name: that of its ReplicaSet and its own
// part follow it. It is empty when the name tells of none.
func deploymentOf(pod string) string {
	parts := strings.Split(pod, "-")
	return strings.Join(parts[:max(len(parts)-2, 0)], "-")
}

// isOf tells whether a pod is of a Deployment by its name.
func isOf(pod, deployment string) bool { return deployment != "" && deploymentOf(pod) == deployment }

// allows tells whether what a grant gives allows what its cluster forbade.
func (t Tree) allows(g requests.Grant, f requests.Forbidden) bool {
	return slices.ContainsFunc(g.Items, func(i requests.Item) bool {
		if i.Namespace != "" && i.Namespace != f.Namespace {
			return false
		}
		rules, ok := t.Gives(g.Cluster, i)
		if ok && i.Exec != nil && isOf(f.Name, i.Exec.Deployment) {
			f.Name = requests.Match{Deployment: i.Exec.Deployment}.String() // as its rules name its pods
		}
		return ok && rbac.Permits(rules, f)
	})
}

// breadth is how much an item gives, to compare.
func (t Tree) breadth(cluster string, i requests.Item) int {
	const everywhere = 100 // as many namespaces
	rules, _ := t.Gives(cluster, i)
	if i.Namespace == "" {
		return rbac.Breadth(rules) * everywhere
	}
	return rbac.Breadth(rules)
}

// least is how few approvals of people can meet it.
func (a Approval) least() (n int) {
	if len(a.Parts) == 0 {
		if a.outside != nil {
			return 0
		}
		return a.Count
	}
	var parts []int
	for _, part := range a.Parts {
		parts = append(parts, part.least())
	}
	slices.Sort(parts)
	for _, part := range parts[:min(a.Count, len(parts))] {
		n += part
	}
	return n
}

// Owners are those whose review CODEOWNERS asks for on a change at a path, as GitHub names them.
func (t Tree) Owners(path string) []string { return partyNames(t.world(AccessPolicy{}).ownersOf(path)) }

// LeastApprovals is how few approvals of people a request under a policy needs on a cluster.
func (t Tree) LeastApprovals(policy AccessPolicy, cluster string) (n int) {
	for _, a := range t.Approvals(policy, cluster) {
		n += a.least()
	}
	return n
}
