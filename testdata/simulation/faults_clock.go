package simulation

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/pullgrant/pullgrant/testdata/clocks"
)

// Faults of clocks, up to the time outage. Then they are set right.
const (
	ahead    = "clock ahead"              // of one replica: by minutes or hours
	behind   = "clock behind"             // the same
	drifts   = "clock drifts"             // of one replica, a second in ten or twenty, either way
	ahead8s  = "Kubernetes' clock ahead"  // the API server's and its controllers'
	behind8s = "Kubernetes' clock behind" // the same
)

// clock is one that can be wrong, for several reasons at a time.
type clock struct {
	mu  sync.Mutex
	off map[string]time.Duration // how much it is ahead, by why
}

func (c *clock) now() time.Time { return clocks.Set(time.Now(), c.ahead()) }

// ahead is how much it is, in all.
func (c *clock) ahead() (all time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.off {
		all += d
	}
	return all
}

// reading is by how much a clock of a cluster is ahead from a time on.
type reading struct {
	cluster, of string
	ahead       time.Duration
}

// latest is the latest time that a clock of a cluster, or one of some of them, said not long before a
// time.
func (h history) latest(cluster string, at time.Time, whose ...string) time.Time {
	return at.Add(h.furthest(cluster, at, at, whose...))
}

// furthest is by how much a clock of a cluster, or one of some of them, was ahead at most in a time, or not
// long before.
func (h history) furthest(cluster string, from, to time.Time, whose ...string) (most time.Duration) {
	now := map[string]time.Duration{}
	for _, e := range h {
		if c := e.clock; c != nil && c.cluster == cluster && !e.at.After(to) &&
			(len(whose) == 0 || slices.Contains(whose, c.of)) {
			if e.at.After(from.Add(-clockRead)) {
				most = max(most, now[c.of], c.ahead) // both, as it was set meanwhile
			}
			now[c.of] = c.ahead
		}
	}
	for _, d := range now {
		most = max(most, d)
	}
	return most
}

// set has a clock of a cluster be so much ahead for one reason.
func (w *world) set(s *site, of string, c *clock, why string, ahead time.Duration) {
	c.mu.Lock()
	if c.off == nil {
		c.off = map[string]time.Duration{}
	}
	c.off[why] = ahead
	c.mu.Unlock()
	all := c.ahead()
	w.note("the clock of %s is %s ahead", of, all)
	w.add(event{clock: &reading{s.name, of, all}})
}

var clockFaults = []beside{
	{ahead, 800, false, jump(ahead, 1, clockOf)},
	{behind, 800, false, jump(behind, -1, clockOf)},
	{ahead8s, 400, false, jump(ahead8s, 1, apiServer)},
	{behind8s, 400, false, jump(behind8s, -1, apiServer)},
	{drifts, 800, false, func(w *world, s *site, occasion string) func() {
		name, c := clockOf(w, s, drifts+occasion)
		step := time.Duration(1-2*w.below(2, drifts+" whither "+occasion)) * time.Second
		every := w.span(10*time.Second, 20*time.Second, drifts+" by "+occasion)
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			for n, tick := time.Duration(1), time.NewTicker(every); ; n++ {
				w.set(s, name, c, drifts, n*step)
				select {
				case <-tick.C:
				case <-stop:
					tick.Stop()
					return
				}
			}
		}()
		return func() {
			close(stop)
			<-stopped
			w.set(s, name, c, drifts, 0)
		}
	}},
}

// replica is one of a cluster that ends access, by chance.
func (w *world) replica(s *site, what string) *replica {
	all := append(s.of(agents), s.of(expirers)...)
	return all[w.below(len(all), "replica for "+what)]
}

func clockOf(w *world, s *site, what string) (string, *clock) {
	r := w.replica(s, what)
	return r.name, &r.watch
}

func apiServer(_ *world, s *site, _ string) (string, *clock) { return of(kubernetes, s.name), &s.clock }

// jump sets a clock ahead or behind: half of the time by minutes, else by hours.
func jump(name string, sign time.Duration, which func(*world, *site, string) (string, *clock)) func(
	*world, *site, string) func() {
	return func(w *world, s *site, occasion string) func() {
		of, c := which(w, s, name+occasion)
		by := w.span(time.Second, 5*time.Minute, fmt.Sprint(name, " by ", occasion))
		if w.below(2, name+" hours "+occasion) == 0 {
			by *= 60
		}
		w.set(s, of, c, name, sign*by)
		return func() { w.set(s, of, c, name, 0) }
	}
}
