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

// A KubernetesResourceRole of the whole cluster is a ClusterRole and a ClusterRoleBinding to it,
// for an identity of the grant's own. To let the agent write any ClusterRole would be to make it
// cluster-admin the day the fence is gone, so it holds what it gives: RBAC's own limit.

func checkWide(i requests.Item) error {
	if !i.Impersonates() {
		return errors.New("it is not given to an identity of the grant's own")
	}
	if i.Matches() {
		return errors.New("in the whole cluster names are not kept current")
	}
	for _, r := range i.Allows {
		if strings.Contains(r.Resource, "/") || slices.ContainsFunc(r.Verbs,
			func(verb string) bool {
				return !slices.Contains([]string{"get", "list", "watch"}, verb)
			}) {
			return refuse("rule", r.Key(),
				"in the whole cluster the agent holds get, list and watch "+
					"on objects only")
		}
		if r.Group == "" && (r.Resource == "secrets" || r.Resource == "serviceaccounts") ||
			slices.Contains([]string{rbacv1.GroupName, "admissionregistration.k8s.io",
				"certificates.k8s.io", "authentication.k8s.io"}, r.Group) {
			return refuse("rule", r.Key(), "the agent never holds that in the whole cluster")
		}
	}
	return nil
}

func wideRoleAndBinding(g requests.Grant, i requests.Item) []Object {
	meta := metav1.ObjectMeta{Name: i.Name}
	return []Object{
		&rbacv1.ClusterRole{TypeMeta: typeMeta(rbacv1.SchemeGroupVersion, KindClusterRole),
			ObjectMeta: meta, Rules: policyRules(i)},
		&rbacv1.ClusterRoleBinding{TypeMeta: typeMeta(rbacv1.SchemeGroupVersion,
			KindClusterRoleBinding), ObjectMeta: meta, Subjects: []rbacv1.Subject{subjectOf(g, i)},
			RoleRef: roleRef(KindClusterRole, i.Name)},
	}
}

func sameWideRoleAndBinding(g requests.Grant, i requests.Item, got Object) error {
	if _, is := got.(*rbacv1.ClusterRoleBinding); is {
		return sameClusterRoleBinding(got, i.Name, subjectOf(g, i), i.Name)
	}
	role, is := got.(*rbacv1.ClusterRole)
	if !is {
		return fmt.Errorf("it is a %T", got)
	}
	object := *role
	if err := firstError(sameHeader(&object.TypeMeta, &object.ObjectMeta, "ClusterRole",
		"", i.Name),
		sameRules(object.Rules, i.Allows)); err != nil {
		return err
	}
	object.Rules = nil
	if !reflect.DeepEqual(object, rbacv1.ClusterRole{}) {
		return errMore
	}
	return nil
}

// wideRoleRights are to write ClusterRoles and to bind them, and what is written.
func wideRoleRights(items []requests.Item) []rbacv1.PolicyRule {
	rules := []rbacv1.PolicyRule{
		allow(rbacv1.GroupName, "clusterroles", "create"),
		allow(rbacv1.GroupName, "clusterrolebindings", "create"),
		mayGenerate(items),
	}
	for _, i := range items {
		for _, r := range i.Allows {
			rules = append(rules, allow(r.Group, r.Resource, r.Verbs...))
		}
	}
	return rules
}
