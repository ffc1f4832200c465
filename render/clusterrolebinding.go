package render

import (
	"errors"
	"fmt"
	"reflect"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/requests"
)

// clusterRoleBindings are ClusterRoleBindings to ClusterRoles, always for an identity of the
// grant's own: no object of a namespace can own one, so nothing but the agent ends it, and without
// the right to use that identity it gives nobody anything.
var clusterRoleBindings = kind{
	name: requests.KubernetesClusterRoleBinding,
	check: func(i requests.Item) error {
		switch {
		case i.Namespace != "":
			return refuse("namespace", i.Namespace, "what holds in the whole cluster has none")
		case !i.Impersonates():
			return errors.New("it is not given to an identity of the grant's own")
		}
		return firstError(checkRole(i), carriesOnly(i))
	},
	objects: func(g requests.Grant, i requests.Item) []Object {
		return []Object{&rbacv1.ClusterRoleBinding{
			TypeMeta:   typeMeta(rbacv1.SchemeGroupVersion, KindClusterRoleBinding),
			ObjectMeta: metav1.ObjectMeta{Name: i.Name},
			Subjects:   []rbacv1.Subject{subjectOf(g, i)},
			RoleRef:    roleRef(i.Role.Kind, i.Role.Name),
		}}
	},
	same: func(g requests.Grant, i requests.Item, got Object) error {
		return sameClusterRoleBinding(got, i.Name, subjectOf(g, i), i.Role.Name)
	},
	rights: func(items []requests.Item) []rbacv1.PolicyRule {
		return []rbacv1.PolicyRule{
			allow(rbacv1.GroupName, "clusterrolebindings", "create"),
			named(allow(rbacv1.GroupName, "clusterroles", "bind"), rolesOf(items)...),
		}
	},
}

func sameClusterRoleBinding(got Object, name string, subject rbacv1.Subject, role string) error {
	binding, is := got.(*rbacv1.ClusterRoleBinding)
	if !is {
		return fmt.Errorf("it is a %T", got)
	}
	object := *binding
	if err := firstError(
		sameHeader(&object.TypeMeta, &object.ObjectMeta, "ClusterRoleBinding", "", name),
		sameGift(object.Subjects, object.RoleRef, subject, rbacv1.RoleRef{Kind: "ClusterRole",
			APIGroup: "rbac.authorization.k8s.io", Name: role})); err != nil {
		return err
	}
	object.RoleRef, object.Subjects = rbacv1.RoleRef{}, nil
	if !reflect.DeepEqual(object, rbacv1.ClusterRoleBinding{}) {
		return errMore
	}
	return nil
}
