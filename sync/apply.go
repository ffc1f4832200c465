package sync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	gosync "sync"
	"time"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/ledger"
	"github.com/pullgrant/pullgrant/sync/monitor"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// workers is how many steps of one kind run at a time; more gain nothing.
const workers = 16

// announceTime is how long the end of a grant waits for its cause to be noted.
const announceTime = time.Second

// apply takes the steps of a plan, kind by kind in its order. A step that does not work leaves the
// later ones of the same grant undone, and no others; its error is kept, and what it is about is
// stuck.
func (p *pass) apply(ctx context.Context, steps []plan.Step) {
	records := map[string]plan.Record{} // by path, as written last
	for len(steps) > 0 {
		action := steps[0].Action
		n := slices.IndexFunc(steps, func(s plan.Step) bool { return s.Action != action })
		if n < 0 {
			n = len(steps)
		}
		kind := slices.DeleteFunc(slices.Clone(steps[:n]), p.isStuck)
		steps = steps[n:]
		for i := range kind {
			if r, written := records[kind[i].Record.Grant.Path]; written && action != plan.Sweep &&
				action != plan.Discard {
				kind[i].Record = r
			}
		}
		if isEntry(plan.Step{Action: action}) {
			p.applyEntries(ctx, kind)
			continue
		}
		if action == plan.Forget {
			p.keepMessages(ctx)
		}
		for path, r := range p.applyEach(ctx, kind) {
			records[path] = r
		}
	}
}

// keepMessages has noted what channels are to be told of records before these are forgotten. Nothing
// waits for that for longer.
func (p *pass) keepMessages(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, announceTime)
	defer cancel()
	p.tell.messages.Keep(ctx)
}

// applyEach takes steps of one kind, several at a time, and returns the records of those that
// worked as they are then.
func (p *pass) applyEach(ctx context.Context, steps []plan.Step) map[string]plan.Record {
	var group gosync.WaitGroup
	done, errs := make([]plan.Record, len(steps)), make([]error, len(steps))
	slots := make(chan struct{}, workers)
	for n, s := range steps {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			done[n], errs[n] = p.step(ctx, s)
		})
	}
	group.Wait()
	records := map[string]plan.Record{}
	for n, s := range steps { // in their order: what is told of several is not by chance
		switch err := errs[n]; {
		case err == nil:
			records[s.Record.Grant.Path] = done[n]
		case s.Action == plan.Grant:
			p.fail(monitor.StageRequests, s, err)
			if errors.Is(err, errArmedLate) {
				p.prover.soon(s.Record.Grant.Path)
			}
			if errors.Is(err, kube.ErrOtherFence) { // which was looked at an hour ago at most
				p.gate.tested = retry{}
			}
		case takesAway(s):
			p.fail(monitor.StageApply, s, err)
			p.endLater(s, err)
		default:
			p.fail(monitor.StageApply, s, err)
		}
	}
	return records
}

// fail keeps the error of a step.
func (p *pass) fail(stage monitor.Stage, s plan.Step, err error) {
	p.failed.add(stage, err)
	if p.stuck == nil {
		p.stuck = map[string]plan.Action{}
	}
	p.stuck[subject(s)] = s.Action
}

// isStuck tells whether a step is left alone until the next pass. An end does not wait for that where only
// granting did not work: what came of it gives access.
func (p *pass) isStuck(s plan.Step) bool {
	by, stuck := p.stuck[subject(s)]
	return stuck && (s.Action != plan.End || by != plan.Grant)
}

// tries is what did not work and is tried again, of what is done to the cluster and to the ledger.
type tries struct {
	pass     int                     // number of the one that is taken
	ends     map[string]*lasting     // by subject, what could not be ended
	entering map[string]waitingEntry // by path, what could not be entered
	telling  retry                   // that grants began
}

// lasting is what could not be ended. Its pauses are counted in passes, which are what it would
// hold up: the next one tries again, and then ever fewer do. The expiry loop goes on trying what is
// past its end.
type lasting struct {
	last  int   // pass that tried
	pause int   // passes that do not, after it
	err   error // of the last try
}

// longestPause is in passes: some minutes, as they come without a webhook.
const longestPause = 30

// due tells whether a pass is to try. What one could not end it tries once more.
func (l *lasting) due(pass int) bool { return l == nil || pass == l.last || pass > l.last+l.pause }

// Of an end that gives nobody access any more.
var (
	errOnlyJob = errors.New("only a Job is left, which gives nobody access")
	errUnnoted = errors.New("access is over, and that could not be noted")
)

// endLater puts off an end that did not work, and tells once it is not done at the second try and
// somebody has access still.
func (p *pass) endLater(s plan.Step, err error) {
	l := p.trying.ends[subject(s)]
	if l == nil {
		p.trying.ends[subject(s)] = &lasting{last: p.trying.pass, err: err}
		return
	}
	l.err = err
	if l.last != p.trying.pass {
		l.last, l.pause = p.trying.pass, min(max(2*l.pause, 1), longestPause)
	}
	if !errors.Is(err, errOnlyJob) && !errors.Is(err, errUnnoted) {
		p.tell.lasts(s, err)
	}
}

// step takes one step in the cluster and returns the record as it is then.
func (a *Agent) step(ctx context.Context, s plan.Step) (plan.Record, error) {
	if err := ctx.Err(); err != nil {
		return s.Record, err
	}
	r := s.Record
	log := a.log.With("event", string(s.Action), "cluster", a.cluster.Name, "request", r.Grant.Name)
	switch s.Action {
	case plan.Grant:
		return a.grant(ctx, r, s.Overlaps)
	case plan.Forget:
		return r, a.cluster.Forget(ctx, r)
	case plan.Attribute:
		log.Info("known by whom", "by", r.EndedBy.Login)
		return r, a.cluster.Save(ctx, &r)
	case plan.Note:
		return r, a.cluster.Save(ctx, &r)
	case plan.Schedule:
		log.Info("scheduled", "starts_at", r.Grant.Window.Start.String())
		return r, a.save(ctx, &r)
	case plan.Deny:
		log.Info("refused", "code", r.Code)
		return r, a.save(ctx, &r)
	}
	if s.Action == plan.End && len(s.Delete) > 0 {
		a.announce(ctx, &r)
	}
	ended := a.clocks.now()
	var kept error // what is kept alive keeps nothing else but the Jobs, which end it by themselves
	for _, l := range s.Delete {
		if kept != nil && l.IsBackstop() {
			break
		}
		deleted, err := a.cluster.Delete(ctx, l)
		if err != nil && l.IsBackstop() { // which goes after what gives access
			err = fmt.Errorf("%w: %w", errOnlyJob, err)
		}
		if err != nil {
			kept = errors.Join(kept, err)
			continue
		}
		if render.GivesAccess(l.Kind) {
			ended = a.clocks.now() // deleting the Jobs takes time, and gave nobody access
			if deleted && r.Cause == requests.CauseExpired {
				a.metrics.Late(ended.Sub(r.Grant.Window.End.Time))
			}
		}
		if !deleted {
			continue // somebody else was faster, and tells
		}
		if s.Action == plan.Sweep {
			a.tell.forged(l)
		}
		log.Info("deleted", "kind", l.Kind, "namespace", l.Namespace, "name", l.Name,
			"cause", r.Cause)
	}
	if s.Action == plan.Sweep || kept != nil {
		return r, kept
	}
	if r.EndedAt.IsZero() {
		r.EndedAt = requests.At(ended)
	}
	log.Info("ended", "cause", r.Cause, "code", r.Code)
	if err := a.save(ctx, &r); err != nil {
		return r, fmt.Errorf("%w: %w", errUnnoted, err)
	}
	return r, nil
}

// announce notes for what cause a grant is about to end, so that a process that finds it half ended
// says the same. An end by time can be told afterwards. Access does not last because this does not
// work.
func (a *Agent) announce(ctx context.Context, r *plan.Record) {
	if r.Cause == requests.CauseExpired {
		return
	}
	begun := *r
	begun.Phase = plan.Ending
	ctx, cancel := context.WithTimeout(ctx, announceTime)
	defer cancel()
	if a.cluster.Save(ctx, &begun) == nil {
		r.Version = begun.Version
	}
}

// applyEntries takes the steps that are commits. One that cannot be done holds up no other.
func (p *pass) applyEntries(ctx context.Context, steps []plan.Step) {
	var entries []ledger.Entry
	for _, s := range steps {
		entries = append(entries, ledger.Entry{Record: s.Record, Discard: s.Action == plan.Discard,
			Holder: s.Holder})
	}
	failed := p.enter(ctx, entries)
	told := map[string]bool{} // a batch fails as one
	for _, s := range steps {
		if err := failed[s.Record.Grant.Path]; err != nil {
			if told[err.Error()] {
				err = nil
			} else {
				told[err.Error()] = true
			}
			p.fail(monitor.StageLedger, s, err)
		}
	}
}

// save writes a record that says what came of a request, and tells so.
func (a *Agent) save(ctx context.Context, r *plan.Record) error {
	if err := a.cluster.Save(ctx, r); err != nil {
		return err
	}
	a.tell.record(*r)
	return nil
}
