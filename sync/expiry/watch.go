package expiry

import (
	"context"
	"errors"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/monitor"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// informer has the expirer learn of all objects of a source, and of each change.
func (e *Expirer) informer(s kube.Source) (cache.SharedIndexInformer,
	cache.ResourceEventHandlerRegistration, error) {
	informer := cache.NewSharedIndexInformer(s.From, s.Example, 0, cache.Indexers{})
	// Each of these is refused only once an informer was started.
	transform := informer.SetTransform(trim)
	failed := informer.SetWatchErrorHandler(func(_ *cache.Reflector, err error) {
		e.metrics.Failed(monitor.StageWatch)
		e.log.Error("watching "+s.What+" does not work; deadlines known so far hold",
			"event", "watch", "cluster", e.cluster.Name, "error", err.Error())
	})
	handler, events := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { e.back(object); e.seen(object) },
		UpdateFunc: func(_, object any) { e.seen(object) },
		DeleteFunc: func(object any) { e.missed(object) },
	})
	return informer, handler, errors.Join(transform, failed, events)
}

// trim keeps out of memory what nobody reads.
func trim(object any) (any, error) {
	switch o := object.(type) {
	case *batchv1.Job:
		o.ManagedFields, o.Spec, o.Status = nil, batchv1.JobSpec{}, batchv1.JobStatus{}
	case metav1.Object:
		o.SetManagedFields(nil)
	}
	return object, nil
}

// scan looks at all objects from time to time without going by what the watch told.
func (e *Expirer) scan(ctx context.Context) {
	ticker := time.NewTicker(scanEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := e.look(ctx); err != nil && ctx.Err() == nil {
			e.log.Error("looking at all objects does not work; deadlines known so far hold",
				"event", "watch", "cluster", e.cluster.Name, "error", err.Error())
		}
	}
}

// look takes over the deadlines of all objects of grants there are, as far as they can be listed.
func (e *Expirer) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	all, err := e.cluster.List(ctx)
	for _, o := range all {
		e.seen(o)
	}
	return err
}

// live is what an informer told of, and false for anything else.
func (e *Expirer) live(object any) (metav1.Object, plan.Live, bool) {
	l, known := e.cluster.Live(object)
	if !known {
		return nil, l, false
	}
	return object.(metav1.Object), l, true
}

// seen takes over an object's own deadline. One that cannot be read is due now: such an object is
// not the agent's work. A Job's own time is later than that of its bindings, so it is left to
// Kubernetes for a while.
func (e *Expirer) seen(object any) {
	o, l, ok := e.live(object)
	if !ok {
		return
	}
	if !l.Ours() {
		e.LeaveAlone(l)
		return
	}
	end, err := kube.EndOf(o)
	switch {
	case err != nil:
		end = e.now().Truncate(time.Second)
	case l.IsBackstop():
		end = end.Add(jobGrace)
	}
	e.Watch(l, end)
}

// LeaveAlone tells, once, of an object that has the agent's label under a name that the agent never
// gives. It is somebody's mistake, so nobody deletes it; whoever sees it in a list of managed
// objects should know.
func (e *Expirer) LeaveAlone(l plan.Live) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.misnamed[l.UID] {
		return
	}
	e.misnamed[l.UID] = true
	e.log.Warn("labelled as if pullgrant managed it, under a name that pullgrant never gives; "+
		"it is left alone", "event", "misnamed", "cluster", e.cluster.Name, "kind", l.Kind,
		"namespace", l.Namespace, "name", l.Name)
}

func (e *Expirer) missed(object any) {
	if last, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = last.Obj
	}
	if _, l, ok := e.live(object); ok {
		e.disappeared(l)
	}
}

// back forgets that a binding disappeared: its label was taken off and put on again, and it gave
// access all the time.
func (e *Expirer) back(object any) {
	if _, l, ok := e.live(object); ok {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.vanished, l.UID)
	}
}

// disappeared remembers that a binding disappeared, the first time somebody says so. It may only
// have lost its label; the plan knows better, since it looks for bindings by name. Who took it away
// nobody tells, so near its end it counts as ended by another replica, whose clock is ahead.
func (e *Expirer) disappeared(l plan.Live) {
	e.mu.Lock()
	defer e.mu.Unlock()
	d, misnamed := e.watched[l.UID], e.misnamed[l.UID]
	delete(e.watched, l.UID)
	delete(e.misnamed, l.UID)
	if _, known := e.vanished[l.UID]; known || misnamed || l.IsBackstop() {
		return
	}
	now := e.now()
	e.vanished[l.UID] = plan.Gone{Live: l, At: now,
		Expired: d != nil && !now.Before(d.at.Add(-plan.MaxSkew))}
	signal(e.Vanished)
}
