package policies

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
)

// grantKind is all that policies know of one kind of grant. A new kind is a file grant_<kind>.go
// and a row in grantKinds (docs/new-kind.md).
type grantKind struct {
	name string // of GrantSpec.Kind and of requests.Item.Kind
	// about is one sentence for the schema.
	about  string
	fields kindFields
	// asks are the fields of a request's spec that the kind goes by.
	asks []string
	// wide tells that it reaches beyond a namespace.
	wide bool
	// check finds what is wrong with a grant of a policy file beyond the rules of its fields; at is
	// where it stands.
	check func(d *requests.Document, at string, g GrantSpec)
	// protected tells what of a grant is never given, whatever a policy says.
	protected func(g GrantSpec) []string
	// resolve makes of a grant what a request asks for, wherever that is (placesFor says), or says
	// why the request cannot have it.
	resolve func(t Tree, r requests.RequestSpec, g GrantSpec) (requests.Item, refusal)
	// offers is everything that a request can get by a grant on a cluster, but for names that only
	// requests bring.
	offers func(t Tree, cluster string, g GrantSpec) []requests.Item
	// covers tells whether a grant still gives an item.
	covers func(g GrantSpec, i requests.Item) bool
	// gives is what an item allows; false where the catalogue does not tell.
	gives func(t Tree, cluster string, i requests.Item) ([]rbac.RoleRule, bool)
	// risks are what the approvers of an item must know.
	risks func(t Tree, cluster string, i requests.Item) []rbac.Risk
	// words is the grant as a policy's readers see it.
	words func(g GrantSpec) string
}

// roleField is the name of a ClusterRole in a field of a grant.
type roleField struct{ field, role string }

// refusal is a reason not to allow a request: the code of a rule and the field of the request that
// meets it.
type refusal struct {
	code           Code
	field, problem string
}

// grantKinds is the closed list of the kinds. It is a function because kinds may ask for other
// kinds.
func grantKinds() []grantKind {
	return []grantKind{roleBindingGrant, resourceRoleGrant, clusterRoleBindingGrant, execGrant}
}

// kind is the row of the grant's kind. A kind without one has refused its file before anybody asks.
func (g GrantSpec) kind() grantKind { return grantKindOf(g.Kind) }

func grantKindOf(name string) grantKind {
	kinds := grantKinds()
	i := slices.IndexFunc(kinds, func(k grantKind) bool { return k.name == name })
	if i < 0 {
		panic("policies: no kind of grant " + requests.Quote(name)) // a policy with one has findings
	}
	return kinds[i]
}

func grantKindNames() (names []string) {
	for _, k := range grantKinds() {
		names = append(names, k.name)
	}
	return names
}

// String is the grant as the readers of a policy see it: what, and where.
func (g GrantSpec) String() string { return g.kind().words(g) }

// Offers is everything that requests can get under a policy on a cluster, as far as the catalogue
// of the tree tells.
func (p AccessPolicy) Offers(t Tree, cluster string) (all []requests.Item) {
	for _, g := range p.Spec.Target.Grants {
		for _, item := range g.kind().offers(t, cluster, g) {
			item.Mode = p.Spec.Target.itemMode()
			all = append(all, item)
		}
	}
	return all
}

// itemMode is the mode as items have it.
func (t Target) itemMode() string {
	if t.Mode == requests.ModeDirect {
		return ""
	}
	return t.Mode
}

// covers tells whether a policy gives an item.
func (s PolicySpec) covers(i requests.Item) bool {
	return i.Mode == s.Target.itemMode() && slices.ContainsFunc(s.Target.Grants,
		func(g GrantSpec) bool { return g.Kind == i.Kind && g.kind().covers(g, i) })
}

// Roles are the names of the ClusterRoles that the policy gives, each once, in order.
func (p AccessPolicy) Roles() []string {
	var names []string
	for _, g := range p.Spec.Target.Grants {
		for _, r := range g.roles() {
			names = append(names, r.role)
		}
	}
	return sorted(names)
}

// roles are the roles that a grant names, and in which of its fields.
func (g GrantSpec) roles() (all []roleField) {
	for n, role := range g.Roles {
		all = append(all, roleField{fmt.Sprintf(".roles[%d]", n), role})
	}
	if g.RoleRef.Name != "" {
		all = append(all, roleField{".roleRef.name", g.RoleRef.Name})
	}
	return all
}

// protected are findings for what a policy names and never gives.
func (p AccessPolicy) protected() (findings []requests.Finding) {
	for _, g := range p.Spec.Target.Grants {
		for _, problem := range g.kind().protected(g) {
			findings = append(findings, requests.Finding{File: Path(p.Metadata.Name),
				Line: 1, Column: 1,
				Rule: "protected", Message: problem})
		}
	}
	return findings
}

// checkGrant finds what is wrong with one grant of a policy file.
func checkGrant(d *requests.Document, at string, g GrantSpec) {
	if !slices.Contains(grantKindNames(), g.Kind) {
		return // the kind itself is a finding
	}
	checkFields[GrantSpec](d, at, "grant", g.Kind, grantFields())
	g.kind().check(d, at, g)
}

// checkCombinations finds the grant with which a policy gives more than can be compared.
func checkCombinations(d *requests.Document, s PolicySpec) {
	total := 0
	for n, g := range s.Target.Grants {
		if total += g.combinations(len(s.Clusters)); total > maxCombinations {
			d.Add(fmt.Sprintf("spec.target.grants[%d]", n), "grant", "with it the policy gives more than "+
				"%d combinations of clusters, namespaces, roles, pods, containers and commands; "+
				"make its lists shorter, by globs where those may be", maxCombinations)
			return
		}
	}
}

// combinations is how many things a grant gives on so many clusters at most, and no more than just over
// maxCombinations.
func (g GrantSpec) combinations(clusters int) int {
	ways := 1
	for _, more := range []bool{g.Stdin, g.Terminal} {
		if more {
			ways++
		}
	}
	containers := len(g.Containers)
	if containers > 1 {
		containers++ // kubectl's default one
	}
	all := clusters
	for _, n := range []int{len(g.AllowedNamespaces), len(g.offered()), containers,
		len(g.Pods) + len(g.Deployments), len(g.Commands), ways} {
		all = min(all*max(n, 1), maxCombinations+1)
	}
	return all
}

func (k grantKind) sentence() string { return k.about }

// chosen are the grants that a request asks for: those that it names, or all.
func (s PolicySpec) chosen(r requests.RequestSpec) (all []GrantSpec) {
	for _, g := range s.Target.Grants {
		if len(r.Grants) == 0 || g.Name != "" && slices.Contains(r.Grants, g.Name) {
			all = append(all, g)
		}
	}
	return all
}

// resolve makes of every grant that is asked for what the request asks for: an item for each place.
// All of them are asked, so that the rules can be told in their order, whichever grant meets one.
func (s PolicySpec) resolve(t Tree, r requests.AccessRequest) (items []requests.Item,
	refused []refusal) {
	for _, g := range s.chosen(r.Spec) {
		places, notThere := g.placesFor(r.Spec)
		item, no := g.kind().resolve(t, r.Spec, g)
		item.Mode = s.Target.itemMode()
		for _, item.Namespace = range places {
			item.Name = requests.ItemName(r.Metadata.Name, len(items), item.Mode)
			items = append(items, item)
		}
		refused = append(refused, notThere, no)
		if no.problem == "" || no.code != RoleNotAllowed { // a danger in one place is one in all
			refused = append(refused, refusal{RoleNotAllowed, "spec.policy",
				s.dangerProblem(t, r.Spec.Cluster, item)})
		}
	}
	return items, slices.DeleteFunc(refused, func(r refusal) bool { return r.problem == "" })
}

// grantsNamed refuses names of grants that the policy does not have.
func (j *judge) grantsNamed() string {
	var names []string
	for _, g := range j.world.policy.Spec.Target.Grants {
		if g.Name != "" {
			names = append(names, g.Name)
		}
	}
	for n, name := range j.request.Spec.Grants {
		if !slices.Contains(names, name) {
			return j.field(fmt.Sprintf("spec.grants[%d]", n), GrantNotOffered,
				fmt.Sprintf("the policy "+
					"has no grant named %s; it has %s", requests.Quote(name),
					cmp.Or(strings.Join(names, ", "), "none with a name: leave grants out")))
		}
	}
	return ""
}

// askedInVain is the step about one field of a request: what no grant goes by must not be in it, as
// whoever reads the request would take it for what is given.
func (j *judge) askedInVain(field string, code Code,
	given func(r requests.RequestSpec) bool) func() string {
	return func() string {
		if !given(j.request.Spec) || slices.ContainsFunc(j.world.policy.Spec.chosen(j.request.Spec),
			func(g GrantSpec) bool { return g.goesBy(field, j.request.Spec) }) {
			return ""
		}
		return j.field("spec."+field, code, fmt.Sprintf("the policy %s goes by no %s; leave it out",
			j.request.Spec.Policy, field))
	}
}

// giftSteps check what is asked for, one code after the other.
func (j *judge) giftSteps() []step {
	resolve := sync.OnceValues(func() ([]requests.Item, []refusal) { // it takes the catalogue apart
		return j.world.policy.Spec.resolve(j.tree, j.request)
	})
	refusedFor := func(code Code) func() string { return j.refusedFor(code, resolve) }
	return []step{
		{GrantNotOffered, j.grantsNamed},
		{RoleNotAllowed, j.askedInVain("role", RoleNotAllowed,
			func(r requests.RequestSpec) bool { return r.Role != "" })},
		{RoleNotAllowed, refusedFor(RoleNotAllowed)},
		{NamespaceNotAllowed, j.askedInVain("namespace", NamespaceNotAllowed,
			func(r requests.RequestSpec) bool { return r.Namespace != "" })},
		{NamespaceNotAllowed, refusedFor(NamespaceNotAllowed)},
		{ResourceNotAllowed, j.askedInVain("resources", ResourceNotAllowed,
			func(r requests.RequestSpec) bool { return len(r.Resources) > 0 })},
		{ResourceNotAllowed, j.askedInVain("selector", ResourceNotAllowed,
			func(r requests.RequestSpec) bool { return r.Selector != "" })},
		{ResourceNotAllowed, refusedFor(ResourceNotAllowed)},
		{NothingToGrant, refusedFor(NothingToGrant)},
		{CommandNotAllowed, j.askedInVain("exec", CommandNotAllowed,
			func(r requests.RequestSpec) bool { return r.Exec != nil })},
		{CommandNotAllowed, refusedFor(CommandNotAllowed)},
	}
}

// refusedFor is the step about one code of what resolve found.
func (j *judge) refusedFor(code Code,
	resolve func() ([]requests.Item, []refusal)) func() string {
	return func() string {
		items, refused := resolve()
		i := slices.IndexFunc(refused, func(r refusal) bool { return r.code == code })
		if i >= 0 {
			return j.field(refused[i].field, code, refused[i].problem)
		}
		if len(refused) == 0 {
			j.decision.Grant.Items = items
		}
		return ""
	}
}

// grantFields are the fields of every kind.
func grantFields() map[string]kindFields {
	all := map[string]kindFields{}
	for _, k := range grantKinds() {
		all[k.name] = k.fields
	}
	return all
}
