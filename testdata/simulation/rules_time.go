package simulation

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// Bounds of a run. Those of one without faults are of a world in which a call takes 60 ms at most.
const (
	calmBound   = time.Second      // an end is late
	faultyBound = 45 * time.Second // by the backstop alone: grace, and what its controllers take
	recovery    = 3 * time.Minute  // after Kubernetes answers again, until its controllers have caught up
	calmGrant   = 15 * time.Second // from merge to binding: a poll and a pass
)

// onTime: nothing is there before its window begins, nor for longer than the bound after it ends.
func onTime(h history) (wrong []string) {
	bound, told := calmBound, h.told()
	unled := remembered(func(cluster string) []span { return h.idle(cluster) })
	alone := remembered(func(cluster string) []span { return h.idle(cluster, expirers.name) })
	if h.faulty() {
		bound = faultyBound
	}
	for _, a := range h.accounts() {
		for _, e := range a.made {
			where := e.version.place()
			if e.at.Before(a.start) && !told.begun(a, e) && !a.handedOver(e.version.made) {
				wrong = append(wrong, fmt.Sprintf("%s got %s at %s, its window begins at %s", a.name, where,
					e.at, a.start))
			}
			if made := e.version.made; made.After(a.end.Add(plan.MaxSkew + time.Second)) {
				wrong = append(wrong, fmt.Sprintf("%s got %s by a call of %s; its window ended at %s", a.name,
					where, made, a.end))
			}
		}
		for _, s := range a.stays {
			if what := s.overdue(told, a, bound, unled(a.cluster), alone(a.cluster)); what != "" {
				wrong = append(wrong, what)
			}
		}
	}
	return wrong
}

// begun tells whether the window of a request had begun by the clock of who made a binding for it,
// which may be ahead by what is tolerated.
func (h history) begun(a *account, e event) bool {
	v := e.version
	by := h.latest(a.cluster, v.made, replicaOf(v.process)).Sub(v.made)
	return !e.at.Add(min(by, tolerated)).Before(a.start)
}

// handedOver tells whether what a request extends was there at a time just before it ends, or as the
// binding was planned, so that the request gives nobody more.
func (a *account) handedOver(at time.Time) bool {
	return a.base != nil && (a.base.has(at) || a.base.has(at.Add(-plan.Wait))) &&
		!at.Before(a.start.Add(-render.Lead))
}

// faulty tells whether anything went wrong in a history at all.
func (h history) faulty() bool {
	for _, e := range h {
		if e.fault != "" || e.down != nil {
			return true
		}
	}
	return false
}

// waived is how much of a time Kubernetes of a cluster answered nobody or let nobody delete a binding,
// its controllers stood still, or one of more systems was down, or had only begun to be up again.
func (h history) waived(cluster string, from, to time.Time, more ...string) time.Duration {
	return covered(h.waives(cluster, more...), recovery, from, to)
}

// waives are when that was so, without the time in which it had only begun to be up again.
func (h history) waives(cluster string, more ...string) []span {
	return h.downs(append(more, of(kubernetes, cluster), of(controllers, cluster), of(keeping, cluster))...)
}

// after is when so much of the time from one on is over as is not waived of it.
func (h history) after(cluster string, from time.Time, unwaived time.Duration) time.Time {
	for at := from; ; {
		next := from.Add(unwaived + h.waived(cluster, from, at))
		if !next.After(at) {
			return at
		}
		at = next
	}
}

// grantedInTime: where nothing breaks, who is approved gets access soon.
func grantedInTime(h history) (wrong []string) {
	if h.faulty() {
		return nil
	}
	k := h.knowledge()
	for _, a := range h.accounts() {
		if about := a.asksOutside(); about != "" &&
			!k.was(about, saysYes, a.merged, a.start.Add(calmGrant)) {
			continue // who is asked outside did not always agree
		}
		if h.crowded(a) {
			continue // there may be no room for it
		}
		if a.standing().IsZero() || a.refused() || a.pushed || a.taken(a.start.Add(calmGrant)) ||
			a.base != nil && !a.base.ran() {
			continue
		}
		lacks := a.objects()
		for _, e := range a.made {
			if e.at.Sub(a.start) <= calmGrant {
				delete(lacks, e.version.place())
			}
		}
		for _, where := range slices.Sorted(maps.Keys(lacks)) {
			wrong = append(wrong, fmt.Sprintf("%s had no %s %s after its start at %s", a.name, where,
				calmGrant, a.start))
		}
	}
	return wrong
}

// ran tells whether a request gave all that it asks for, up to its end.
func (a *account) ran() bool {
	for _, e := range a.gone {
		if e.at.Before(a.end.Add(-tolerated)) {
			return false
		}
	}
	return len(a.made) == len(a.objects()) && !a.taken(a.end)
}

// taken tells whether people ended a grant before a time.
func (a *account) taken(before time.Time) bool {
	for _, e := range a.deeds {
		if (e.did.what == takesAway || e.did.what == givesBack || e.did.what == changesOnMain ||
			a.withdraws(e) != "") && e.at.Before(before) {
			return true
		}
	}
	return false
}
