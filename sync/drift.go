package sync

import (
	"context"
	"maps"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// drift finds the grants that the branch or the cluster contradicts by now, with the cause that
// ends each. Nothing that cannot be read ends a grant; it is logged, and looked at again in the
// next pass.
func (a *Agent) drift(ctx context.Context, w plan.World) map[string]string {
	found, denied := map[string]string{}, map[string]string{}
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
		a.log.Error("whether grants still go with "+what+" is not known", "event", "drift",
			"cluster", a.cluster.Name, "error", err.Error())
	}
	for role, records := range byRole {
		now, err := a.cluster.RoleDigest(ctx, role)
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
		tree, err := a.branch.tree(ctx, w.Main.Tip, grants[0].Path)
		if err != nil {
			unknown("their policy", err)
			continue
		}
		now := a.clocks.now()
		maps.Copy(found, policies.Drift(tree, grants, now))
		maps.Copy(denied, policies.LiveDenied(tree, grants, now))
	}
	for path, text := range denied {
		if a.denied[path] != text {
			a.log.Warn("live access is denied by a rule", "event", "drift", "cluster",
				a.cluster.Name, "request", path, "message", text)
		}
	}
	a.denied = denied
	return found
}
