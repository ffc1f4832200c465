package render

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
)

// writing is all that rights and fence know of one kind of object that grants are made of.
type writing struct {
	kind string
	// resource is its name for RBAC and the fence, plural that for people.
	resource, plural string
	// created is the fence's name for the creation of one.
	created string
	// access tells what gives access from what only says which.
	access bool
	// fence is what must hold of one that the agent creates.
	fence []rule
}

// written is the closed list of what the agent writes besides Jobs.
var written = []writing{
	{KindRoleBinding, "rolebindings", "RoleBindings", "binding", true, roleBindingRules},
	{KindRole, "roles", "Roles", "role", false, roleRules},
	{KindClusterRoleBinding, "clusterrolebindings", "ClusterRoleBindings", "wide", true,
		clusterRoleBindingRules},
	{KindClusterRole, "clusterroles", "ClusterRoles", "wideRole", false, clusterRoleRules},
}

// GivesAccess tells an object that gives access from one that only ends it, or says which.
func GivesAccess(object string) bool {
	return slices.ContainsFunc(written, func(w writing) bool {
		return w.kind == object &&
			w.access
	})
}

// names are the resources that the agent may write, as CEL and as people name them.
func names() (list, words string) {
	var resources, plurals []string
	for _, w := range written {
		resources, plurals = append(resources, "'"+w.resource+"'"), append(plurals, w.plural)
	}
	return "[" + strings.Join(append(resources, "'jobs'"), ", ") + "]", strings.Join(plurals,
		", ") + " and Jobs"
}

// everywhere are verbs on all that the agent writes.
func everywhere(verbs ...string) (rules []rbacv1.PolicyRule) {
	for _, w := range written {
		rules = append(rules, allow(rbacv1.GroupName, w.resource, verbs...))
	}
	return append(rules, allow("batch", "jobs", verbs...))
}
