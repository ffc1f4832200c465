package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// neverForExpirer are rights that the expirer must not have: beside those that nobody of ours may
// have, what writes what the agent remembers. What else everybody may do it cannot tell from what
// it alone may do: it has no right to read roles, and needs none.
var neverForExpirer = slices.Concat(never, []right{
	{"", "configmaps", "", []string{"create", "update", "patch", "delete"}},
	{"coordination.k8s.io", "leases", "", []string{"create", "update", "patch", "delete"}},
})

// ExpirerLimits tells what is wrong with the fence, and what the expirer may do beyond what it
// needs. Neither is a reason not to expire.
func (c *Cluster) ExpirerLimits(ctx context.Context) (wrong []plan.Stop, err error) {
	wrong, fenceErr := c.Fence(ctx)
	held, incomplete, err := c.held(ctx, Namespace)
	if err != nil {
		return wrong, errors.Join(fenceErr, err)
	}
	excess, _ := apart(held, neverForExpirer)
	if incomplete {
		more, err := c.asked(ctx, Namespace, neverForExpirer, held)
		if err != nil {
			return wrong, errors.Join(fenceErr, err)
		}
		excess = append(excess, more...)
	}
	if all := rbac.Permissions(excess); len(all) > 0 {
		wrong = append(wrong, plan.Stop{Code: policies.OverPrivileged,
			Message: fmt.Sprintf("the expirer may %s %s in namespace %s; take that right from it, "+
				"pullgrant install --diff shows what is too much", all[0].Does(), all[0].What(),
				Namespace)})
	}
	return wrong, fenceErr
}
