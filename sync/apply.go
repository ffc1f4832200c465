package sync

import (
	"context"
	"errors"
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

// ungranted is the error of a plan of which everything worked but grants.
type ungranted struct{ error }

func (e ungranted) Unwrap() error { return e.error }

// apply takes the steps of a plan, kind by kind in its order. A step that does not work leaves the later ones of the same
// grant undone, and no others; the next plan has it again. The errors of all are returned as one, ungranted where all of
// them are about grants.
func (a *Agent) apply(ctx context.Context, steps []plan.Step) error {
	var mu gosync.Mutex
	var errs, grants []error
	records := map[string]*plan.Record{} // by path, as written last; nil after an error
	for begin := 0; begin < len(steps); {
		end := begin
		for end < len(steps) && steps[end].Action == steps[begin].Action {
			end++
		}
		if action := steps[begin].Action; action == plan.Enter || action == plan.Discard {
			if err := a.applyEntries(ctx, steps[begin:end], records); err != nil {
				errs = append(errs, err)
			}
			begin = end
			continue
		}
		var group gosync.WaitGroup
		slots := make(chan struct{}, workers)
		for _, s := range steps[begin:end] {
			path := s.Record.Grant.Path
			mu.Lock() // others of this kind are on their way
			known, ok := records[path]
			mu.Unlock()
			if ok && path != "" {
				if known == nil {
					continue
				}
				s.Record = *known
			}
			slots <- struct{}{}
			group.Go(func() {
				defer func() { <-slots }()
				r, err := a.step(ctx, s)
				mu.Lock()
				defer mu.Unlock()
				records[path] = &r
				switch {
				case err == nil:
					return
				case s.Action == plan.Grant:
					grants = append(grants, err)
				default:
					errs = append(errs, err)
				}
				records[path] = nil
			})
		}
		group.Wait()
		begin = end
	}
	if len(errs) == 0 && len(grants) > 0 {
		return ungranted{errors.Join(grants...)}
	}
	return errors.Join(append(errs, grants...)...)
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
	ended := a.now()
	for _, l := range s.Delete {
		deleted, err := a.cluster.Delete(ctx, l)
		if err != nil {
			return r, err
		}
		if l.Kind == render.KindRoleBinding {
			ended = a.now() // deleting the Jobs takes time, and gave nobody access
			if deleted && r.Cause == requests.CauseExpired {
				a.metrics.Late(ended.Sub(r.Grant.Window.End.Time))
			}
		}
		if s.Action == plan.Sweep {
			a.forged(l)
		}
		log.Info("deleted", "kind", l.Kind, "namespace", l.Namespace, "name", l.Name, "cause", r.Cause)
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

// announce notes for what cause a grant is about to end, so that a process that finds it half ended says the same. An end by
// time can be told afterwards. Access does not last because this does not work.
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

// applyEntries takes the steps that are commits.
func (a *Agent) applyEntries(ctx context.Context, steps []plan.Step, records map[string]*plan.Record) error {
	var entries []ledger.Entry
	for _, s := range steps {
		known, ok := records[s.Record.Grant.Path]
		if ok && known == nil {
			continue
		}
		if ok {
			s.Record = *known
		}
		entries = append(entries, ledger.Entry{Record: s.Record, Discard: s.Action == plan.Discard})
	}
	err := in(monitor.StageLedger, a.enter(ctx, entries))
	if err != nil {
		for _, e := range entries {
			records[e.Record.Grant.Path] = nil
		}
	}
	return err
}
