package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// known refuses a cluster and a policy that neither a policy nor a request has.
func (o revokeOptions) known(cmd *cobra.Command, s revocable) error {
	clusters, names := clustersOf(s.tree), s.tree.PolicyNames()
	stands := func(is func(requests.Place) bool) bool {
		return slices.ContainsFunc(slices.Collect(maps.Keys(s.files)), func(path string) bool {
			place, ok := requests.SplitPath(path)
			return ok && is(place)
		})
	}
	switch {
	case o.cluster != "" && !slices.Contains(clusters, o.cluster) &&
		!stands(func(p requests.Place) bool { return p.Cluster == o.cluster }):
		return usagef(cmd, "--cluster %q: no policy is for it; there are: %s", o.cluster,
			cmp.Or(strings.Join(clusters, ", "), "none"))
	case o.policy != "" && !slices.Contains(names, o.policy) &&
		!stands(func(p requests.Place) bool { return p.Policy == o.policy }):
		return usagef(cmd, "--policy %q: there is no such policy; there are: %s", o.policy,
			cmp.Or(strings.Join(names, ", "), "none"))
	}
	return nil
}

// nothing says that nothing is meant, though nothing was named that there is not.
func (o revokeOptions) nothing(s revocable) string {
	where := "on the default branch of " + s.repo
	if o.cluster != "" {
		where = "for cluster " + o.cluster + " " + where
	}
	switch {
	case o.policy != "":
		return fmt.Sprintf("nothing under policy %s stands %s", o.policy, where)
	case o.all:
		return "nothing stands " + where
	}
	text := fmt.Sprintf("--subject %q: nobody of that name has anything %s", o.subject, where)
	if !slices.ContainsFunc(s.people.Spec.Users, func(u policies.Identity) bool {
		return strings.EqualFold(u.GitHub, o.subject) ||
			slices.ContainsFunc(clustersOf(s.tree), func(cluster string) bool {
				return strings.EqualFold(u.On(cluster), o.subject)
			})
	}) {
		text += fmt.Sprintf(", and %s has neither a login nor a user of it", policies.IdentitiesPath)
	}
	return text + fmt.Sprintf("; \"%s list --all\" lists who has what", program)
}

// lacking says of each name that is not among what is meant what became of it, and what to do.
func (o revokeOptions) lacking(ctx context.Context, s revocable, meant []string, all *endings) {
	for _, name := range o.names {
		is := func(path string) bool { return named(name, path) }
		if slices.ContainsFunc(meant, is) {
			continue
		}
		t, ok := parseTarget(name)
		paths := slices.Sorted(maps.Keys(s.files))
		switch i := slices.IndexFunc(paths, is); {
		case !ok || t.number > 0:
			all.lacks(exitFindings, name, "not the name of a request, such as 20261122-alice-inc-123, "+
				"nor its file")
		case i >= 0:
			all.lacks(exitFindings, t.name, "not on cluster %s; it stands at %s", o.cluster, paths[i])
		default:
			o.notLive(ctx, s, t, all)
		}
	}
}

// notLive says what became of a request that is not on the default branch.
func (o revokeOptions) notLive(ctx context.Context, s revocable, t target, all *endings) {
	e, err := lookElsewhere(ctx, all.world, s.client, t)
	switch {
	case err != nil:
		all.lacks(exitFailed, t.name, "not live, and what became of it could not be told: %v", err)
	case e.ended != "":
		all.lacks(exitFindings, t.name, "it is over: %s", e.ended)
	case len(e.open) > 0:
		all.lacks(exitFindings, t.name, "not live yet; %s; who takes it back closes that: gh pr close %s",
			e.pulls(), strings.Join(e.open, "; gh pr close "))
	default:
		list := "list --all"
		if o.own {
			list = "list"
		}
		all.lacks(exitFindings, t.name, "%s has it neither on its default branch, nor in its ledger, nor "+
			"in an open pull request; \"%s %s\" has the names", s.repo, program, list)
	}
}
