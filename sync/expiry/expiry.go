// Package expiry ends access on time. It needs Kubernetes and a clock, and nothing else has a part
// in it.
package expiry

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	gosync "sync"
	"time"

	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/monitor"
	"github.com/pullgrant/pullgrant/sync/plan"
)

const (
	deleteTimeout = 5 * time.Second  // of one try
	listTimeout   = 30 * time.Second // of one list of all objects of a kind
	deleters      = 32               // first tries at a time, and as many that are tried again
	jobGrace      = time.Minute      // after the end of a grant, in which Kubernetes deletes its Job
	goneFor       = 24 * time.Hour   // how long it is remembered that a binding disappeared
	scanEvery     = time.Minute      // between two lists of all objects, should the watch ever miss one
)

// Expirer deletes managed bindings when they are due, and Jobs that Kubernetes itself should have
// deleted by then. It goes by what these themselves say and by what records add, and needs neither
// git nor GitHub nor the rest of the agent. It writes no records: whoever plans learns from Gone
// what disappeared and when.
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
	vanished map[string]plan.Gone // by UID, of all but Jobs
	misnamed map[string]bool      // by UID
}

// deadline is when one object ends.
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
		watched:  map[string]*deadline{}, vanished: map[string]plan.Gone{},
		misnamed: map[string]bool{}}
	numbers.WatchOverdue(e.overdue)
	numbers.WatchMisnamed(func() int {
		e.mu.Lock()
		defer e.mu.Unlock()
		return len(e.misnamed)
	})
	return e
}

// Run works until ctx ends, and then waits for the deletions that are on their way.
func (e *Expirer) Run(ctx context.Context) error {
	var tries gosync.WaitGroup
	defer tries.Wait()
	var synced []func() bool
	for _, w := range e.cluster.Sources() {
		informer, handler, err := e.informer(w)
		if err != nil {
			return fmt.Errorf("watching %s: %w", w.What, err)
		}
		synced = append(synced, handler.HasSynced)
		tries.Go(func() { informer.RunWithContext(ctx) })
	}
	tries.Go(func() { e.scan(ctx) })
	first, again := make(chan struct{}, deleters), make(chan struct{}, deleters)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		due, wait := e.due()
		e.metrics.Beat(!slices.ContainsFunc(synced, func(is func() bool) bool { return !is() }))
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

// Watch has an object deleted at the given time, or earlier when that was said before: expiry never
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

// Gone lists what disappeared lately.
func (e *Expirer) Gone() []plan.Gone {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.forget(e.now())
	all := slices.Collect(maps.Values(e.vanished))
	slices.SortFunc(all, func(a, b plan.Gone) int { return a.At.Compare(b.At) })
	return all
}

// forget drops what disappeared too long ago, also where nobody asks what did.
func (e *Expirer) forget(now time.Time) {
	maps.DeleteFunc(e.vanished, func(_ string, g plan.Gone) bool { return now.Sub(g.At) > goneFor })
}

// due takes what is to be tried now, most overdue first, and says how long to sleep: the clock is
// read again at least every second, since timers do not notice that it was set or that the machine
// slept.
func (e *Expirer) due() (due []*deadline, wait time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	e.forget(now)
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

// expire tries once to delete an object.
func (e *Expirer) expire(ctx context.Context, d *deadline) {
	ctx, cancel := context.WithTimeout(ctx, deleteTimeout)
	defer cancel()
	deleted, err := e.cluster.Delete(ctx, d.Live)
	what := strings.ToLower(strings.TrimPrefix(d.Kind, "Cluster"))
	if d.Place().IsBinding() {
		what = "binding"
	}
	log := e.log.With("cluster", e.cluster.Name, "namespace", d.Namespace, what, d.Name,
		"expires_at", d.at.UTC().Format(time.RFC3339))
	if err != nil {
		e.metrics.Failed(monitor.StageExpire)
		log.Error("expiring a "+what+" did not work; trying again every second", "event", "expire",
			"error", err.Error())
		e.mu.Lock()
		defer e.mu.Unlock()
		d.going, d.failed, d.next = false, true, e.now().Add(monitor.Tick)
		return
	}
	if deleted {
		log.Info("expired", "event", "expire")
		if d.Place().IsBinding() {
			e.metrics.Late(e.now().Sub(d.at))
		}
	}
	e.disappeared(d.Live) // if another replica was faster, at about this time
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
		if d.Place().IsBinding() && !now.Before(d.at) {
			n++
		}
	}
	return n
}
