package simulation

import (
	"fmt"
	"slices"
	"time"

	"github.com/pullgrant/pullgrant/sync/kube"
)

// Bounds of what follows from something else than the end of a window.
const (
	// sweepBound is how long what nobody is to have may be there, that was not made by an agent, or
	// came late: somebody looks at all there is every minute, where one lives who can tell.
	sweepBound = 90 * time.Second
	// takenBound is how long a grant lasts that people end, or somebody tampers with, where there is
	// a leader, which one may first have to become, who can read the branch.
	takenBound = 4 * time.Minute
)

// overdue is what is wrong with how long a binding was there; empty when nothing is.
// What people made themselves goes by who leads, and past the end that it states by expirers too, and so does
// all that came late while no Job was over; unled is when no agent lived, and alone when none of both.
func (s *stay) overdue(h history, a *account, bound time.Duration, unled, alone []span) string {
	v, end := s.came.version, a.end
	if a.merged.IsZero() {
		end = s.came.at // nobody may have it
	}
	switch {
	case s.byHand():
		end, bound = s.came.at, sweepBound
	case end.Before(s.came.at) && (s.again() || s.came.at.Sub(v.made) > bound):
		end, bound = s.came.at, sweepBound
	}
	uid := of(held, string(v.object().GetUID()))
	limits := []limit{{end, bound, h.waives(a.cluster, uid)}}
	switch {
	case s.byHand(): // which only who leads can tell from what agents made; others go by the end that it states
		limits[0].waives = append(h.waives(a.cluster, append(h.ofLeaders(a.cluster), uid)...), unled...)
		if stated, _ := kube.EndOf(v.object()); stated.After(end) {
			end = stated
		}
		limits = append(limits, limit{end, sweepBound, append(h.waives(a.cluster, uid), alone...)})
	case bound == sweepBound && h.jobsWait(a.cluster, end):
		limits[0].waives = append(limits[0].waives, alone...)
	}
	if bound == faultyBound { // what ends a Job is late by what its clock is behind when it looks
		looked := h.after(a.cluster, end, bound)
		behind, _ := h.aheadWhile(a.cluster, of(kubernetes, a.cluster), end, looked)
		limits[0].bound += max(-behind, 0)
	}
	if bound == faultyBound && (v.New.GetNamespace() == "" || a.disarmed()) {
		limits = nil // no Job ends it; the rule G2 prompt has the bound
	}
	leader := append(h.ofLeaders(a.cluster), uid, git, tokenRefused, of(rightLost, contents), setBack,
		of(refusing, a.cluster))
	// the cluster may have forgotten what was ended by that, and it be granted once more
	ends := slices.DeleteFunc(a.ends(), func(at time.Time) bool { return a.forgotten(at, s.came.at) })
	if a.back.IsZero() || a.back.Sub(a.left)-h.waived(a.cluster, a.left, a.back, leader...) > takenBound {
		ends = append(ends, a.left) // else nobody may have seen that
	}
	for _, at := range ends {
		if !at.IsZero() && (s.went == nil || at.Before(s.went.at)) {
			if at.Before(s.came.at) {
				at = s.came.at
			}
			limits = append(limits, limit{at, takenBound, h.waives(a.cluster, leader...)})
		}
	}
	for _, l := range limits {
		switch {
		case s.went == nil:
			return a.name + " has " + v.place() + " for ever"
		case s.went.at.Sub(l.from)-covered(l.waives, recovery, l.from, s.went.at) > l.bound:
			return fmt.Sprintf("%s had %s until %s; it was over at %s", a.name, v.place(), s.went.at, l.from)
		}
	}
	return ""
}

// disarmed tells whether somebody saw to it that its Job ends nothing.
func (a *account) disarmed() bool {
	return slices.ContainsFunc(a.deeds, func(e event) bool {
		t := tamperings.of(e.did.what)
		return t != nil && (t.what == jobs || t.name == "owner taken off")
	})
}

// limit is how long after a time something may last, but for what is waived and the recovery from that.
type limit struct {
	from   time.Time
	bound  time.Duration
	waives []span
}

// ends are when somebody did to a grant what has to end it: not to a Job that went before anything was
// made, which is by another one.
func (a *account) ends() (all []time.Time) {
	for _, e := range a.deeds {
		t := tamperings.of(e.did.what)
		if t == nil || t.causes == nil || t.what == jobs && slices.ContainsFunc(a.unarmed, e.at.Before) {
			continue
		}
		all = append(all, e.at)
	}
	return all
}
