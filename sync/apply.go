package sync

import (
	"context"
	"slices"
	gosync "sync"
	"time"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
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
		kind := slices.DeleteFunc(slices.Clone(steps[:n]),
			func(s plan.Step) bool { return p.stuck[subject(s)] })
		steps = steps[n:]
		for i := range kind {
			if r, written := records[kind[i].Record.Grant.Path]; written && action != plan.Sweep {
				kind[i].Record = r
			}
		}
		if action == plan.Enter || action == plan.Discard {
			p.applyEntries(ctx, kind)
			continue
		}
		for path, r := range p.applyEach(ctx, kind) {
			records[path] = r
		}
	}
}

// applyEach takes steps of one kind, several at a time, and returns the records of those that
// worked as they are then.
func (p *pass) applyEach(ctx context.Context, steps []plan.Step) map[string]plan.Record {
	var mu gosync.Mutex
	var group gosync.WaitGroup
	records := map[string]plan.Record{}
	slots := make(chan struct{}, workers)
	for _, s := range steps {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			r, err := p.step(ctx, s)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				records[s.Record.Grant.Path] = r
			case s.Action == plan.Grant:
				p.fail(monitor.StageRequests, s, err)
			default:
				p.fail(monitor.StageApply, s, err)
			}
		})
	}
	group.Wait()
	return records
}

// fail keeps the error of a step.
func (p *pass) fail(stage monitor.Stage, s plan.Step, err error) {
	p.failed.add(stage, err)
	if p.stuck == nil {
		p.stuck = map[string]bool{}
	}
	p.stuck[subject(s)] = true
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
		return a.grant(ctx, r)
	case plan.Forget:
		return r, a.cluster.Forget(ctx, r)
	case plan.Deny:
		log.Info("refused", "code", r.Code)
		return r, a.save(ctx, &r)
	}
	if s.Action == plan.End && len(s.Delete) > 0 {
		a.announce(ctx, &r)
	}
	ended := a.clocks.now()
	for _, l := range s.Delete {
		deleted, err := a.cluster.Delete(ctx, l)
		if err != nil {
			return r, err
		}
		if render.GivesAccess(l.Kind) {
			ended = a.clocks.now() // deleting the Jobs takes time, and gave nobody access
			if deleted && r.Cause == requests.CauseExpired {
				a.metrics.Late(ended.Sub(r.Grant.Window.End.Time))
			}
		}
		if s.Action == plan.Sweep {
			a.tell.forged(l)
		}
		log.Info("deleted", "kind", l.Kind, "namespace", l.Namespace,
			"name", l.Name, "cause", r.Cause)
	}
	if s.Action == plan.Sweep {
		return r, nil
	}
	if r.EndedAt.IsZero() {
		r.EndedAt = requests.At(ended)
	}
	log.Info("ended", "cause", r.Cause, "code", r.Code)
	return r, a.save(ctx, &r)
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

// applyEntries takes the steps that are commits. They stand or fall together.
func (p *pass) applyEntries(ctx context.Context, steps []plan.Step) {
	var entries []ledger.Entry
	for _, s := range steps {
		entries = append(entries, ledger.Entry{Record: s.Record, Discard: s.Action == plan.Discard})
	}
	if err := p.enter(ctx, entries); err != nil {
		p.failed.add(monitor.StageLedger, err)
		for _, s := range steps {
			p.fail(monitor.StageLedger, s, nil)
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
