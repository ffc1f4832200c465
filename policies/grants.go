package policies

import (
	"fmt"
	"slices"
	"strings"

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
	// check finds what is wrong with a grant of a policy file beyond the rules of its fields; at is
	// where it stands.
	check func(d *requests.Document, at string, g GrantSpec)
	// protected tells what of a grant is never given, whatever a policy says.
	protected func(g GrantSpec) []string
	// resolve makes of a grant what a request asks for, but for its Name, or says why the request
	// cannot have it.
	resolve func(r requests.RequestSpec, g GrantSpec) (requests.Item, refusal)
	// offers is everything that a request can get by a grant.
	offers func(g GrantSpec) []requests.Item
	// covers tells whether a grant still gives an item.
	covers func(g GrantSpec, i requests.Item) bool
	// roles are the roles that a grant names, in which of its fields, and where it binds them: they
	// are judged for that scope.
	roles func(g GrantSpec) []roleField
	// gives is what an item allows; false where the catalogue does not tell.
	gives func(t Tree, cluster string, i requests.Item) ([]rbac.RoleRule, bool)
	// words is the grant as a policy's readers see it.
	words func(g GrantSpec) string
}

// roleField is the name of a ClusterRole in a field of a grant, and where the grant binds it.
type roleField struct {
	field, role string
	scope       rbac.Scope
}

// refusal is a reason not to allow a request: the code of a rule and the field of the request that
// meets it.
type refusal struct {
	code           Code
	field, problem string
}

// grantKinds is the closed list of the kinds. It is a function because kinds may ask for other
// kinds.
func grantKinds() []grantKind { return []grantKind{roleBindingGrant} }

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

// Offers is everything that requests can get under a policy.
func (p AccessPolicy) Offers() (all []requests.Item) {
	for _, g := range p.Spec.Target.Grants {
		all = append(all, g.kind().offers(g)...)
	}
	return all
}

// covers tells whether a policy gives an item.
func (s PolicySpec) covers(i requests.Item) bool {
	return slices.ContainsFunc(s.Target.Grants, func(g GrantSpec) bool {
		return g.Kind == i.Kind && g.kind().covers(g, i)
	})
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

func (g GrantSpec) roles() []roleField {
	if !slices.Contains(grantKindNames(), g.Kind) { // whoever refuses the policy asks too
		return nil
	}
	return g.kind().roles(g)
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

func (k grantKind) sentence() string { return k.about }

// resolve makes of every grant of the policy what the request asks for. All of them are asked, so
// that the rules can be told in their order, whichever grant meets one.
func (j *judge) resolve() (items []requests.Item, refused []refusal) {
	for n, g := range j.world.policy.Spec.Target.Grants {
		item, no := g.kind().resolve(j.request.Spec, g)
		item.Name = requests.ObjectName(j.request.Metadata.Name, n)
		items = append(items, item)
		if no.problem != "" {
			refused = append(refused, no)
		}
		for _, r := range g.kind().roles(g) {
			problem := j.world.policy.Spec.roleProblem(j.tree, j.request.Spec.Cluster, r)
			if problem != "" && r.role == item.Role.Name && no.code != RoleNotAllowed {
				refused = append(refused, refusal{RoleNotAllowed, "spec.policy", problem})
			}
		}
	}
	return items, refused
}

// refusedFor is the step about one code of what resolve found.
func (j *judge) refusedFor(code Code) func() string {
	return func() string {
		items, refused := j.resolve()
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

func protectedNamespace(name string) string {
	if strings.HasPrefix(name, "kube-") || name == requests.AgentNamespace {
		return fmt.Sprintf("the namespace %s is protected: kube-* and %s are never granted into",
			requests.Quote(name), requests.AgentNamespace)
	}
	return ""
}

func protectedRole(name string) string {
	if strings.HasPrefix(name, "system:") {
		return "the role " + requests.Quote(name) + " is protected: roles under system: are " +
			"never granted"
	}
	return ""
}

// grantFields are the fields of every kind.
func grantFields() map[string]kindFields {
	all := map[string]kindFields{}
	for _, k := range grantKinds() {
		all[k.name] = k.fields
	}
	return all
}
