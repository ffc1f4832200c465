package simulation

import (
	"fmt"
	"time"
)

// Shapes of an installation. A run has each by chance, as it has faults, but for the whole of it
// and with nothing broken.
const (
	twoClusters = "two clusters" // on one repository
	hasExpirers = "expirers"     // processes that only expire, beside the agents
	onBranch    = "evidence"     // is the branch: nothing is proved, whatever is on main is granted
	hasPasses   = "passes"       // single ones of an agent, which a cron job starts beside the agents
	shortPages  = "short pages"  // GitHub's lists are long, as far as their pages go
)

// shapes is of 100,000 runs, or clusters of them, how many have each.
var shapes = map[string]int{twoClusters: 30_000, hasExpirers: 60_000,
	hasPasses: 30_000, hasAWS: 40_000, hasAudit: 80_000, onBranch: 10_000, shortPages: 5000}

// shape tells whether a run has one.
func (w *world) shape(name, of string) bool {
	_, is := w.chosen(name, of)
	return is
}

// clusters are the names of those that there are.
func (w *world) clusters() []string {
	if w.shape(twoClusters, "repository") {
		return []string{clusterName, "prod-us"}
	}
	return []string{clusterName}
}

// pageSize is how much of a list GitHub gives at once.
func (w *world) pageSize() int {
	if w.shape(shortPages, "repository") {
		return 3
	}
	return 100
}

// rename has a request take, by chance, the name of the last one, where that was for another
// cluster and had a name of its own.
func (w *world) rename(r *request, o occasion) {
	n := len(w.asked)
	if n == 0 || w.below(100, o.name+" name") >= 30 {
		return
	}
	last := w.asked[n-1]
	if last.cluster != r.cluster && (n == 1 || w.asked[n-2].name != last.name) {
		r.name = last.name
	}
}

// deploy makes the replicas of a cluster. None runs yet.
func (s *site) deploy() {
	add := func(of program, letters ...string) {
		for _, letter := range letters {
			p := &replica{site: s, program: of, name: s.name + "-" + letter, term: make(chan struct{}, 1)}
			p.scale(true)
			p.skew = s.w.skewOf(p.name)
			s.w.set(s, p.name, &p.watch, skewed, p.skew)
			s.replicas = append(s.replicas, p)
		}
	}
	add(agents, "a", "b")
	if s.w.shape(hasExpirers, s.name) {
		add(expirers, "c", "d")
	}
	if s.aws {
		add(awsKeepers, "e", "f")
	}
	if s.w.shape(hasPasses, s.name) {
		add(passes, "g")
	}
}

// skewOf is by how much a clock is ahead, by chance.
func (w *world) skewOf(name string) time.Duration {
	if !w.fault(skewed, name) {
		return 0
	}
	return w.span(-5*time.Second, 5*time.Second, "skew of "+name)
}

// What whoever runs the installation does beside.
const (
	rollout    = "rollout of "         // one replica after the other is replaced
	scaledDown = "no replica left of " // for up to hours
)

// asleep is how long none of a program's replicas may be there, beyond the time outage.
const asleep = 150 * time.Minute

// rolledOut has the replicas of a program replaced one after the other.
func rolledOut(of program) beside {
	return beside{rollout + of.name, 4000, false, func(w *world, s *site, _ string) func() {
		wait := time.Duration(0)
		for _, p := range s.of(of) {
			time.AfterFunc(wait, p.end)
			wait += 90 * time.Second
		}
		return nil
	}}
}

// noneOf names it.
func noneOf(which program, cluster string) string { return of(scaledDown+which.name, cluster) }

// none has no replica of a program run.
func none(of program, rate int) beside {
	return beside{scaledDown + of.name, rate, false, func(w *world, s *site, _ string) func() {
		if len(s.of(of)) == 0 {
			return nil
		}
		scale := func(up bool) {
			for _, p := range s.of(of) {
				p.scale(up)
			}
		}
		scale(false)
		over := w.stops(noneOf(of, s.name))
		s.slept++
		more := w.span(0, asleep, fmt.Sprintf("%s%s sleeps %d", scaledDown, of.name, s.slept))
		return func() {
			time.Sleep(more)
			scale(true)
			over()
		}
	}}
}

// of are the replicas of a program.
func (s *site) of(which program) (all []*replica) {
	for _, p := range s.replicas {
		if p.program.name == which.name {
			all = append(all, p)
		}
	}
	return all
}
