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
	name: requests.KubernetesRoleBinding,
	check: func(i requests.Item) error {
		return firstError(checkNamespace(i), checkRole(i), carriesOnly(i))
	},
	objects: func(g requests.Grant, i requests.Item) []Object {
		return []Object{bindingTo(g, i, i.Role.Kind, i.Role.Name)}
	},
	same: func(g requests.Grant, i requests.Item, got Object) error {
		return sameRoleBinding(got, i.Namespace, i.Name, subjectOf(g, i), rbacv1.RoleRef{
			Kind: "ClusterRole", APIGroup: "rbac.authorization.k8s.io", Name: i.Role.Name})
	},
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

// bindingTo is the RoleBinding of an item.
func bindingTo(g requests.Grant, i requests.Item, kind, role string) Object {
	return &rbacv1.RoleBinding{
		TypeMeta:   typeMeta(rbacv1.SchemeGroupVersion, KindRoleBinding),
		ObjectMeta: metav1.ObjectMeta{Name: i.Name, Namespace: i.Namespace},
		Subjects:   []rbacv1.Subject{subjectOf(g, i)},
		RoleRef:    roleRef(kind, role),
	}
}

// subjectOf is who gets an item: the one it is for, or the grant's own identity.
func subjectOf(g requests.Grant, i requests.Item) rbacv1.Subject {
	if i.Impersonates() {
		return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: requests.GrantsNamespace,
			Name: g.Identity()}
	}
	return userOf(g)
}

func userOf(g requests.Grant) rbacv1.Subject {
	return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: g.Subject.Kind, Name: g.Subject.Name}
}

func checkNamespace(i requests.Item) error {
	switch {
	case requests.CheckName(i.Namespace) != "":
		return refuse("namespace", i.Namespace, requests.CheckName(i.Namespace))
	case requests.Protected(i.Namespace):
		return refuse("namespace", i.Namespace, "it is protected")
	}
	return nil
}

func checkRole(i requests.Item) error {
	switch {
	case i.Role.Kind != requests.KindClusterRole:
		return refuse("role kind", i.Role.Kind, "allowed: "+requests.KindClusterRole)
	case requests.CheckRole(i.Role.Name) != "":
		return refuse("role", i.Role.Name, requests.CheckRole(i.Role.Name))
	case strings.HasPrefix(i.Role.Name, "system:"):
		return refuse("role", i.Role.Name, "it is protected")
	}
	return nil
}

// carriesOnly refuses an item with what only items of other kinds have: nothing would come of it.
func carriesOnly(i requests.Item) error {
	if len(i.Resources)+len(i.Containers)+len(i.Allows) > 0 || i.Exec != nil {
		return fmt.Errorf("a %s has neither resources nor a command", i.Kind)
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// sameRoleBinding takes away from a binding, field by field, what the grant says; anything left in
// the end is an error.
func sameRoleBinding(got Object, namespace, name string, subject rbacv1.Subject,
	role rbacv1.RoleRef) error {
	binding, is := got.(*rbacv1.RoleBinding)
	if !is {
		return fmt.Errorf("it is a %T", got)
	}
	object := *binding
	if err := sameHeader(&object.TypeMeta, &object.ObjectMeta, "RoleBinding", namespace,
		name); err != nil {
		return err
	}
	if err := sameGift(object.Subjects, object.RoleRef, subject, role); err != nil {
		return err
	}
	object.RoleRef, object.Subjects = rbacv1.RoleRef{}, nil
	if !reflect.DeepEqual(object, rbacv1.RoleBinding{}) {
		return errMore
	}
	return nil
}

var errMore = errors.New("it sets fields that no grant sets")

// sameHeader takes away what says which object it is.
func sameHeader(t *metav1.TypeMeta, m *metav1.ObjectMeta, kind, namespace, name string) error {
	switch {
	case t.APIVersion != "rbac.authorization.k8s.io/v1" || t.Kind != kind:
		return fmt.Errorf("it is a %q of %q", t.Kind, t.APIVersion)
	case m.Name != name:
		return fmt.Errorf("its name is %q, not %q", m.Name, name)
	case m.Namespace != namespace:
		return fmt.Errorf("its namespace is %q, not %q", m.Namespace, namespace)
	}
	*t = metav1.TypeMeta{}
	m.Name, m.Namespace, m.Labels, m.Annotations = "", "", nil, nil
	return nil
}

// sameGift compares who gets what.
func sameGift(subjects []rbacv1.Subject, ref rbacv1.RoleRef, subject rbacv1.Subject,
	role rbacv1.RoleRef) error {
	switch {
	case ref != role:
		return fmt.Errorf("its roleRef is %+v, not %+v", ref, role)
	case len(subjects) != 1:
		return fmt.Errorf("it has %d subjects, not 1", len(subjects))
	case subjects[0] != subject:
		return fmt.Errorf("its subject is %+v, not %+v", subjects[0], subject)
	}
	return nil
}
