package kube

import (
	"context"
	"errors"
	"slices"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// tooMuchForExpirer are rights that the expirer must not have beside those that the agent must not:
// with them whoever holds its token gives access, or writes what the agent remembers.
var tooMuchForExpirer = slices.Concat(tooMuch, []right{
	{"rbac.authorization.k8s.io", "rolebindings", []string{"create"}},
	{"batch", "jobs", []string{"create"}},
	{"", "configmaps", []string{"create", "update", "patch", "delete"}},
	{"coordination.k8s.io", "leases", []string{"create", "update", "patch", "delete"}},
})

// ExpirerLimits tells what is wrong with the fence, and what the expirer may do beyond what it
// needs. Neither is a reason not to expire.
func (c *Cluster) ExpirerLimits(ctx context.Context) (wrong []plan.Stop, err error) {
	problem, fenceErr := c.fenceProblem(ctx)
	if problem != "" {
		wrong = append(wrong, plan.Stop{Code: policies.Unfenced,
			Message: problem + "; apply what pullgrant install prints"})
	}
	excess, err := c.excess(ctx, Namespace, tooMuchForExpirer)
	if excess != "" && err == nil {
		wrong = append(wrong, plan.Stop{Code: policies.OverPrivileged,
			Message: "the expirer may " + excess + "; take that right from it, " +
				"pullgrant install --diff shows what is too much"})
	}
	return wrong, errors.Join(fenceErr, err)
}
