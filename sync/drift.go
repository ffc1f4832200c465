package sync

import (
	"context"
	"fmt"
	"maps"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// drift finds the grants that the branch or the cluster contradicts by now, with the cause that ends each. Nothing that
// cannot be read ends a grant; it is logged, and looked at again in the next pass.
func (a *Agent) drift(ctx context.Context, w plan.World) map[string]string {
	found := map[string]string{}
	byPolicy := map[string][]requests.Grant{} // so that each policy is read once
	byRole := map[string][]plan.Record{}
	for _, r := range w.Records {
		if r.Phase == plan.Ended {
			continue
		}
		byPolicy[r.Grant.Policy] = append(byPolicy[r.Grant.Policy], r.Grant)
		for role := range r.Roles {
			byRole[role] = append(byRole[role], r)
		}
	}
	unknown := func(what string, err error) {
		a.log.Error("whether grants still go with "+what+" is not known", "event", "drift", "cluster", a.cluster.name, "error", err.Error())
	}
	for role, records := range byRole {
		now, err := a.cluster.roleDigest(ctx, role)
		if err != nil {
			unknown("their role", err)
			continue
		}
		for _, r := range records {
			if now != r.Roles[role] {
				found[r.Grant.Path] = requests.CauseRoleChanged
			}
		}
	}
	for _, grants := range byPolicy {
		tree, err := a.tree(w.Main.Tip, grants[0].Path)
		if err != nil {
			unknown("their policy", err)
			continue
		}
		maps.Copy(found, policies.Drift(tree, grants))
	}
	return found
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
