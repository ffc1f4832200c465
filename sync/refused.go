package sync

import (
	"context"
	"errors"
	"slices"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/ledger"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// refusals is what is known of pull requests that were closed lately: the requests of those that were
// refused for ever go into the ledger, which burns their names (R73).
type refusals struct {
	looks map[int]refusalLook
}

type refusalLook struct {
	pull  github.ClosedPull // as it was when it was looked at
	done  bool
	again retry
}

// maxRefusals bounds the closed pull requests that one pass looks at: most take a call.
const maxRefusals = 5

// refuse looks at what was closed and enters what was refused by that. One that cannot be read or
// entered holds up no other, and is tried again.
func (p *pass) refuse(ctx context.Context) error {
	a := p.Agent
	if a.github == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, proveTimeout)
	defer cancel()
	now := a.clocks.wall()
	looks := map[int]refusalLook{}
	var errs []error
	left := maxRefusals
	for _, pull := range a.withdrawals.list.Closed(now) {
		l := a.refusals.looks[pull.Number]
		if l.pull != pull {
			l = refusalLook{pull: pull}
		}
		if !l.done && l.again.due(now) && left > 0 && ctx.Err() == nil {
			left--
			err := p.refuseOne(ctx, pull.Number)
			if l.done = err == nil; err != nil {
				l.again.later(now)
			}
			errs = append(errs, err)
		}
		looks[pull.Number] = l
	}
	a.refusals.looks = looks
	return errors.Join(errs...)
}

// refuseOne looks at one. The name of what was merged by another pull request is used as long as it has
// a record, whether the branch still has its file or not: what is entered is what becomes of that.
func (p *pass) refuseOne(ctx context.Context, number int) error {
	a := p.Agent
	r, err := a.github.Refused(ctx, number, a.clocks.now())
	if err != nil || r == nil {
		return err
	}
	place, _ := requests.SplitPath(r.Path)
	if place.Cluster != a.cluster.Name || slices.ContainsFunc(p.world.Records,
		func(known plan.Record) bool { return known.Grant.Name == place.Name }) {
		return nil
	}
	request, _ := requests.ParseRequest(r.Path, r.Content)
	return a.enter(ctx, []ledger.Entry{{Record: plan.Record{Phase: plan.Ended, Request: r.Content,
		Grant: requests.Grant{Name: place.Name, Path: r.Path, Cluster: place.Cluster, Policy: place.Policy,
			Requester: request.Spec.Requester, Evidence: requests.Evidence{Source: requests.EvidenceGitHub,
				PullRequest: number, HeadSHA: r.HeadSHA, PolicyCommit: r.PolicyCommit}},
		Cause: requests.CauseDenied, Code: string(policies.Refused), RefusedBy: &r.By,
		EndedAt: requests.At(a.clocks.wall())}}})[r.Path]
}
