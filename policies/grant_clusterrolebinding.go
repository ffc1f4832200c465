package policies

import (
	"slices"

	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
)

// clusterRoleBindingGrant binds a ClusterRole in the whole cluster, for an identity of the grant's
// own.
var clusterRoleBindingGrant = grantKind{
	name: requests.KubernetesClusterRoleBinding,
	about: "KubernetesClusterRoleBinding: a ClusterRoleBinding, in all namespaces and for what is in " +
		"none; only with mode Impersonate.",
	fields:    kindFields{takes: []string{"name", "roleRef", "roles"}},
	asks:      []string{"role"},
	wide:      true,
	check:     checkRoles,
	protected: func(g GrantSpec) []string { return protectedRoles(g) },
	resolve: func(_ Tree, r requests.RequestSpec, g GrantSpec) (requests.Item, refusal) {
		role, no := roleOf(r, g)
		return requests.Item{Kind: requests.KubernetesClusterRoleBinding, Role: role}, no
	},
	offers: func(_ Tree, _ string, g GrantSpec) (all []requests.Item) {
		for _, role := range g.offered() {
			all = append(all, requests.Item{Kind: requests.KubernetesClusterRoleBinding,
				Role: requests.Role{Kind: requests.KindClusterRole, Name: role}})
		}
		return all
	},
	covers: func(g GrantSpec, i requests.Item) bool {
		return slices.Contains(g.offered(), i.Role.Name)
	},
	gives: catalogued,
	risks: func(t Tree, cluster string, i requests.Item) []rbac.Risk {
		wide := rbac.Risk{Code: "cluster-wide", High: true,
			Text: "it holds in every namespace, also " +
				"in those that come later and in kube-system, and for what is in none"}
		return append([]rbac.Risk{wide}, roleRisks(t, cluster, i)...)
	},
	words: func(g GrantSpec) string {
		return requests.KindClusterRole + " " + anyOf(g.offered()) + " in the whole cluster"
	},
}
