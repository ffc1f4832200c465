package simulation

import (
	"fmt"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// How long it takes from what happened until the pull request says so: in a run without faults, and
// in one with some, of the time in which everything answers.
const (
	calmTold   = 15 * time.Second
	faultyTold = 10 * time.Minute
	// toldAgain is how long after a system answers again what waits for it is tried: the longest
	// pause between two tries, and the time of one.
	toldAgain = 6 * time.Minute
)

// toldInTime: whoever has access is told soon, and so is what became of each request, which stays
// told. What a process has still to tell when it ends, or when another takes over, is lost: it is in
// the ledger.
func toldInTime(h history) (wrong []string) {
	h = h.unforged()
	bound := calmTold
	if h.faulty() {
		bound = faultyTold
	}
	wrongs := h.wrongs()
	late := func(a *account, from, to time.Time) bool {
		return to.Sub(from)-covered(wrongs.troubles(a.cluster, a.services()...), toldAgain, from, to) > bound
	}
	terms := remembered(h.terms)
	for _, a := range h.accounts() {
		if a.trusted { // there is nobody to tell
			continue
		}
		if given := a.given(); !given.IsZero() {
			until := earlier(a.lost(), h[len(h)-1].at)
			if late(a, given, earlier(h.toldOf(a, saysGranted, begin), until)) {
				wrong = append(wrong, fmt.Sprintf("%s was there at %s, and nobody was told in time", a.name,
					given))
			}
		}
		entered, says := h.toldInTheEnd(a)
		if entered == nil {
			if c := h.lastTold(a); c != nil && a.back.IsZero() && !a.left.IsZero() &&
				c.heading() == saysWaiting && late(a, a.left, termEnd(terms(a.cluster), c.process, a.left)) {
				wrong = append(wrong, fmt.Sprintf("#%d says %q in the end; its file left main at %s", a.number,
					saysWaiting, a.left))
			}
			continue
		}
		at := h.toldOf(a, says, entered.at)
		if late(a, entered.at, earlier(at, termEnd(terms(a.cluster), entered.push.who, entered.at))) {
			wrong = append(wrong, fmt.Sprintf("%s was entered at %s, and its pull request was not told %q in "+
				"time", a.name, entered.at, says))
		}
		if last := h.lastTold(a); !at.IsZero() && !strings.HasPrefix(last.heading(), says) {
			wrong = append(wrong, fmt.Sprintf("#%d says %q in the end, and no more %q", a.number,
				last.heading(), says))
		}
	}
	return wrong
}

// earlier is the first of two times, of which one may not have come.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// lastTold is what the pull request of a request says in the end; nil: nothing.
func (h history) lastTold(a *account) (last *comment) {
	for _, e := range h {
		if e.comment != nil && e.comment.pull == a.number {
			last = e.comment
		}
	}
	return last
}

// toldInTheEnd is the push of an agent's that entered a request into the ledger, and what its pull
// request is to say then; nil: there is no such push, or the entry is of no pull request.
func (h history) toldInTheEnd(a *account) (entered *event, says string) {
	path := requests.RevocationPath(a.cluster, a.name)
	for i, e := range h {
		if e.push != nil && e.push.cluster != "" && e.push.changed[path] == "A" {
			entered = &h[i]
		}
	}
	entry, there := h.entry(a)
	if entered == nil || !there || a.number == 0 || entry.Status.PullRequest != a.number {
		return nil, ""
	}
	switch s := entry.Status; {
	case s.Cause == requests.CauseDenied:
		return entered, saysRefused + s.Code
	case a.bound() || s.GrantedAt != nil: // which another rule judges
		return entered, saysEnded + s.Cause
	default:
		return entered, saysNever + s.Cause
	}
}
