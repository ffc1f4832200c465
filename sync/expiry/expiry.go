// Package expiry ends access on time. It needs Kubernetes and a clock, and nothing else has a part
// in it.
package expiry

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	gosync "sync"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/monitor"
	"github.com/pullgrant/pullgrant/sync/plan"
)

const (
	deleteTimeout = 5 * time.Second  // of one try
	listTimeout   = 30 * time.Second // of one list of all bindings
	deleters      = 32               // first tries at a time, and as many that are tried again
	goneFor       = 24 * time.Hour   // how long it is remembered that a binding disappeared
	scanEvery     = time.Minute      // between two lists of all bindings, should the watch ever miss one
)

// Expirer deletes managed bindings when they are due. It goes by what the bindings themselves say
// and by what records add, and needs neither git nor GitHub nor the rest of the agent. It writes no
// records: whoever plans learns from Gone what disappeared and when.
type Expirer struct {
	cluster  *kube.Cluster
	now      func() time.Time
	log      *slog.Logger
	wake     chan struct{} // a deadline came closer
	Vanished chan struct{} // has an element when a binding disappeared lately
	metrics  *monitor.Metrics

	mu       gosync.Mutex
	until    time.Time            // when the clock is read next
	watched  map[string]*deadline // by UID
	vanished map[string]plan.Gone // by UID
}

// deadline is when one binding ends.
type deadline struct {
	plan.Live
	at     time.Time // when access ends
	next   time.Time // when to try; later than at after a try that did not work
	going  bool      // a try is on its way
	failed bool      // a try did not work
}

// New wants a cluster of its own, so that nothing else the agent does can hold it up.
func New(c *kube.Cluster, now func() time.Time, numbers *monitor.Metrics,
	log *slog.Logger) *Expirer {
	e := &Expirer{cluster: c, now: now, metrics: numbers, log: log, wake: make(chan struct{}, 1),
		Vanished: make(chan struct{}, 1),
		watched:  map[string]*deadline{}, vanished: map[string]plan.Gone{}}
	numbers.WatchOverdue(e.overdue)
	return e
}

// Run works until ctx ends, and then waits for the deletions that are on their way.
func (e *Expirer) Run(ctx context.Context) error {
	informer := cache.NewSharedIndexInformer(e.cluster.Bindings(), &rbacv1.RoleBinding{},
		0, cache.Indexers{})
	if err := informer.SetTransform(trim); err != nil {
		return fmt.Errorf("watching RoleBindings: %w", err)
	}
	err := informer.SetWatchErrorHandler(func(_ *cache.Reflector, err error) {
		e.metrics.Failed(monitor.StageWatch)
		e.log.Error("watching RoleBindings does not work; deadlines known so far hold",
			"event", "watch", "cluster", e.cluster.Name, "error", err.Error())
	})
	if err != nil {
		return fmt.Errorf("watching RoleBindings: %w", err)
	}
	handler, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { e.back(object); e.seen(object) },
		UpdateFunc: func(_, object any) { e.seen(object) },
		DeleteFunc: func(object any) { e.missed(object) },
	})
	if err != nil {
		return fmt.Errorf("watching RoleBindings: %w", err)
	}
	var tries gosync.WaitGroup
	defer tries.Wait()
	tries.Go(func() { informer.RunWithContext(ctx) })
	tries.Go(func() { e.scan(ctx) })
	first, again := make(chan struct{}, deleters), make(chan struct{}, deleters)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		due, wait := e.due()
		e.metrics.Beat(handler.HasSynced())
		for _, d := range due {
			slots := first
			if d.failed {
				slots = again // what cannot be deleted must not hold up what can
			}
			tries.Go(func() {
				select {
				case <-ctx.Done():
					return
				case slots <- struct{}{}:
				}
				defer func() { <-slots }()
				e.expire(ctx, d)
			})
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case <-e.wake:
		}
	}
}

// scan looks at all bindings from time to time without going by what the watch told.
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
			e.log.Error("looking at all RoleBindings does not work; deadlines known so far hold",
				"event", "watch", "cluster", e.cluster.Name, "error", err.Error())
		}
	}
}

// look takes over the deadlines of all bindings there are.
func (e *Expirer) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	list, err := e.cluster.ListBindings(ctx)
	if err != nil {
		return err
	}
	for i := range list {
		e.seen(&list[i])
	}
	return nil
}

// trim keeps out of memory what nobody reads.
func trim(object any) (any, error) {
	if b, ok := object.(*rbacv1.RoleBinding); ok {
		b.ManagedFields = nil
	}
	return object, nil
}

// seen takes over a binding's own deadline. One that cannot be read is due now: such a binding is
// not the agent's work.
func (e *Expirer) seen(object any) {
	b, ok := object.(*rbacv1.RoleBinding)
	if !ok {
		return
	}
	end, err := kube.EndOf(b)
	if err != nil {
		end = e.now().Truncate(time.Second)
	}
	e.Watch(e.cluster.Live(b), end)
}

// Watch has a binding deleted at the given time, or earlier when that was said before: expiry never
// moves later (G2).
func (e *Expirer) Watch(l plan.Live, at time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	d, known := e.watched[l.UID]
	if known && !at.Before(d.at) {
		return
	}
	if !known {
		d = &deadline{Live: l}
		e.watched[l.UID] = d
	}
	d.at, d.next = at, at
	if at.Before(e.until) {
		signal(e.wake)
	}
}

func (e *Expirer) missed(object any) {
	if last, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = last.Obj
	}
	if b, ok := object.(*rbacv1.RoleBinding); ok {
		e.disappeared(e.cluster.Live(b))
	}
}

// back forgets that a binding disappeared: its label was taken off and put on again, and it gave
// access all the time.
func (e *Expirer) back(object any) {
	if b, ok := object.(*rbacv1.RoleBinding); ok {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.vanished, string(b.UID))
	}
}

// disappeared remembers that a binding disappeared, the first time somebody says so. It may only
// have lost its label; the plan knows better, since it looks for bindings by name.
func (e *Expirer) disappeared(l plan.Live) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	if _, known := e.vanished[l.UID]; !known {
		d := e.watched[l.UID]
		e.vanished[l.UID] = plan.Gone{Live: l, At: now, Expired: d != nil && !now.Before(d.at)}
		signal(e.Vanished)
	}
	delete(e.watched, l.UID)
}

// Gone lists what disappeared lately.
func (e *Expirer) Gone() []plan.Gone {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []plan.Gone
	for uid, g := range e.vanished {
		if e.now().Sub(g.At) > goneFor {
			delete(e.vanished, uid)
			continue
		}
		all = append(all, g)
	}
	slices.SortFunc(all, func(a, b plan.Gone) int { return a.At.Compare(b.At) })
	return all
}

// due takes what is to be tried now, most overdue first, and says how long to sleep: the clock is
// read again at least every second, since timers do not notice that it was set or that the machine
// slept.
func (e *Expirer) due() (due []*deadline, wait time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	wait = monitor.Tick
	for _, d := range e.watched {
		switch left := d.next.Sub(now); {
		case d.going:
		// the latter: a clock was set back after a try
		case left <= 0, left > monitor.Tick && !now.Before(d.at):
			d.going = true
			due = append(due, d)
		default:
			wait = min(wait, left)
		}
	}
	slices.SortFunc(due, func(a, b *deadline) int { return a.at.Compare(b.at) })
	e.until = now.Add(wait)
	return due, wait
}

// expire tries once to delete a binding.
func (e *Expirer) expire(ctx context.Context, d *deadline) {
	ctx, cancel := context.WithTimeout(ctx, deleteTimeout)
	defer cancel()
	deleted, err := e.cluster.Delete(ctx, d.Live)
	log := e.log.With("cluster", e.cluster.Name, "namespace", d.Namespace, "binding", d.Name,
		"expires_at", d.at.UTC().Format(time.RFC3339))
	if err != nil {
		e.metrics.Failed(monitor.StageExpire)
		log.Error("expiring a binding did not work; trying again every second",
			"event", "expire", "error", err.Error())
		e.mu.Lock()
		defer e.mu.Unlock()
		d.going, d.failed, d.next = false, true, e.now().Add(monitor.Tick)
		return
	}
	if deleted {
		log.Info("expired", "event", "expire")
		e.metrics.Late(e.now().Sub(d.at))
		e.disappeared(d.Live)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.watched, d.UID) // somebody else was faster; the watch tells when
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// overdue counts the bindings that are past their end.
func (e *Expirer) overdue() (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	for _, d := range e.watched {
		if !now.Before(d.at) {
			n++
		}
	}
	return n
}
