package execaudit

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	gosync "sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/monitor"
	"github.com/pullgrant/pullgrant/sync/plan"
)

const (
	// gap is the least time between two rounds.
	gap = 100 * time.Millisecond
	// writeEvery are the rounds from one write of a record to the next: a flood of events makes one
	// a second. A use that ends a grant waits for nothing the first time.
	writeEvery = 10
	// looks are how often an event is looked at that is no grant's yet, or of one that is being
	// made: it may be known by then.
	looks = 20
	// tries are how often it is tried to write one down, once in writeEvery rounds: for about as long as
	// the API server itself sends an event again.
	tries = 150
	// maxAge is how old an event may be when it comes; the API server sends again for some minutes.
	maxAge = 10 * time.Minute
	// maxSeen is how many uses are remembered, to know again what is told twice.
	maxSeen = 4096
	// lastTimeout bounds the round after the last call was answered.
	lastTimeout = 5 * time.Second
	// saveTimeout bounds the reading and writing of one record.
	saveTimeout = 5 * time.Second
)

// Keeper notes uses beside the records of their grants, and ends grants that are used up. Every
// replica may have one: who writes over another's record is refused and reads it anew.
type Keeper struct {
	Cluster *kube.Cluster // whose calls last as long as their contexts
	Now     func() time.Time
	Metrics *monitor.Metrics
	Log     *slog.Logger
	// End has an object deleted now, and again until that worked.
	End func(plan.Live)

	news chan struct{} // has an element when there is something to do

	// of Run alone
	seen    seen
	rounds  int
	written map[string]int // in which round, by name of the grant

	mu     gosync.Mutex
	queued []queued
	busy   int       // how many are in the round
	blind  time.Time // when following the records did not work last
}

// queued is an event that is not dealt with yet.
type queued struct {
	Event
	looked, tried int  // how often
	added         bool // a record had it not
}

// NewKeeper prepares a keeper.
func NewKeeper(c *kube.Cluster, now func() time.Time, metrics *monitor.Metrics, log *slog.Logger,
	end func(plan.Live)) *Keeper {
	return &Keeper{Cluster: c, Now: now, Metrics: metrics, Log: log, End: end,
		news: make(chan struct{}, 1), written: map[string]int{}}
}

// take queues events, all or none: false when there is no room.
func (k *Keeper) take(events []Event) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.queued)+k.busy+len(events) > maxQueued {
		return false
	}
	for _, e := range events {
		k.queued = append(k.queued, queued{Event: e})
	}
	if len(events) > 0 {
		k.wake()
	}
	return true
}

func (k *Keeper) wake() {
	select {
	case k.news <- struct{}{}:
	default:
	}
}

// end puts what a round left before what came meanwhile.
func (k *Keeper) end(again []queued) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.queued, k.busy = append(again, k.queued...), 0
	if len(again) > 0 {
		k.wake()
	}
}

// Run notes what was queued, until ctx ends, and then what is left: that was answered for.
func (k *Keeper) Run(ctx context.Context) {
	records, err := k.Cluster.FollowRecords(ctx, func(err error) {
		k.mu.Lock()
		k.blind = k.Now()
		k.mu.Unlock()
		k.Log.Error("following the records does not work", "error", err.Error())
	})
	if err != nil {
		k.Log.Error("no use of a command is noted", "error", err.Error())
		return
	}
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			continue
		case <-k.news:
		}
		k.end(k.round(ctx, records(), k.begin()))
		select {
		case <-ctx.Done():
		case <-time.After(gap):
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastTimeout)
	defer cancel()
	clear(k.written) // nothing waits for a later write
	if left := len(k.round(last, records(), k.begin())); left > 0 {
		k.Metrics.AuditEvents(monitor.EventLost, left)
	}
}

// begin is what a round is about.
func (k *Keeper) begin() []queued {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := k.queued
	k.queued, k.busy = nil, len(all)
	return all
}

// round notes the uses among events by the records that are known, and returns those events that are
// to be looked at again.
func (k *Keeper) round(ctx context.Context, records []plan.Record, all []queued) (again []queued) {
	k.rounds++
	maps.DeleteFunc(k.written, func(_ string, in int) bool { return k.rounds-in >= writeEvery })
	noted := map[string][]int{} // indexes of events by the name of their grant
	kept, failed := map[int]bool{}, map[int]bool{}
	for i := range all {
		q := &all[i]
		of := q.of(records)
		early := q.At.Sub(k.Now())
		switch old := early < -maxAge; {
		case k.seen.has(q.Event), old && q.Over:
			k.Metrics.AuditEvents(monitor.EventReplayed, 1)
		case early > plan.MaxSkew, old && len(of) > 0:
			k.Metrics.AuditEvents(monitor.EventStale, 1)
		case old:
			k.Metrics.AuditEvents(monitor.EventForeign, 1)
		case q.looked < looks && !settled(of):
			q.looked++
			again = append(again, *q)
		case len(of) == 0 && k.sees():
			k.Metrics.AuditEvents(monitor.EventForeign, 1)
		case len(of) == 0:
			k.Metrics.AuditEvents(monitor.EventLost, 1)
		case k.waits(of, *q):
			again = append(again, *q)
		default:
			k.seen.add(q.Event)
			kept[i] = true
			for _, r := range of {
				noted[r.Grant.Name] = append(noted[r.Grant.Name], i)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(noted)) {
		k.written[name] = k.rounds
		events := noted[name]
		if err := k.note(ctx, name, events, all); err != nil {
			k.Log.Error("uses could not be noted; trying again", "request", name, "error",
				err.Error())
			for _, i := range events {
				failed[i] = true
			}
		}
	}
	for _, i := range slices.Sorted(maps.Keys(kept)) {
		q := &all[i]
		switch q.tried++; {
		case failed[i] && q.tried < tries:
			k.seen.forget(q.Event)
			again = append(again, *q)
		case failed[i]:
			k.Metrics.AuditEvents(monitor.EventLost, 1)
		case !q.added:
			k.Metrics.AuditEvents(monitor.EventReplayed, 1)
		default:
			k.Metrics.AuditEvents(monitor.EventKept, 1)
			k.Metrics.Used(q.Allowed())
		}
	}
	return again
}

// sees tells whether a grant that is not among the records is none.
func (k *Keeper) sees() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.blind.IsZero() || k.Now().Sub(k.blind) > time.Minute
}

// settled tells whether an event is of grants, all of which are made.
func settled(of []plan.Record) bool {
	return len(of) > 0 &&
		!slices.ContainsFunc(of, func(r plan.Record) bool { return r.Phase == plan.Granting })
}

// waits tells whether an event is to be noted later: a record that it is of was written just now, and
// it ends none, or that did not work just now.
func (k *Keeper) waits(of []plan.Record, q queued) bool {
	return slices.ContainsFunc(of, func(r plan.Record) bool {
		_, just := k.written[r.Grant.Name]
		return just
	}) && !slices.ContainsFunc(of, func(r plan.Record) bool {
		return q.tried == 0 && q.Allowed() && r.Grant.Once() && !r.UsedUp()
	})
}

// note adds uses to the record of a grant, and ends it when it is used up by then. Where somebody else
// wrote the record meanwhile, it is read anew.
func (k *Keeper) note(ctx context.Context, name string, events []int, all []queued) (err error) {
	ctx, cancel := context.WithTimeout(ctx, saveTimeout)
	defer cancel()
	for range 3 {
		if err = k.noteOnce(ctx, name, events, all); !apierrors.IsConflict(err) {
			break
		}
	}
	return err
}

// noteOnce is one try. What the record has already it is not given twice.
func (k *Keeper) noteOnce(ctx context.Context, name string, events []int, all []queued) error {
	r, there, err := k.Cluster.Record(ctx, name)
	if err != nil || !there {
		return err // the ledger has it by now
	}
	known, changed, up := len(r.Uses.First), false, r.UsedUp()
	for _, i := range events {
		all[i].added = r.Uses.Add(all[i].Use())
		changed = changed || all[i].added
	}
	if changed {
		err = k.Cluster.Save(ctx, &r)
	}
	if err == nil {
		for _, use := range r.Uses.First[known:] {
			k.Log.Info("a command was used, as the API server's audit log tells", "request", name,
				"allowed", use.Allowed, "code", use.Code, "command", use.Command)
		}
	}
	if !r.UsedUp() || r.Phase == plan.Ended {
		return err
	}
	if !up { // it ends also when that cannot be written down
		k.Log.Info("used, so that it ends", "request", name)
	}
	for _, o := range r.Objects {
		if o.UID != "" && !o.IsBackstop() {
			k.End(plan.Live{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name, UID: o.UID,
				Content: o.Content})
		}
	}
	return err
}
