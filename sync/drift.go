package sync

import (
	"context"
	"fmt"
	"maps"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// drift finds the grants that the branch or the cluster contradicts by now, with the cause that ends each. Nothing that
// cannot be read ends a grant; it is logged, and looked at again in the next pass.
func (a *Agent) drift(ctx context.Context, w World) map[string]string {
	found := map[string]string{}
	live := map[string]string{} // digest by role, for each role once
	for _, r := range w.Records {
		if r.Phase == Ended {
			continue
		}
		cause, err := a.driftOf(ctx, w.Main.Tip, r, live)
		if err != nil {
			a.log.Error("whether a grant still goes with its policy and role is not known", "event", "drift", "cluster", a.cluster.name,
				"request", r.Grant.Name, "error", err.Error())
		}
		if cause != "" {
			found[r.Grant.Path] = cause
		}
	}
	return found
}

func (a *Agent) driftOf(ctx context.Context, tip string, r Record, live map[string]string) (string, error) {
	tree, err := a.tree(tip, r.Grant.Path)
	if err != nil {
		return "", err
	}
	if cause := policies.Drift(tree, r.Grant); cause != "" {
		return cause, nil
	}
	for _, role := range slices.Sorted(maps.Keys(r.Roles)) {
		now, known := live[role]
		if !known {
			if now, err = a.cluster.roleDigest(ctx, role); err != nil {
				return "", err
			}
			live[role] = now
		}
		if now != r.Roles[role] {
			return requests.CauseRoleChanged, nil
		}
	}
	return "", nil
}

// rules are digests of the roles of a grant as they are now.
func (c *cluster) rules(ctx context.Context, g requests.Grant) (map[string]string, error) {
	rules := map[string]string{}
	for _, b := range g.Bindings {
		digest, err := c.roleDigest(ctx, b.Role.Name)
		if err != nil {
			return nil, err
		}
		rules[b.Role.Name] = digest
	}
	return rules, nil
}

// roleDigest stands for the rules of a ClusterRole; "" for one that does not exist, which gives nothing until it does.
func (c *cluster) roleDigest(ctx context.Context, name string) (string, error) {
	role, err := c.role(ctx, name)
	if apierrors.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s aggregated=%t", role.Spec.Hash, role.Spec.Aggregated), nil
}
