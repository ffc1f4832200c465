package sync

import (
	"context"
	"maps"
	"slices"

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
	live, trees := map[string][]plan.Record{}, map[string]policies.Tree{} // by policy
	for _, r := range w.Records {
		if r.Phase == plan.Ended {
			continue
		}
		byPolicy[r.Grant.Policy] = append(byPolicy[r.Grant.Policy], r.Grant)
		if r.Phase == plan.Granted {
			live[r.Grant.Policy] = append(live[r.Grant.Policy], r)
		}
		for role := range r.Roles {
			byRole[role] = append(byRole[role], r)
		}
	}
	unknown := func(what string, err error) {
		a.log.Error("whether grants still go with "+what+" is not known", "event", "drift",
			"cluster", a.cluster.Name, "error", err.Error())
	}
	for _, role := range slices.Sorted(maps.Keys(byRole)) { // one order, for who replays a run
		now, err := a.cluster.RoleDigest(ctx, role)
		if err != nil {
			unknown("their role", err)
			continue
		}
		for _, r := range byRole[role] {
			if now != r.Roles[role] {
				found[r.Grant.Path] = requests.CauseRoleChanged
			}
		}
	}
	for _, policy := range slices.Sorted(maps.Keys(byPolicy)) {
		grants := byPolicy[policy]
		tree, err := a.branch.tree(ctx, w.Main.Tip, grants[0].Path)
		if err != nil {
			unknown("their policy", err)
			delete(live, policy)
			continue
		}
		trees[policy] = tree
		now := a.clocks.now()
		maps.Copy(found, policies.Drift(tree, grants, now))
		maps.Copy(denied, policies.LiveDenied(tree, grants, now))
	}
	tightened := map[string]string{}
	for path, t := range a.tightened(ctx, trees, live, unknown) {
		tightened[path] = t.Message
		if t.Cause != "" && found[path] == "" {
			found[path] = t.Cause
		}
	}
	a.tellOfLive("is denied by a rule", a.denied, denied)
	a.tellOfLive("does not go with its policy any more", a.teams.told, tightened)
	a.denied, a.teams.told = denied, tightened
	return found
}

// tellOfLive logs what is said of live access, by path, and was not said before.
func (a *Agent) tellOfLive(what string, before, now map[string]string) {
	for _, path := range slices.Sorted(maps.Keys(now)) {
		if text := now[path]; before[path] != text {
			a.log.Warn("live access "+what, "event", "drift", "cluster", a.cluster.Name, "request", path,
				"message", text)
		}
	}
}
