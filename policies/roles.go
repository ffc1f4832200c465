package policies

import (
	"slices"

	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
)

// Live is another request of the same requester that stands on the default branch, with its policy: what they have, or
// are about to have, already.
type Live struct {
	Path   string   `json:"path"`
	File   TreeFile `json:"file"`
	Policy TreeFile `json:"policy"`
}

// RoleView is a role of a request as its approvers must see it.
type RoleView struct {
	Role       string `json:"role"`
	Namespace  string `json:"namespace"`
	Catalogued bool   `json:"catalogued"` // its rules are known
	// Permissions is what the role allows; Beyond is the part that the requester's live grants in the namespace do not
	// give already, and Holds says that there are any.
	Permissions []rbac.Permission `json:"permissions,omitempty"`
	Beyond      []rbac.Permission `json:"beyond,omitempty"`
	Holds       bool              `json:"holds,omitempty"`
	Risks       []rbac.Risk       `json:"risks,omitempty"`
}

// views describes every role of the grant, as far as the catalogue knows it.
func (j *judge) views() []RoleView {
	if j.Grant == nil {
		return nil
	}
	var all []RoleView
	for _, b := range j.Grant.Bindings {
		v := RoleView{Role: b.Role.Name, Namespace: b.Namespace, Risks: j.tree.RoleRisks(j.Grant.Cluster, b.Role.Name)}
		if rules, ok := j.rules(b.Role.Name); ok {
			held := j.held(b.Namespace)
			v.Catalogued, v.Permissions, v.Beyond, v.Holds = true, rbac.Permissions(rules), rbac.Beyond(rules, held), len(held) > 0
		}
		all = append(all, v)
	}
	return all
}

func (j *judge) rules(role string) ([]rbac.RoleRule, bool) {
	c, ok, findings := j.tree.Role(j.Grant.Cluster, role)
	return c.Spec.Rules, ok && len(findings) == 0
}

// held are the rules that the requester's live requests give in a namespace. What cannot be read gives nothing here, so
// that more is shown as new rather than less.
func (j *judge) held(namespace string) []rbac.RoleRule {
	var rules []rbac.RoleRule
	for _, l := range j.facts.Live {
		place, ok := requests.SplitPath(l.Path)
		if !ok || place.Cluster != j.Grant.Cluster || l.File.problem() != "" || l.Policy.problem() != "" {
			continue
		}
		request, findings := requests.ParseRequest(l.Path, []byte(l.File.Content))
		policy, more := ParsePolicy(Path(place.Policy), []byte(l.Policy.Content))
		if len(findings) > 0 || len(more) > 0 {
			continue
		}
		for _, g := range policy.Spec.Target.Grants {
			where := request.Spec.Namespace
			if where == "" {
				where = g.DefaultNamespace
			}
			if where == namespace && slices.Contains(g.AllowedNamespaces, where) {
				more, _ := j.rules(g.RoleRef.Name)
				rules = append(rules, more...)
			}
		}
	}
	return rules
}
