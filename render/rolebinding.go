package render

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/requests"
)

// roleBindings are RoleBindings to ClusterRoles. The agent needs bind on each role by name, and the
// fence asks RBAC for it again, because RBAC does not ask when the role is empty or its rules are
// held anyway.
var roleBindings = kind{
	name:  requests.KubernetesRoleBinding,
	check: checkRoleBinding,
	makes: []string{KindRoleBinding},
	objects: func(g requests.Grant, i requests.Item) []Object {
		return []Object{&rbacv1.RoleBinding{
			TypeMeta:   typeMeta(rbacv1.SchemeGroupVersion, KindRoleBinding),
			ObjectMeta: metav1.ObjectMeta{Name: i.Name, Namespace: i.Namespace},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: g.Subject.Kind,
				Name: g.Subject.Name}},
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: i.Role.Kind,
				Name: i.Role.Name},
		}}
	},
	same:     sameRoleBinding,
	resource: "rolebindings",
	plural:   "RoleBindings",
	created:  "binding",
	when:     "request.operation == 'CREATE' && request.resource.resource == 'rolebindings'",
	fence:    roleBindingRules,
	rights: func(items []requests.Item) []rbacv1.PolicyRule {
		return []rbacv1.PolicyRule{
			allow(rbacv1.GroupName, "rolebindings", "create"),
			allow("batch", "jobs", "create"),
			named(allow(rbacv1.GroupName, "clusterroles", "bind"), rolesOf(items)...),
		}
	},
}

// rolesOf are the ClusterRoles that items give, each once, in order.
func rolesOf(items []requests.Item) []string {
	var roles []string
	for _, i := range items {
		roles = append(roles, i.Role.Name)
	}
	return slices.Compact(slices.Sorted(slices.Values(roles)))
}

func checkRoleBinding(b requests.Item, name string) error {
	switch {
	case b.Name != name:
		return refuse("name", b.Name, "it must be "+name)
	case requests.CheckName(b.Namespace) != "":
		return refuse("namespace", b.Namespace, requests.CheckName(b.Namespace))
	case strings.HasPrefix(b.Namespace, "kube-") || b.Namespace == requests.AgentNamespace:
		return refuse("namespace", b.Namespace, "it is protected")
	case b.Role.Kind != requests.KindClusterRole:
		return refuse("role kind", b.Role.Kind, "allowed: "+requests.KindClusterRole)
	case requests.CheckRole(b.Role.Name) != "":
		return refuse("role", b.Role.Name, requests.CheckRole(b.Role.Name))
	case strings.HasPrefix(b.Role.Name, "system:"):
		return refuse("role", b.Role.Name, "it is protected")
	}
	return nil
}

// sameRoleBinding takes away from a binding, field by field, what the grant says; anything left in
// the end is an error.
func sameRoleBinding(g requests.Grant, i requests.Item, got Object) error {
	object := *got.(*rbacv1.RoleBinding)
	subject := rbacv1.Subject{Kind: "User", APIGroup: "rbac.authorization.k8s.io",
		Name: g.Subject.Name}
	role := rbacv1.RoleRef{Kind: "ClusterRole", APIGroup: "rbac.authorization.k8s.io",
		Name: i.Role.Name}
	switch {
	case object.APIVersion != "rbac.authorization.k8s.io/v1" || object.Kind != "RoleBinding":
		return fmt.Errorf("it is a %q of %q", object.Kind, object.APIVersion)
	case object.Name != i.Name:
		return fmt.Errorf("its name is %q, not %q", object.Name, i.Name)
	case object.Namespace != i.Namespace:
		return fmt.Errorf("its namespace is %q, not %q", object.Namespace, i.Namespace)
	case object.RoleRef != role:
		return fmt.Errorf("its roleRef is %+v, not %+v", object.RoleRef, role)
	case len(object.Subjects) != 1:
		return fmt.Errorf("it has %d subjects, not 1", len(object.Subjects))
	case object.Subjects[0] != subject:
		return fmt.Errorf("its subject is %+v, not %+v", object.Subjects[0], subject)
	}
	object.TypeMeta = metav1.TypeMeta{}
	object.Name, object.Namespace, object.Labels, object.Annotations = "", "", nil, nil
	object.RoleRef, object.Subjects = rbacv1.RoleRef{}, nil
	if !reflect.DeepEqual(object, rbacv1.RoleBinding{}) {
		return errors.New("it sets fields that no grant sets")
	}
	return nil
}

// roleBindingRules are what must hold of a RoleBinding that the agent creates.
var roleBindingRules = []rule{
	{
		when: "variables.binding",
		must: all("variables.subjects.size() == 1",
			"variables.subjects.all(s, s.kind == 'User' && s.name.matches('^[!-~]{1,253}$') && "+
				"!s.name.startsWith('system:'))"),
		message: "a binding must have one subject, a User of 1 to 253 printable characters that " +
			"is not under system:",
	}, {
		when: "variables.binding",
		must: all("variables.object.roleRef.kind == 'ClusterRole'",
			"!variables.object.roleRef.name.startsWith('system:')",
			"!variables.object.roleRef.name.startsWith('pullgrant-')"),
		message: "a binding must give a ClusterRole that is neither system:* nor pullgrant-*",
	}, {
		// RBAC does not ask for the verb when the role is empty, or when its rules are held anyway.
		when: "variables.binding",
		must: "authorizer.group('rbac.authorization.k8s.io').resource('clusterroles').namespace(request.namespace)" +
			".name(variables.object.roleRef.name).check('bind').allowed()",
		message: "the agent may not bind this ClusterRole in this namespace; run pullgrant " +
			"install when the policies have changed",
	}, {
		when: "variables.binding",
		must: "variables.backstop == 'none' ? variables.owners.size() == 0 : " +
			all("variables.owners.size() == 1",
				"variables.owners.all(o, o.apiVersion == 'batch/v1' && o.kind == 'Job' && "+
					"o.name.startsWith('pullgrant-') &&"+
					" !o.?controller.orValue(false) && !o.?blockOwnerDeletion.orValue(false))"),
		message: "a binding must be owned by its Job pullgrant-* alone, without controller and " +
			"blockOwnerDeletion; " +
			"with the annotation pullgrant.dev/backstop=none, by nothing",
	},
}
