package sync

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/pullgrant/pullgrant/sync/git"
	"github.com/pullgrant/pullgrant/sync/monitor"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// pass is one look at cluster and branch, and what follows from it.
type pass struct {
	*Agent
	main   *plan.Main      // nil until it was fetched
	world  plan.World      // as it was looked at last
	stuck  map[string]bool // what a step did not work for: it is left alone until the next pass
	failed failures
}

// pass takes one, and returns what did not work. It ends what the cluster alone says is over before
// anything that waits for a network beyond it; then it fetches the branch, ends and records what
// that says; then it judges what is new, policies before requests. A stage does what it can, and
// the next ones follow, unless they would go by what is not known.
func (a *Agent) pass(ctx context.Context) failures {
	p := &pass{Agent: a}
	for _, s := range []struct {
		stage monitor.Stage
		vital bool // without it nothing that comes after can be done
		do    func(context.Context) error
	}{
		{monitor.StageRead, false, p.endDue},
		{monitor.StageRead, false, a.gate.readPaused},
		{monitor.StageRead, false, a.gate.testLimits},
		{monitor.StageClock, false, p.readClock},
		{monitor.StageGit, true, p.fetch},
		{monitor.StageRead, true, p.endAndRecord},
		{monitor.StageApply, false,
			func(ctx context.Context) error { return a.askGitHub(ctx, p.world) }},
		{monitor.StageRead, true, p.endWithdrawn},
		{monitor.StagePolicies, false, p.provePolicies},
		{monitor.StageRead, true, p.judge},
		{monitor.StageApply, false, p.accept},
	} {
		err := s.do(ctx)
		p.failed.add(s.stage, err)
		if err != nil && s.vital {
			break
		}
	}
	a.tell.stops(a.gate.stops())
	return p.failed
}

// endDue ends what the cluster alone says is over.
func (p *pass) endDue(ctx context.Context) error {
	p.withdrawals.open = nil // until they are listed again
	p.failed.add(monitor.StageRead, p.converge(ctx, nil))
	for i := range p.failed {
		p.failed[i].err = fmt.Errorf("settling the cluster: %w", p.failed[i].err)
	}
	return nil
}

// readClock asks GitHub for its time while that was too far off: without a request it tells it to
// nobody.
func (p *pass) readClock(ctx context.Context) error {
	if _, hub := p.clocks.skews(); beyond(hub) == 0 {
		return nil
	}
	return p.github.ReadClock(ctx)
}

func (p *pass) fetch(ctx context.Context) (err error) {
	p.main, err = p.branch.fetch(ctx)
	if err == nil || errors.Is(err, git.ErrNonFastForward) { // otherwise nobody knows
		p.gate.rewritten = err != nil
	}
	if err != nil {
		return fmt.Errorf("nothing is granted or recorded, expiry goes on: %w", err)
	}
	return nil
}

// endAndRecord ends and records what the branch says. What could not be ended a moment ago is tried
// again.
func (p *pass) endAndRecord(ctx context.Context) error {
	p.stuck = nil
	return p.converge(ctx, nil)
}

// askGitHub asks for what can change a plan beside the branch: whether GitHub's rules still protect
// that, and which withdrawals are open. It is asked once nothing waits to be taken away. An answer
// that cannot be had ends and grants nothing; it is asked for again.
func (a *Agent) askGitHub(ctx context.Context, w plan.World) error {
	if a.github == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, proveTimeout)
	defer cancel()
	return errors.Join(a.withdrawals.find(ctx, w), a.gate.readRules(ctx))
}

// endWithdrawn plans again when GitHub told otherwise than was planned for, and tells what came of
// it.
func (p *pass) endWithdrawn(ctx context.Context) error {
	w := p.world
	if !maps.Equal(w.Withdrawn, p.withdrawals.causes(w)) ||
		(len(w.Stopped) == 0) != (len(p.gate.stops()) == 0) {
		if err := p.converge(ctx, nil); err != nil {
			return err
		}
	}
	p.tell.grants(p.world)
	p.withdrawals.closeDone(p.main)
	return nil
}

// provePolicies proves what decides over requests, as far as the branch was read.
func (p *pass) provePolicies(ctx context.Context) error {
	return p.prover.follow(ctx, p.main.Tip, true)
}

// judge judges the requests that are new, and grants or refuses them.
func (p *pass) judge(ctx context.Context) error {
	proofs := p.prover.prove(ctx, p.world)
	if len(proofs) == 0 {
		return nil
	}
	p.tell.keepReasons(proofs)
	if err := p.converge(ctx, proofs); err != nil {
		return err
	}
	p.prover.release(p.world)
	p.tell.grants(p.world)
	for _, path := range slices.Sorted(maps.Keys(p.prover.waiting)) {
		if p.stuck[path] {
			continue // why is among the failures
		}
		p.failed.add(monitor.StageRequests,
			fmt.Errorf("%s waits: %s", path, proofs[path].Decision.Message))
	}
	return nil
}

// accept has the next run go on from the tip. Not while a request waits to be judged: its history
// is still needed. Nor while a policy waits, which the next pass reports.
func (p *pass) accept(ctx context.Context) error {
	if tip := p.branch.repository.Tip(); len(p.prover.waiting) == 0 &&
		p.prover.follow(ctx, tip, true) == nil {
		return p.branch.accept(ctx, tip)
	}
	return nil
}

// converge plans and applies until a plan is empty, which the second one is unless something got in
// between. What a step did not work for is kept among the failures and left alone from then on. An
// error says that the world is not known.
func (p *pass) converge(ctx context.Context, proofs map[string]plan.Proof) (err error) {
	const most = 4
	for range most {
		if p.world, err = p.observe(ctx, p.main); err != nil {
			return err
		}
		p.metrics.Observed(p.world)
		p.world.Proofs = proofs
		if p.main != nil && proofs == nil { // once a pass
			p.world.Drift = p.drift(ctx, p.world)
		}
		p.world.Withdrawn = p.withdrawals.causes(p.world)
		steps := p.steps()
		if p.main != nil && !slices.ContainsFunc(steps, takesAway) {
			// asked of GitHub once nothing waits to be taken away
			p.world.Removers = p.prover.removers(ctx, p.world)
			steps = p.steps()
		}
		if len(steps) == 0 {
			return nil
		}
		p.apply(ctx, steps)
		if p.main, err = p.branch.current(p.main); err != nil {
			return err
		}
	}
	p.failed.add(monitor.StageApply,
		fmt.Errorf("the cluster does not settle after %d plans; it changes faster than they are applied",
			most))
	p.world.Main = p.main
	return nil
}

func takesAway(s plan.Step) bool { return s.Action == plan.End || s.Action == plan.Sweep }

// steps are those of a plan, but for what is stuck.
func (p *pass) steps() []plan.Step {
	return slices.DeleteFunc(plan.Make(p.clocks.now(), p.world),
		func(s plan.Step) bool { return p.stuck[subject(s)] })
}

// subject is what a step is about: the path of a request or, of what no grant explains, the UID.
func subject(s plan.Step) string {
	if s.Action == plan.Sweep {
		return s.Delete[0].UID
	}
	return s.Record.Grant.Path
}

// observe looks at the cluster, and has the expirer know every deadline that a record adds to those
// of the bindings.
func (a *Agent) observe(ctx context.Context, main *plan.Main) (plan.World, error) {
	gone := a.expirer.Gone() // before the lists: what is gone here is gone there
	w, unreadable, err := a.cluster.Observe(ctx)
	if err != nil {
		return w, err
	}
	for _, err := range unreadable {
		a.log.Error("a record cannot be read", "event", "observe", "cluster", a.cluster.Name,
			"error", err.Error())
	}
	for _, r := range w.Records {
		for _, o := range r.Objects {
			if r.Phase != plan.Ended && o.UID != "" && o.IsBinding() {
				l := plan.Live{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name, UID: o.UID,
					Content: o.Content}
				a.expirer.Watch(l, r.Grant.Window.End.Time)
			}
		}
	}
	w.Main, w.Gone, w.Stopped = main, gone, a.gate.stops()
	return w, nil
}
