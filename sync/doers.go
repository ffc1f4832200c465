package sync

import (
	"context"
	"errors"
	"fmt"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// doers finds out who ended the grants that are over because the branch says so: whoever removed
// the request file, or changed what decides. Nothing is asked while access still lasts: it does not
// wait for an answer. That GitHub knows of nobody stands once it has said so for long enough.
func (v *prover) doers(ctx context.Context, w plan.World) map[string]requests.Person {
	found := map[string]requests.Person{}
	ctx, cancel := context.WithTimeout(ctx, proveTimeout)
	defer cancel()
	for _, r := range w.Records {
		p := r.Grant.Path
		if v.github == nil {
			found[p] = requests.Person{}
			continue
		}
		if !r.AsksWho() || r.Cause != "" && w.Entered(r.Grant.Name) || ctx.Err() != nil ||
			!v.asking[p].due(v.clocks.wall()) {
			continue
		}
		by, err := v.doer(ctx, w.Main.Tip, r)
		if err != nil {
			again := v.asking[p]
			again.later(v.clocks.wall())
			v.asking[p] = again
			v.log.Error("who ended a grant is not known yet", "event", "judge", "request",
				r.Grant.Name, "cluster", v.cluster.Name, "error", err.Error())
			continue
		}
		delete(v.asking, p)
		found[p] = by
	}
	return found
}

// doer asks for one. A request whose commit is off the branch went with that, for the branch was
// rewritten and a person accepted it: no pull request did it, and none is to be waited for.
func (v *prover) doer(ctx context.Context, tip string, r plan.Record) (by requests.Person,
	err error) {
	if _, err := v.branch.repository.Reach(ctx, tip, r.Grant.Evidence.MergeCommit); errors.Is(err,
		git.ErrNotOnLine) {
		return by, nil
	}
	if r.Cause == "" {
		by, err = v.github.RemovedBy(ctx, r.Grant.Path, tip)
	} else {
		var commit string
		if commit, err = v.contradicts(ctx, tip, r); err == nil && commit == "" {
			return by, nil // nobody did it on the branch: somebody left a team
		}
		if err == nil {
			by, err = v.github.MergedBy(ctx, commit)
		}
	}
	if err != nil {
		return by, err
	}
	missing := policies.Decision{}
	if by == (requests.Person{}) {
		missing = policies.Refuse(policies.NoPullRequest, "GitHub knows of no pull request")
	}
	if d := v.bear(ctx, "end "+r.Grant.Path, missing); d.Outcome == policies.Failed {
		return by, errors.New(d.Message)
	}
	return by, nil
}

// contradicts finds the commit of the first-parent line since which the branch contradicts a grant;
// empty when the tip does not.
func (v *prover) contradicts(ctx context.Context, tip string, r plan.Record) (string, error) {
	g := r.Grant
	_, line, err := v.branch.repository.History(ctx, tip, g.Evidence.MergeCommit, trustRoots...)
	if err != nil {
		return "", fmt.Errorf("looking for what contradicts %s: %w", g.Name, err)
	}
	for _, c := range line {
		if len(c.Changes) == 0 && !c.TooMany {
			continue
		}
		tree, err := v.branch.tree(ctx, c.Hash, g.Path)
		if err != nil {
			return "", fmt.Errorf("looking for what contradicts %s: %w", g.Name, err)
		}
		given, err := v.given(ctx, r, tree)
		if err != nil {
			return "", fmt.Errorf("looking for what contradicts %s: %w", g.Name, err)
		}
		if now := v.clocks.now(); policies.Drift(tree, []requests.Grant{g}, now)[g.Path] != "" ||
			policies.Tightened(tree, []policies.Given{given}, now)[g.Path].Cause != "" {
			return c.Hash, nil
		}
	}
	return "", nil
}
