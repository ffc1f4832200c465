package render

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubelabels "k8s.io/apimachinery/pkg/labels"

	"github.com/pullgrant/pullgrant/requests"
)

// resourceRoles are Roles with what a ClusterRole allows on some objects, each with its
// RoleBinding. RBAC lets the agent write any Role of the namespace; which rules it may write, the
// fence asks for one by one.
var resourceRoles = kind{
	name: requests.KubernetesResourceRole,
	check: func(i requests.Item) error {
		if i.Exec != nil || len(i.Containers) > 0 || len(i.Resources) == 0 {
			return errors.New("it names no resources, or a command")
		}
		for _, resource := range i.Resources {
			if problem := requests.CheckResource(resource); problem != "" {
				return refuse("resource", resource, problem)
			}
		}
		if i.Namespace == "" {
			return firstError(checkWide(i), checkRole(i), checkAllows(i.Allows))
		}
		return firstError(checkNamespace(i), checkRole(i), checkAllows(i.Allows),
			checkSelectors(i.Allows))
	},
	objects: func(g requests.Grant, i requests.Item) []Object {
		if i.Namespace == "" {
			return wideRoleAndBinding(g, i)
		}
		return roleAndBinding(g, i)
	},
	same: func(g requests.Grant, i requests.Item, got Object) error {
		if i.Namespace == "" {
			return sameWideRoleAndBinding(g, i, got)
		}
		return sameRoleAndBinding(g, i, got)
	},
	rights: func(items []requests.Item) []rbacv1.PolicyRule {
		if items[0].Namespace == "" {
			return wideRoleRights(items)
		}
		return roleRights(items)
	},
}

// roleAndBinding are the Role of an item and the RoleBinding to it, both under the item's name. The
// agent adds to the Role what matches.
func roleAndBinding(g requests.Grant, i requests.Item) []Object {
	role := &rbacv1.Role{TypeMeta: typeMeta(rbacv1.SchemeGroupVersion, KindRole),
		ObjectMeta: metav1.ObjectMeta{Name: i.Name, Namespace: i.Namespace}, Rules: policyRules(i)}
	return []Object{role, bindingTo(g, i, KindRole, i.Name)}
}

func policyRules(i requests.Item) (rules []rbacv1.PolicyRule) {
	for _, r := range i.Allows {
		rules = append(rules, rbacv1.PolicyRule{APIGroups: []string{r.Group},
			Resources: []string{r.Resource}, Verbs: r.Verbs, ResourceNames: r.RoleNames(nil)})
	}
	return rules
}

func sameRoleAndBinding(g requests.Grant, i requests.Item, got Object) error {
	if _, is := got.(*rbacv1.RoleBinding); is {
		return sameRoleBinding(got, i.Namespace, i.Name, subjectOf(g, i), rbacv1.RoleRef{
			Kind: "Role", APIGroup: "rbac.authorization.k8s.io", Name: i.Name})
	}
	return sameRole(got, i.Namespace, i.Name, i.Allows)
}

// sameRole takes away from a Role, rule by rule, what the grant says.
func sameRole(got Object, namespace, name string, rules []requests.Rule) error {
	role, is := got.(*rbacv1.Role)
	if !is {
		return fmt.Errorf("it is a %T", got)
	}
	object := *role
	if err := sameHeader(&object.TypeMeta, &object.ObjectMeta, "Role", namespace,
		name); err != nil {
		return err
	}
	if err := sameRules(object.Rules, rules); err != nil {
		return err
	}
	object.Rules = nil
	if !reflect.DeepEqual(object, rbacv1.Role{}) {
		return errMore
	}
	return nil
}

func sameRules(got []rbacv1.PolicyRule, rules []requests.Rule) error {
	if len(got) != len(rules) {
		return fmt.Errorf("it has %d rules, not %d", len(got), len(rules))
	}
	for n, rule := range got {
		want := rules[n]
		switch {
		case !slices.Equal(rule.APIGroups, []string{want.Group}):
			return fmt.Errorf("the API groups of rule %d are %q, not %q", n+1, rule.APIGroups,
				want.Group)
		case !slices.Equal(rule.Resources, []string{want.Resource}):
			return fmt.Errorf("the resources of rule %d are %q, not %q", n+1, rule.Resources,
				want.Resource)
		case !slices.Equal(rule.Verbs, want.Verbs):
			return fmt.Errorf("the verbs of rule %d are %q, not %q", n+1, rule.Verbs, want.Verbs)
		case !slices.Equal(rule.ResourceNames, want.RoleNames(nil)):
			return fmt.Errorf("the names of rule %d are %q, not %q", n+1, rule.ResourceNames,
				want.RoleNames(nil))
		case len(rule.NonResourceURLs) != 0:
			return fmt.Errorf("rule %d is about paths", n+1)
		}
	}
	return nil
}

// checkAllows refuses rules that no policy can have produced.
func checkAllows(rules []requests.Rule) error {
	if len(rules) == 0 || len(rules) > requests.MaxRules {
		return fmt.Errorf("it has %d rules; a Role of a grant has 1 to %d", len(rules),
			requests.MaxRules)
	}
	for n, r := range rules {
		if problem := requests.CheckRule(r); problem != "" {
			return fmt.Errorf("rule %d: %s", n+1, problem)
		}
	}
	return nil
}

// GeneratedRules is the resource, of an API that nobody serves, whose names are the rules that the
// agent may write into Roles. Only the fence asks for it.
const (
	GeneratedGroup = "pullgrant.dev"
	GeneratedRules = "generatedrules"
)

// roleRights lets the agent write Roles and bind them. The escalation check of RBAC is off for it,
// as it does not hold what it gives; the fence stands in its place. Where objects can be asked for
// that come and go, it may see which there are, and change Roles, of which the fence leaves the
// names.
func roleRights(items []requests.Item) []rbacv1.PolicyRule {
	writes, sees := []string{"create", "escalate", "bind"}, seesMatching(items)
	if len(sees) > 0 {
		writes = []string{"create", "update", "escalate", "bind"}
	}
	return append([]rbacv1.PolicyRule{
		allow(rbacv1.GroupName, "roles", writes...),
		allow(rbacv1.GroupName, "rolebindings", "create"),
		allow("batch", "jobs", "create"),
		mayGenerate(items),
	}, sees...)
}

// seesMatching lets the agent see the objects that can match.
func seesMatching(items []requests.Item) (rules []rbacv1.PolicyRule) {
	var kinds []string
	for _, i := range items {
		for _, r := range i.Allows {
			for _, m := range r.Match {
				if requests.Unmatched(r.Object()) == "" {
					kinds = append(kinds, m.Kinds(r.Object())...)
				}
			}
		}
	}
	for _, kind := range slices.Compact(slices.Sorted(slices.Values(kinds))) {
		resource, group := requests.SplitKind(kind)
		rules = append(rules, allow(group, resource, "list", "watch"))
	}
	return rules
}

// mayGenerate says which rules the agent may write.
func mayGenerate(items []requests.Item) rbacv1.PolicyRule {
	var keys []string
	for _, i := range items {
		for _, r := range i.Allows {
			keys = append(keys, r.Key())
		}
	}
	return named(allow(GeneratedGroup, GeneratedRules, "generate"), keys...)
}

// checkSelectors refuses what Kubernetes does not read as a selector, and what only commands go by.
func checkSelectors(rules []requests.Rule) error {
	for _, r := range rules {
		for _, m := range r.Match {
			if m.Deployment != "" {
				return refuse("deployment", m.Deployment, "only commands are given by it")
			}
			if _, err := kubelabels.Parse(m.Selector); err != nil {
				return refuse("selector", m.Selector, err.Error())
			}
		}
	}
	return nil
}
