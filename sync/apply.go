package sync

import (
	"context"
	"errors"
	"fmt"
	gosync "sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
)

// workers is how many steps of one kind run at a time; more gain nothing.
const workers = 16

// ungranted is the error of a plan of which everything worked but grants.
type ungranted struct{ error }

func (e ungranted) Unwrap() error { return e.error }

// apply takes the steps of a plan, kind by kind in its order. A step that does not work leaves the later ones of the same
// grant undone, and no others; the next plan has it again. The errors of all are returned as one, ungranted where all of
// them are about grants.
func (a *Agent) apply(ctx context.Context, steps []Step) error {
	var mu gosync.Mutex
	var errs, grants []error
	records := map[string]*Record{} // by path, as written last; nil after an error
	for begin := 0; begin < len(steps); {
		end := begin
		for end < len(steps) && steps[end].Action == steps[begin].Action {
			end++
		}
		if action := steps[begin].Action; action == Enter || action == Discard {
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
				case s.Action == Grant:
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
func (a *Agent) step(ctx context.Context, s Step) (Record, error) {
	if err := ctx.Err(); err != nil {
		return s.Record, err
	}
	r := s.Record
	log := a.log.With("event", string(s.Action), "cluster", a.cluster.name, "request", r.Grant.Name)
	switch s.Action {
	case Grant:
		return a.grant(ctx, r)
	case Forget:
		return r, a.cluster.forget(ctx, r)
	case Deny:
		log.Info("refused", "code", r.Code)
		return r, a.save(ctx, &r)
	}
	for _, b := range s.Bindings {
		deleted, err := a.cluster.delete(ctx, b)
		switch {
		case err != nil:
			return r, err
		case s.Action == Sweep:
			a.forged(b)
		case deleted && r.Cause == requests.CauseExpired:
			a.metrics.late(a.now().Sub(r.Grant.Window.End.Time))
		}
		log.Info("deleted", "namespace", b.Namespace, "binding", b.Name, "cause", r.Cause)
	}
	if s.Action == Sweep {
		return r, nil
	}
	if r.EndedAt.IsZero() {
		r.EndedAt = requests.At(a.now())
	}
	log.Info("ended", "cause", r.Cause, "code", r.Code)
	return r, a.save(ctx, &r)
}

// grant brings an allowed request from nothing, or from wherever an earlier try left it, to Granted.
func (a *Agent) grant(ctx context.Context, r Record) (Record, error) {
	objects, err := render.Render(r.Grant)
	if err != nil {
		return r, err
	}
	bindings := make([]Object, len(objects))
	fresh := r.version == ""
	for i := range objects {
		o := &objects[i]
		bindings[i] = Object{Namespace: o.Namespace, Name: o.Name, Content: content(o)}
		if !fresh && r.Bindings[i].UID != "" {
			bindings[i] = r.Bindings[i]
			continue
		}
		if bindings[i].NamespaceUID, err = a.cluster.namespaceUID(ctx, o.Namespace); err != nil {
			return r, err
		}
	}
	r.Bindings = bindings
	if err := a.cluster.save(ctx, &r); err != nil {
		return r, err
	}
	log := a.log.With("event", string(Grant), "cluster", a.cluster.name, "request", r.Grant.Name, "expires_at", r.Grant.Window.End.String())
	for i := range objects {
		if r.Bindings[i].UID != "" {
			continue
		}
		if !a.now().Before(r.Grant.Window.End.Time) {
			return r, fmt.Errorf("granting %s: its window ended meanwhile", r.Grant.Name)
		}
		uid, err := a.cluster.create(ctx, &objects[i])
		if fresh && apierrors.IsAlreadyExists(err) {
			return a.conflict(ctx, r, i)
		}
		if err != nil {
			return r, fmt.Errorf("granting %s: %w", r.Grant.Name, err)
		}
		r.Bindings[i].UID = uid
		log.Info("created", "namespace", objects[i].Namespace, "binding", objects[i].Name)
	}
	r.Phase = Granted
	return r, a.save(ctx, &r)
}

// conflict ends a grant when something else stands under the name of its binding number at. That is left as it is,
// whatever it says; what was created of the grant goes.
func (a *Agent) conflict(ctx context.Context, r Record, at int) (Record, error) {
	for _, b := range r.Bindings {
		if b.UID == "" {
			continue
		}
		if _, err := a.cluster.delete(ctx, Live{Namespace: b.Namespace, Name: b.Name, UID: b.UID}); err != nil {
			return r, err
		}
	}
	r.Phase, r.Cause, r.Code, r.EndedAt = Ended, requests.CauseDenied, string(policies.BindingConflict), requests.At(a.now())
	a.log.Error("a RoleBinding with the reserved name was there already", "event", string(Deny), "cluster", a.cluster.name,
		"request", r.Grant.Name, "namespace", r.Bindings[at].Namespace, "binding", r.Bindings[at].Name, "code", r.Code)
	return r, a.save(ctx, &r)
}

// applyEntries takes the steps that are commits.
func (a *Agent) applyEntries(ctx context.Context, steps []Step, records map[string]*Record) error {
	var entries []entry
	for _, s := range steps {
		known, ok := records[s.Record.Grant.Path]
		if ok && known == nil {
			continue
		}
		if ok {
			s.Record = *known
		}
		entries = append(entries, entry{record: s.Record, discard: s.Action == Discard})
	}
	err := in(stageLedger, a.enter(ctx, entries))
	if err != nil {
		for _, e := range entries {
			records[e.record.Grant.Path] = nil
		}
	}
	return err
}
