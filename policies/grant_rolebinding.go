package policies

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
)

// roleBindingGrant binds one ClusterRole in one of the namespaces that the policy lists.
var roleBindingGrant = grantKind{
	name:  requests.KubernetesRoleBinding,
	about: "KubernetesRoleBinding: a RoleBinding in one namespace.",
	fields: kindFields{needs: []string{"allowedNamespaces", "roleRef"},
		takes: []string{"defaultNamespace"}},
	check: func(d *requests.Document, at string, g GrantSpec) {
		if !slices.Contains(g.AllowedNamespaces, g.DefaultNamespace) {
			d.Check(at+".defaultNamespace", "namespace", g.DefaultNamespace,
				"it must be one of allowedNamespaces")
		}
	},
	protected: func(g GrantSpec) (problems []string) {
		for _, problem := range append([]string{protectedRole(g.RoleRef.Name)}, protectedIn(g)...) {
			if problem != "" {
				problems = append(problems, problem)
			}
		}
		return problems
	},
	resolve: func(r requests.RequestSpec, g GrantSpec) (requests.Item, refusal) {
		item := bindingOf(g, r.Namespace)
		if item.Namespace == "" {
			item.Namespace = g.DefaultNamespace
		}
		if problem := protectedRole(g.RoleRef.Name); problem != "" {
			return item, refusal{RoleNotAllowed, "spec.policy", problem}
		}
		return item, refusal{NamespaceNotAllowed, "spec.namespace", namespaceProblem(item.Namespace,
			g.AllowedNamespaces)}
	},
	offers: func(g GrantSpec) (all []requests.Item) {
		for _, namespace := range g.AllowedNamespaces {
			all = append(all, bindingOf(g, namespace))
		}
		return all
	},
	covers: func(g GrantSpec, i requests.Item) bool {
		return g.RoleRef == i.Role && slices.Contains(g.AllowedNamespaces, i.Namespace)
	},
	roles: func(g GrantSpec) []roleField {
		return []roleField{{".roleRef.name", g.RoleRef.Name, rbac.InNamespace}}
	},
	gives: func(t Tree, cluster string, i requests.Item) ([]rbac.RoleRule, bool) {
		c, ok, findings := t.Role(cluster, i.Role.Name)
		return c.Spec.Rules, ok && len(findings) == 0
	},
	words: func(g GrantSpec) string {
		return bindingOf(g, strings.Join(g.AllowedNamespaces,
			" or ")).String()
	},
}

func bindingOf(g GrantSpec, namespace string) requests.Item {
	return requests.Item{Kind: requests.KubernetesRoleBinding, Namespace: namespace,
		Role: g.RoleRef}
}

func protectedIn(g GrantSpec) (problems []string) {
	for _, namespace := range g.AllowedNamespaces {
		problems = append(problems, protectedNamespace(namespace))
	}
	return problems
}

// namespaceProblem tells why a request cannot have access in a namespace; empty when it can.
func namespaceProblem(namespace string, allowed []string) string {
	switch {
	case namespace == "":
		return "the policy has no default namespace; name one of " + strings.Join(allowed, ", ")
	case protectedNamespace(namespace) != "":
		return protectedNamespace(namespace)
	case !slices.Contains(allowed, namespace):
		return fmt.Sprintf("the namespace %s is not in the policy; allowed: %s",
			requests.Quote(namespace),
			strings.Join(allowed, ", "))
	}
	return ""
}
