package kube

import (
	"context"
	"fmt"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/render"
)

// bound is a role that a binding gives to the agent.
type bound struct {
	binding   string // for people: kind, namespace and name
	namespace string // empty: everywhere
	role      rbacv1.RoleRef
	everybody bool // every ServiceAccount has it
	rules     []rbac.RoleRule
	uncounted bool // it is too much to look into, and taken for everything
}

// What is looked into of one namespace. Whoever administers it makes as many bindings there as they
// like, and is to hold up nobody else by that.
const (
	maxBound  = 50     // bindings
	maxRights = 10_000 // of one role
)

// everything is all that somebody may do.
var everything = []rbac.RoleRule{{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}}}

func (b bound) String() string { return b.binding + " of " + b.role.Kind + " " + b.role.Name }

// in tells whether it gives something in a namespace.
func (b bound) in(namespace string) bool { return b.namespace == "" || b.namespace == namespace }

// bounds are all bindings that give the agent something, by its name or by one of its groups,
// without the rules of their roles.
func (c *Cluster) bounds(ctx context.Context) (all []bound, err error) {
	everywhere, err := c.rbac.ClusterRoleBindings().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing ClusterRoleBindings: %w", err)
	}
	for _, b := range everywhere.Items {
		if ours, everybody := reaches(b.Subjects, render.Agent); ours || everybody {
			all = append(all, bound{binding: "ClusterRoleBinding " + b.Name, role: b.RoleRef,
				everybody: everybody})
		}
	}
	local, err := c.rbac.RoleBindings("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing RoleBindings: %w", err)
	}
	for _, b := range local.Items {
		if ours, everybody := reaches(b.Subjects, render.Agent); ours || everybody {
			all = append(all, bound{binding: "RoleBinding " + b.Namespace + "/" + b.Name,
				namespace: b.Namespace, role: b.RoleRef, everybody: everybody})
		}
	}
	return fewer(all), nil
}

// fewer has one take the place of the bindings of a namespace that are too many to look into.
func fewer(all []bound) (left []bound) {
	count := map[string]int{} // by namespace
	for _, b := range all {
		count[b.namespace]++
	}
	told := map[string]bool{}
	for _, b := range all {
		switch n := count[b.namespace]; {
		case b.namespace == "" || n <= maxBound:
			left = append(left, b)
		case !told[b.namespace]:
			told[b.namespace] = true
			left = append(left, bound{binding: fmt.Sprintf("%d RoleBindings in %s", n, b.namespace),
				namespace: b.namespace, role: rbacv1.RoleRef{Kind: "roles", Name: "that nobody looks into"},
				rules: everything, uncounted: true})
		}
	}
	return left
}

// reaches tells whether subjects take in a ServiceAccount of the agent's namespace, and whether
// they take in every one. The groups are those that Kubernetes puts a ServiceAccount in:
// https://kubernetes.io/docs/reference/access-authn-authz/authentication/#service-account-tokens
func reaches(subjects []rbacv1.Subject, account string) (ours, everybody bool) {
	for _, s := range subjects {
		switch s.Kind {
		case rbacv1.ServiceAccountKind:
			ours = ours || s.Namespace == Namespace && s.Name == account
		case rbacv1.UserKind:
			ours = ours || s.Name == "system:serviceaccount:"+Namespace+":"+account
		case rbacv1.GroupKind:
			ours = ours || s.Name == "system:serviceaccounts:"+Namespace
			everybody = everybody || s.Name == "system:authenticated" ||
				s.Name == "system:serviceaccounts"
		}
	}
	return ours, everybody
}

// fill reads the roles of bindings that give something in one of the namespaces. A role that is not
// there gives nothing.
func (c *Cluster) fill(ctx context.Context, all []bound, namespaces []string) error {
	read := map[string][]rbac.RoleRule{}
	for i := range all {
		b := &all[i]
		if b.uncounted || b.namespace != "" && !slices.Contains(namespaces, b.namespace) {
			continue
		}
		key := b.role.Kind + " " + b.role.Name
		if b.role.Kind == "Role" {
			key += " in " + b.namespace
		}
		rules, known := read[key]
		if !known {
			var given []rbacv1.PolicyRule
			var err error
			if b.role.Kind == "Role" {
				var role *rbacv1.Role
				role, err = c.rbac.Roles(b.namespace).Get(ctx, b.role.Name, metav1.GetOptions{})
				if err == nil {
					given = role.Rules
				}
			} else {
				var role *rbacv1.ClusterRole
				role, err = c.rbac.ClusterRoles().Get(ctx, b.role.Name, metav1.GetOptions{})
				if err == nil {
					given = role.Rules
				}
			}
			if err != nil && !apierrors.IsNotFound(err) {
				return fmt.Errorf("reading %s: %w", key, err)
			}
			rules = roleRules(given)
			read[key] = rules
		}
		if b.rules = rules; b.namespace != "" && rightsOf(rules) > maxRights {
			b.rules, b.uncounted = everything, true
		}
	}
	return nil
}

// rightsOf counts what rules give, each verb on each object.
func rightsOf(rules []rbac.RoleRule) (n int) {
	for _, r := range rules {
		n += len(r.Verbs) * (len(r.NonResourceURLs) +
			len(r.APIGroups)*len(r.Resources)*max(len(r.ResourceNames), 1))
	}
	return n
}

// roleRules are rules of Kubernetes' own type as rbac takes them.
func roleRules(rules []rbacv1.PolicyRule) (all []rbac.RoleRule) {
	for _, r := range rules {
		all = append(all, rbac.RoleRule{APIGroups: r.APIGroups, Resources: r.Resources,
			ResourceNames: r.ResourceNames, NonResourceURLs: r.NonResourceURLs, Verbs: r.Verbs})
	}
	return all
}
