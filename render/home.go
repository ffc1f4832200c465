package render

import (
	"errors"
	"fmt"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/requests"
)

// homeObjects are the right of the one whom a grant is for to act as the grant's own identity: what
// the grant gives is given to that, and this alone makes it theirs. So it is made last and taken
// away first. The identity is a name: no ServiceAccount of it exists, which nobody could sign in as
// then
// (https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation).
func homeObjects(g requests.Grant) []Object {
	meta := metav1.ObjectMeta{Name: g.Identity(), Namespace: requests.GrantsNamespace}
	return []Object{
		&rbacv1.Role{TypeMeta: typeMeta(rbacv1.SchemeGroupVersion, KindRole), ObjectMeta: meta,
			Rules: []rbacv1.PolicyRule{named(allow("", "serviceaccounts", "impersonate"),
				g.Identity())}},
		&rbacv1.RoleBinding{TypeMeta: typeMeta(rbacv1.SchemeGroupVersion, KindRoleBinding),
			ObjectMeta: meta, Subjects: []rbacv1.Subject{userOf(g)},
			RoleRef: roleRef(KindRole, g.Identity())},
	}
}

func sameHome(g requests.Grant, got Object) error {
	if _, is := got.(*rbacv1.Role); is {
		return sameRole(got, "pullgrant-grants", g.Identity(), []requests.Rule{{
			Resource: "serviceaccounts", Verbs: []string{"impersonate"},
			Names: []string{g.Identity()}}})
	}
	return sameRoleBinding(got, "pullgrant-grants", g.Identity(), rbacv1.Subject{Kind: "User",
		APIGroup: "rbac.authorization.k8s.io", Name: g.Subject.Name}, rbacv1.RoleRef{Kind: "Role",
		APIGroup: "rbac.authorization.k8s.io", Name: g.Identity()})
}

// checkModes refuses a grant of which some part is used in another way than the others.
func checkModes(g requests.Grant) error {
	for n, i := range g.Items {
		if i.Mode != "" && i.Mode != requests.ModeImpersonate {
			return refuse("mode", i.Mode, "allowed: "+requests.ModeImpersonate+", or none")
		}
		if i.Mode != g.Items[0].Mode {
			return fmt.Errorf("binding %d is used in another way than the first", n+1)
		}
	}
	if g.BackstopOptional && slices.ContainsFunc(g.Items, needsBackstop) {
		return errors.New("only RoleBindings to ClusterRoles can do without a backstop")
	}
	return nil
}

// needsBackstop tells what is made of more than a RoleBinding to a ClusterRole: the fence wants an
// owner for it.
func needsBackstop(i requests.Item) bool {
	return i.Kind != requests.KubernetesRoleBinding || i.Impersonates()
}

// homeRights are the agent's where the rights to use identities stand. Which Roles they are, the
// fence says.
func homeRights() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		allow(rbacv1.GroupName, "roles", "create", "escalate", "bind"),
		allow(rbacv1.GroupName, "rolebindings", "create"),
		allow("batch", "jobs", "create"),
	}
}
