package policies

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
)

// Live is another request of the same requester that stands on the default branch, with its policy:
// what they have, or are about to have, already.
type Live struct {
	Path   string   `json:"path"`
	File   TreeFile `json:"file"`
	Policy TreeFile `json:"policy"`
	// Ungranted is why it gives nothing, as a rule's code: it was judged when the facts were
	// gathered. Older facts do not tell.
	Ungranted Code `json:"ungranted,omitempty"`
	// Window is what it was judged to have; zero in older facts.
	Window requests.Window `json:"window,omitzero"`
	// Narrowed is what its approvers left of it.
	Narrowed []requests.Narrowing `json:"narrowed,omitempty"`
}

// RoleView is a role of a request as its approvers must see it.
type RoleView struct {
	Item       requests.Item `json:"-"`
	Role       string        `json:"role"`
	Namespace  string        `json:"namespace"`
	Also       []string      `json:"also,omitempty"` // other namespaces, where all of it is the same
	Catalogued bool          `json:"catalogued"`     // its rules are known
	// Permissions is what the role allows; Beyond is the part that the requester's live grants in
	// the namespace do not give already, and Holds says that there are any.
	Permissions []rbac.Permission `json:"permissions,omitempty"`
	Beyond      []rbac.Permission `json:"beyond,omitempty"`
	Holds       bool              `json:"holds,omitempty"`
	Risks       []rbac.Risk       `json:"risks,omitempty"`
	Note        string            `json:"note,omitempty"` // what else its user must know
}

// views describes what each item of the grant allows, as far as the catalogue knows it, and once
// what several namespaces have alike: a role in twenty of them is read once.
func (j *judge) views() []RoleView {
	g := j.decision.Grant
	if g == nil {
		return nil
	}
	given := make([][]requests.Item, len(j.facts.Live)) // read once for all items
	for i, l := range j.facts.Live {
		given[i] = j.given(l)
	}
	var all []RoleView
	for _, item := range g.Items {
		v := RoleView{Item: item, Role: item.Role.Name, Namespace: item.Namespace,
			Note: byName(item),
			Risks: slices.Concat(j.world.policy.Spec.allowedRisk(j.tree, g.Cluster, item),
				grantKindOf(item.Kind).risks(j.tree, g.Cluster, item))}
		if rules, ok := grantKindOf(item.Kind).gives(j.tree, g.Cluster, item); ok {
			held := j.held(given, item.Namespace)
			v.Catalogued, v.Permissions, v.Beyond = true, rbac.Permissions(rules),
				rbac.Beyond(rules, held)
			v.Holds = len(held) > 0
		}
		if i := slices.IndexFunc(all, v.isAlike); i >= 0 {
			all[i].Also = append(all[i].Also, v.Namespace)
			continue
		}
		all = append(all, v)
	}
	return all
}

// isAlike tells whether two views differ in nothing but their namespaces.
func (v RoleView) isAlike(other RoleView) bool {
	for _, one := range []*RoleView{&v, &other} {
		one.Item.Name, one.Item.Namespace, one.Namespace, one.Also = "", "", "", nil
	}
	return reflect.DeepEqual(v, other)
}

// byName says what does not work on objects that are given by their names: a list or a watch that
// is not of one of them
// (https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-resources).
func byName(i requests.Item) string {
	at := slices.IndexFunc(i.Allows, func(r requests.Rule) bool {
		return len(r.Names) > 0 && (slices.Contains(r.Verbs, "list") ||
			slices.Contains(r.Verbs, "watch"))
	})
	if at < 0 {
		return ""
	}
	kind, name := i.Allows[at].Kind(), i.Allows[at].Names[0]
	return fmt.Sprintf("list and watch are of one name at a time: \"kubectl get %[1]s %[2]s\" works, "+
		"\"kubectl get %[1]s\" does not, and \"kubectl get %[1]s --field-selector "+
		"metadata.name=%[2]s\" lists it", kind, name)
}

// held are the rules that what was given to the requester gives them in a namespace: what cannot be
// told gives nothing, so that more is shown as new rather than less. What an identity of a grant may
// do, its user cannot do as themselves.
func (j *judge) held(given [][]requests.Item, namespace string) []rbac.RoleRule {
	var rules []rbac.RoleRule
	for _, items := range given {
		for _, item := range items {
			if item.Namespace == namespace && !item.Impersonates() {
				more, _ := grantKindOf(item.Kind).gives(j.tree, j.decision.Grant.Cluster, item)
				rules = append(rules, more...)
			}
		}
	}
	return rules
}

// isTheirs tells whether a request gives access to the one that this request gives it to.
func (j *judge) isTheirs(r requests.RequestSpec) bool {
	who, _, ok := j.world.identities.receiver(r)
	return ok && strings.EqualFold(r.Requester, j.decision.Grant.Requester) &&
		who.On(r.Cluster) == j.decision.Grant.Subject.Name
}
