package policies

import (
	"slices"

	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
)

// roleBindingGrant binds one ClusterRole in one of the namespaces that the policy lists.
var roleBindingGrant = grantKind{
	name:  requests.KubernetesRoleBinding,
	about: "KubernetesRoleBinding: a RoleBinding in one namespace.",
	fields: kindFields{needs: []string{"allowedNamespaces", "roleRef"},
		takes: []string{"defaultNamespace", "name"}},
	asks:  []string{"namespace"},
	check: checkDefaultNamespace,
	protected: func(g GrantSpec) []string {
		return append(protectedRoles(g), protectedIn(g)...)
	},
	resolve: func(_ Tree, _ requests.RequestSpec, g GrantSpec) (requests.Item, refusal) {
		return bindingOf(g, ""), refusal{RoleNotAllowed, "spec.policy",
			protectedRole(g.RoleRef.Name)}
	},
	offers: func(_ Tree, _ string, g GrantSpec) (all []requests.Item) {
		for _, namespace := range g.AllowedNamespaces {
			all = append(all, bindingOf(g, namespace))
		}
		return all
	},
	covers: func(g GrantSpec, i requests.Item) bool {
		return g.RoleRef.role() == i.Role && slices.Contains(g.AllowedNamespaces, i.Namespace)
	},
	gives: catalogued,
	risks: roleRisks,
	words: func(g GrantSpec) string { return bindingOf(g, anyOf(g.AllowedNamespaces)).String() },
}

func bindingOf(g GrantSpec, namespace string) requests.Item {
	return requests.Item{Kind: requests.KubernetesRoleBinding, Namespace: namespace,
		Role: g.RoleRef.role()}
}

// catalogued is what the item's role allows, as the catalogue has it.
func catalogued(t Tree, cluster string, i requests.Item) ([]rbac.RoleRule, bool) {
	c, ok, findings := t.Role(cluster, i.Role.Name)
	return c.Spec.Rules, ok && len(findings) == 0
}

func roleRisks(t Tree, cluster string, i requests.Item) []rbac.Risk {
	return t.RoleRisks(cluster, i.Role.Name, scopeOf(i))
}
