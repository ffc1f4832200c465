package sync

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	gosync "sync"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/plan"
)

const (
	tick          = time.Second     // longest time between two looks at the clock, and between two tries
	deleteTimeout = 5 * time.Second // of one try
	listTimeout   = 30 * time.Second
	deleters      = 32             // first tries at a time, and as many that are tried again
	goneFor       = 24 * time.Hour // how long it is remembered that a binding disappeared
	scanEvery     = time.Minute    // between two lists of all bindings, should the watch ever miss one
)

// expirer deletes managed bindings when they are due. It goes by what the bindings themselves say and by what records
// add, and needs neither git nor GitHub nor the rest of the agent. It writes no records: whoever plans learns from gone
// what disappeared and when.
type expirer struct {
	cluster *kube.Cluster
	now     func() time.Time
	log     *slog.Logger
	wake    chan struct{} // a deadline came closer
	vanish  chan struct{} // a binding disappeared
	metrics *metrics

	mu       gosync.Mutex
	until    time.Time            // when the clock is read next
	watched  map[string]*deadline // by UID
	vanished map[string]plan.Gone // by UID
}

type deadline struct {
	plan.Live
	at     time.Time // when access ends
	next   time.Time // when to try; later than at after a try that did not work
	going  bool      // a try is on its way
	failed bool      // a try did not work
}

// newExpirer wants a cluster of its own, so that nothing else the agent does can hold it up.
func newExpirer(c *kube.Cluster, now func() time.Time, log *slog.Logger) *expirer {
	return &expirer{cluster: c, now: now, log: log, wake: make(chan struct{}, 1), vanish: make(chan struct{}, 1),
		watched: map[string]*deadline{}, vanished: map[string]plan.Gone{}}
}

// run works until ctx ends, and then waits for the deletions that are on their way.
func (e *expirer) run(ctx context.Context) error {
	informer := cache.NewSharedIndexInformer(e.cluster.Bindings(), &rbacv1.RoleBinding{}, 0, cache.Indexers{})
	if err := informer.SetTransform(trim); err != nil {
		return fmt.Errorf("watching RoleBindings: %w", err)
	}
	err := informer.SetWatchErrorHandler(func(_ *cache.Reflector, err error) {
		e.metrics.failed(stageWatch)
		e.log.Error("watching RoleBindings does not work; deadlines known so far hold", "event", "watch", "cluster", e.cluster.Name, "error", err.Error())
	})
	if err != nil {
		return fmt.Errorf("watching RoleBindings: %w", err)
	}
	handler, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { e.back(object); e.see(object) },
		UpdateFunc: func(_, object any) { e.see(object) },
		DeleteFunc: func(object any) { e.miss(object) },
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
		e.metrics.beat(handler.HasSynced())
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
func (e *expirer) scan(ctx context.Context) {
	ticker := time.NewTicker(scanEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := e.look(ctx); err != nil && ctx.Err() == nil {
			e.log.Error("looking at all RoleBindings does not work; deadlines known so far hold", "event", "watch", "cluster", e.cluster.Name, "error", err.Error())
		}
	}
}

// look takes over the deadlines of all bindings there are.
func (e *expirer) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	list, err := e.cluster.ListBindings(ctx)
	if err != nil {
		return err
	}
	for i := range list {
		e.see(&list[i])
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

// see takes over a binding's own deadline. One that cannot be read is due now: such a binding is not the agent's work.
func (e *expirer) see(object any) {
	b, ok := object.(*rbacv1.RoleBinding)
	if !ok {
		return
	}
	var end requests.Time
	if err := end.UnmarshalText([]byte(b.Annotations[render.AnnotationExpiresAt])); err != nil {
		end = requests.At(e.now())
	}
	e.watch(e.cluster.Live(b), end.Time)
}

// watch has a binding deleted at the given time, or earlier when that was said before: expiry never moves later (G2).
func (e *expirer) watch(l plan.Live, at time.Time) {
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

func (e *expirer) miss(object any) {
	if last, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = last.Obj
	}
	if b, ok := object.(*rbacv1.RoleBinding); ok {
		e.note(e.cluster.Live(b))
	}
}

// back forgets that a binding disappeared: its label was taken off and put on again, and it gave access all the time.
func (e *expirer) back(object any) {
	if b, ok := object.(*rbacv1.RoleBinding); ok {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.vanished, string(b.UID))
	}
}

// note remembers that a binding disappeared, the first time somebody says so. It may only have lost its label; the plan
// knows better, since it looks for bindings by name.
func (e *expirer) note(l plan.Live) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	if _, known := e.vanished[l.UID]; !known {
		d := e.watched[l.UID]
		e.vanished[l.UID] = plan.Gone{Live: l, At: now, Expired: d != nil && !now.Before(d.at)}
		signal(e.vanish)
	}
	delete(e.watched, l.UID)
}

// gone lists what disappeared lately.
func (e *expirer) gone() []plan.Gone {
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

// due takes what is to be tried now, most overdue first, and says how long to sleep: the clock is read again at least
// every second, since timers do not notice that it was set or that the machine slept.
func (e *expirer) due() (due []*deadline, wait time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	wait = tick
	for _, d := range e.watched {
		switch left := d.next.Sub(now); {
		case d.going:
		case left <= 0, left > tick && !now.Before(d.at): // the latter: a clock was set back after a try
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
func (e *expirer) expire(ctx context.Context, d *deadline) {
	ctx, cancel := context.WithTimeout(ctx, deleteTimeout)
	defer cancel()
	deleted, err := e.cluster.Delete(ctx, d.Live)
	log := e.log.With("cluster", e.cluster.Name, "namespace", d.Namespace, "binding", d.Name, "expires_at", requests.At(d.at).String())
	if err != nil {
		e.metrics.failed(stageExpire)
		log.Error("expiring a binding did not work; trying again every second", "event", "expire", "error", err.Error())
		e.mu.Lock()
		defer e.mu.Unlock()
		d.going, d.failed, d.next = false, true, e.now().Add(tick)
		return
	}
	if deleted {
		log.Info("expired", "event", "expire")
		e.metrics.late(e.now().Sub(d.at))
		e.note(d.Live)
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
