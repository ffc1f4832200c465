package kube

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/sync/plan"
)

// MadeMeanwhile lists the RoleBindings that appeared in the namespaces of a grant while it lasted
// and are still there.
func (c *Cluster) MadeMeanwhile(ctx context.Context, r plan.Record) ([]rbacv1.RoleBinding, error) {
	var all []rbacv1.RoleBinding
	for _, namespace := range r.Grant.Namespaces() {
		list, err := c.rbac.RoleBindings(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, fmt.Errorf("listing RoleBindings in %s: %w", namespace, err)
		}
		all = append(all, slices.DeleteFunc(list.Items,
			func(b rbacv1.RoleBinding) bool { return c.manages(b.Labels) })...)
	}
	return within(all, r.Grant.Window.Start.Time, r.EndedAt.Time), nil
}

// within are the RoleBindings made from one moment to another, both included, oldest first. Times
// are whole seconds.
func within(all []rbacv1.RoleBinding, from, to time.Time) (made []rbacv1.RoleBinding) {
	for _, b := range all {
		if at := b.CreationTimestamp.Time; !at.Before(from) && !at.After(to) {
			made = append(made, b)
		}
	}
	slices.SortStableFunc(made, func(a, b rbacv1.RoleBinding) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time),
			cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return made
}
