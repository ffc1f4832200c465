package simulation

import (
	"fmt"
	"maps"
	"slices"
	"time"
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
	bound := calmBound
	if h.faulty() {
		bound = faultyBound
	}
	for _, a := range h.accounts() {
		for _, e := range a.made {
			where := e.version.place()
			if e.at.Before(a.merged) {
				wrong = append(wrong, fmt.Sprintf("%s got %s at %s, its window begins at %s", a.name, where,
					e.at, a.merged))
			}
			until, ended := a.until(e)
			if !ended {
				wrong = append(wrong, fmt.Sprintf("%s has %s for ever", a.name, where))
				continue
			}
			if bound > calmBound && e.version.New.GetNamespace() == "" {
				continue // no Job owns it; the rule G2 prompt has the bound
			}
			if until.Sub(a.end)-h.waived(a.cluster, a.end, until) > bound {
				wrong = append(wrong, fmt.Sprintf("%s had %s until %s; its window ended at %s", a.name, where,
					until, a.end))
			}
		}
	}
	return wrong
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

// waived is how much of a time Kubernetes of a cluster answered nobody or its controllers stood still, or had
// only begun to again.
func (h history) waived(cluster string, from, to time.Time) (sum time.Duration) {
	type span struct{ begin, end time.Time }
	var spans []span
	since := map[string]time.Time{}
	for _, e := range h {
		for _, system := range []string{of(kubernetes, cluster), of(controllers, cluster)} {
			switch down, told := e.down[system]; {
			case told && down:
				since[system] = e.at
			case told:
				spans = append(spans, span{since[system], e.at.Add(recovery)})
			}
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return a.begin.Compare(b.begin) })
	for _, s := range spans { // from is where what is counted already ends
		if s.begin.Before(from) {
			s.begin = from
		}
		if s.end.After(to) {
			s.end = to
		}
		if s.end.After(s.begin) {
			sum += s.end.Sub(s.begin)
			from = s.end
		}
	}
	return sum
}

// grantedInTime: where nothing breaks, who is approved gets access soon.
func grantedInTime(h history) (wrong []string) {
	if h.faulty() {
		return nil
	}
	for _, a := range h.accounts() {
		if a.standing().IsZero() || a.refused() || a.pushed || a.taken(a.merged.Add(calmGrant)) {
			continue
		}
		lacks := a.objects()
		for _, e := range a.made {
			if e.at.Sub(a.merged) <= calmGrant {
				delete(lacks, e.version.place())
			}
		}
		for _, where := range slices.Sorted(maps.Keys(lacks)) {
			wrong = append(wrong, fmt.Sprintf("%s had no %s %s after its merge at %s", a.name, where,
				calmGrant, a.merged))
		}
	}
	return wrong
}

// taken tells whether people ended a grant before a time.
func (a *account) taken(before time.Time) bool {
	for _, e := range a.deeds {
		if (e.did.what == takesAway || e.did.what == givesBack || e.did.what == changesOnMain) && e.at.Before(before) {
			return true
		}
	}
	return false
}
