package render

import (
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
)

// Allowed are the rules that Rights gives a ServiceAccount, Agent or Expirer, in a namespace: those
// of every role that one of the bindings gives it there.
func Allowed(f Footprint, account, namespace string) (rules []rbacv1.PolicyRule) {
	objects := Rights(f)
	of := map[string][]rbacv1.PolicyRule{} // by kind, namespace and name of the role
	for _, object := range objects {
		switch role := object.(type) {
		case *rbacv1.ClusterRole:
			of["ClusterRole /"+role.Name] = role.Rules
		case *rbacv1.Role:
			of["Role "+role.Namespace+"/"+role.Name] = role.Rules
		}
	}
	for _, object := range objects {
		switch b := object.(type) {
		case *rbacv1.ClusterRoleBinding:
			if slices.Equal(b.Subjects, to(account)) {
				rules = append(rules, of["ClusterRole /"+b.RoleRef.Name]...)
			}
		case *rbacv1.RoleBinding:
			if b.Namespace == namespace && slices.Equal(b.Subjects, to(account)) {
				rules = append(rules, of["Role "+b.Namespace+"/"+b.RoleRef.Name]...)
			}
		}
	}
	return rules
}
