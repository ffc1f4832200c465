package sync

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/sync/git"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/monitor"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// need is what of the branch a stage goes by.
type need int

const (
	nothing need = iota
	anyTip       // as it was when it was read last: that ends and records, and grants nothing
	theTip
)

// pass is one look at cluster and branch, and what follows from it.
type pass struct {
	*Agent
	main   *plan.Main // nil until it was fetched
	knows  need       // of the branch
	world  plan.World // as it was looked at last
	looked time.Time  // when that began
	judged *plan.Main // the branch whose requests were judged
	// by subject, what a step did not work for: it is left alone until the next pass
	stuck  map[string]plan.Action
	failed failures
	// whether it was asked what limits commands; a watch begins the next pass when that changes
	guarded bool
}

// pass takes one, and returns what did not work. It ends what the cluster alone says is over before
// anything that waits for a network beyond it; then it fetches the branch, ends and records what
// that says; then it judges what is new, policies before requests, and merges what needs no review.
// A stage does what it can, and the next ones follow, unless they would go by what is not known.
func (a *Agent) pass(ctx context.Context) failures {
	a.trying.pass++
	p := &pass{Agent: a}
	for _, s := range []struct {
		stage monitor.Stage
		needs need
		vital bool // without it nothing that comes after can be done
		do    func(context.Context) error
	}{
		{monitor.StageRead, nothing, false, p.endDue},
		{monitor.StageRead, nothing, false, a.gate.readNotes},
		{monitor.StageRead, nothing, false, a.gate.testFence},
		{monitor.StageClock, nothing, false, p.readClock},
		{monitor.StageGit, nothing, false, p.fetch},
		{monitor.StageRead, anyTip, true, p.endAndRecord},
		{monitor.StageApply, anyTip, false, a.toldStops(func(ctx context.Context) error {
			return a.askGitHub(ctx, p.world)
		})},
		{monitor.StageApply, anyTip, false, func(ctx context.Context) error {
			return a.gate.repository.note(ctx, a.cluster)
		}},
		{monitor.StageRead, anyTip, true, p.endWithdrawn},
		{monitor.StageApply, anyTip, false, p.refreshNames},
		{monitor.StagePolicies, theTip, false, p.provePolicies},
		{monitor.StageApply, theTip, false, p.tellAsks},
		{monitor.StageRead, theTip, false, a.toldStops(a.compareRights)},
		{monitor.StageRead, theTip, true, p.judge},
		{monitor.StageApply, theTip, false, func(ctx context.Context) error {
			return a.merger.merge(ctx, p.main.Tip)
		}},
		{monitor.StageApply, theTip, false, p.refuse},
		{monitor.StageApply, theTip, false, func(ctx context.Context) error {
			return a.debts.settle(ctx, p.world)
		}},
		{monitor.StageLedger, theTip, false, p.tellGranted},
		{monitor.StageApply, theTip, false, p.accept},
	} {
		if s.needs > p.knows {
			break
		}
		err := s.do(ctx)
		p.failed.add(s.stage, err)
		if err != nil && s.vital {
			break
		}
	}
	if p.knows == theTip {
		p.failed.add(monitor.StageApply, p.branch.see(ctx, p.main.Tip))
	}
	p.failed.add(monitor.StageApply, a.prover.silent.save(ctx, a.cluster, a.clocks.wall()))
	p.lastingEnds()
	a.tell.messages.Ending(p.world.Records)
	a.tell.stops(a.gate.stops())
	return p.failed
}

// toldStops has told what keeps the agent from granting once something was asked that it follows
// from: whoever reads that nothing is granted finds nothing granted meanwhile.
func (a *Agent) toldStops(ask func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		defer func() { a.tell.stops(a.gate.stops()) }()
		return ask(ctx)
	}
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
	if _, hub := p.clocks.skews(); kube.Beyond(hub) == 0 {
		return nil
	}
	return p.github.ReadClock(ctx)
}

func (p *pass) fetch(ctx context.Context) (err error) {
	p.main, err = p.branch.fetch(ctx)
	if err == nil || errors.Is(err, git.ErrNonFastForward) { // otherwise nobody knows
		p.gate.rewritten = err != nil
	}
	switch {
	case err == nil:
		p.knows = theTip
	case p.main != nil:
		p.knows = anyTip
		return fmt.Errorf("the branch is taken as it was, nothing is granted: %w", err)
	default:
		return fmt.Errorf("nothing is granted or recorded, expiry goes on: %w", err)
	}
	return nil
}

// fresh is how long the cluster is known from one look at it. Longer than that a look at ten thousand
// grants takes itself, and what is written by it has preconditions.
const fresh = 5 * time.Second

// endAndRecord ends and records what the branch says. What could not be ended a moment ago is tried
// again. The cluster is not looked at once more when the branch came at once, which is half of what
// a quiet pass asks of its API server.
func (p *pass) endAndRecord(ctx context.Context) error {
	p.stuck = nil
	age := p.clocks.wall().Sub(p.looked)
	return p.settle(ctx, nil, age >= 0 && age < fresh)
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
	p.withdrawals.closeDone(ctx, p.main)
	return nil
}

// provePolicies proves what decides over requests, as far as the branch was read.
func (p *pass) provePolicies(ctx context.Context) error {
	return p.prover.follow(ctx, p.main.Tip, true)
}

// judge judges the requests that are new, and grants or refuses them.
func (p *pass) judge(ctx context.Context) error {
	p.failed.add(monitor.StageRequests, p.tellGone(ctx))
	proofs := p.prover.prove(ctx, p.world)
	p.judged = p.world.Main
	if len(proofs) == 0 {
		return nil
	}
	p.tell.keepReasons(proofs, p.prover.waiting)
	if err := p.converge(ctx, proofs); err != nil {
		for path, proof := range proofs {
			if proof.Decision.Outcome == policies.Allowed {
				p.prover.soon(path) // it was not tried
			}
		}
		return err
	}
	p.prover.release(p.world)
	p.tell.grants(p.world)
	for _, path := range slices.Sorted(maps.Keys(p.prover.waiting)) {
		p.tellWaits(ctx, path, proofs[path])
		if proofs[path].Decision.Outcome == policies.Allowed {
			continue // what its grant lacks is known by another error
		}
		p.failed.add(monitor.StageRequests, fmt.Errorf("%s waits: %s", path,
			proofs[path].Decision.Message))
		p.tellWhyItWaits(path, proofs[path])
	}
	return nil
}

// accept has the next run go on from the tip. Not while a request waits to be judged: its history
// is still needed. Nor while a policy waits, which the next pass reports.
func (p *pass) accept(ctx context.Context) error {
	for path := range p.main.Requests { // what came meanwhile is judged in the next pass
		if _, judged := p.judged.Requests[path]; !judged {
			return nil
		}
	}
	if tip := p.main.Tip; len(p.prover.waiting) == 0 && p.prover.follow(ctx, tip, true) == nil {
		return p.branch.accept(ctx, tip)
	}
	return nil
}

// converge plans and applies until a plan is empty, which the second one is unless something got in
// between. What a step did not work for is kept among the failures and left alone from then on. An
// error says that the world is not known.
func (p *pass) converge(ctx context.Context, proofs map[string]plan.Proof) error {
	return p.settle(ctx, proofs, false)
}

// settle is converge; known says whether the first plan goes by what is known of the cluster.
func (p *pass) settle(ctx context.Context, proofs map[string]plan.Proof, known bool) (err error) {
	const most = 4
	for range most {
		if !known {
			p.looked = p.clocks.wall()
			p.world, err = p.look(ctx)
		}
		if err == nil {
			err = p.beside(ctx, &p.world, p.main)
		}
		if err != nil {
			p.looked = time.Time{}
			return err
		}
		known = false
		p.metrics.Observed(p.world)
		p.tell.messages.Look(ctx, p.world.Records)
		p.forgetEnds()
		p.names.Follow(p.world.Records)
		p.world.Proofs = proofs
		if p.main != nil && proofs == nil { // once a pass
			p.world.Drift = p.drift(ctx, p.world)
		}
		if p.world.Drift == nil {
			p.world.Drift = map[string]string{}
		}
		if !p.guarded {
			p.unguarded(ctx, p.world, p.world.Drift)
			p.guarded = true
		}
		p.world.Withdrawn = p.withdrawals.causes(p.world)
		steps := p.steps()
		if p.main != nil && !slices.ContainsFunc(steps, takesAway) {
			// asked of GitHub once nothing waits to be taken away
			p.world.Doers = p.prover.doers(ctx, p.world)
			steps = p.steps()
		}
		if len(steps) == 0 {
			return nil
		}
		p.looked = time.Time{}
		p.apply(ctx, steps)
		if p.main, err = p.branch.current(ctx, p.main); err != nil {
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
	all := plan.Make(p.clocks.now(), p.world)
	if p.main != nil && !slices.ContainsFunc(all, isEntry) {
		p.gate.pushed(nil)
		clear(p.trying.entering)
	}
	return slices.DeleteFunc(all, func(s plan.Step) bool {
		return p.isStuck(s) || !p.trying.ends[subject(s)].due(p.trying.pass)
	})
}

// lastingEnds keeps the errors of ends that were not tried again in this pass.
func (p *pass) lastingEnds() {
	for _, subject := range slices.Sorted(maps.Keys(p.trying.ends)) {
		if l := p.trying.ends[subject]; l.last != p.trying.pass {
			p.failed.add(monitor.StageApply, fmt.Errorf("not tried in this pass: %w", l.err))
		}
	}
}

// forgetEnds drops what is over by now from what could not be ended.
func (p *pass) forgetEnds() {
	there := map[string]bool{}
	for _, r := range p.world.Records {
		there[r.Grant.Path] = r.Phase != plan.Ended
	}
	for _, l := range p.world.Live {
		there[l.UID] = true
	}
	maps.DeleteFunc(p.trying.ends, func(subject string, _ *lasting) bool { return !there[subject] })
}

func isEntry(s plan.Step) bool { return s.Action == plan.Enter || s.Action == plan.Discard }

// subject is what a step is about: the path of a request or, of what no grant explains, the UID.
func subject(s plan.Step) string {
	if s.Action == plan.Sweep {
		return s.Delete[0].UID
	}
	return s.Record.Grant.Path
}

// look looks at the cluster, and has the expirer know every deadline that a record adds to those of
// the bindings.
func (a *Agent) look(ctx context.Context) (plan.World, error) {
	gone := a.expirer.Gone() // before the lists: what is gone here is gone there
	w, unreadable, err := a.cluster.Observe(ctx)
	if err != nil {
		return w, err
	}
	for _, err := range unreadable {
		a.log.Error("not everything there is can be read", "event", "observe", "cluster", a.cluster.Name,
			"error", err.Error())
	}
	for _, l := range w.Live {
		if l.Labelled && !l.Ours() {
			a.expirer.LeaveAlone(l)
		}
	}
	for _, r := range w.Records {
		for _, o := range r.Objects {
			if r.Phase != plan.Ended && o.UID != "" && !o.IsBackstop() {
				l := plan.Live{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name, UID: o.UID,
					Content: o.Content}
				a.expirer.Watch(l, r.Grant.Window.End.Time)
			}
		}
	}
	w.Gone = gone
	return w, nil
}

// beside adds to the world what the branch and the gate say.
func (a *Agent) beside(ctx context.Context, w *plan.World, main *plan.Main) error {
	if main != nil {
		if err := a.branch.lookUp(ctx, main, namesIn(main, w.Records)...); err != nil {
			return err
		}
	}
	w.Main, w.Stopped = main, a.gate.stops()
	a.next = nextStart(*w, a.clocks.wall())
	return nil
}
