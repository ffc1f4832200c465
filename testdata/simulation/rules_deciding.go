package simulation

import (
	"fmt"
	"time"

	"github.com/pullgrant/pullgrant/policies"
)

// neverDenied: nothing is given that a rule of the repository denies, whoever approved it.
func neverDenied(h history) (wrong []string) {
	for _, a := range h.accounts() {
		if !a.frozen() {
			continue
		}
		for _, e := range a.made {
			wrong = append(wrong, fmt.Sprintf("%s got %s at %s, and a rule denies it from %s to %s", a.name,
				e.version.place(), e.at, freezes[a.policy].from, freezes[a.policy].to))
		}
	}
	return wrong
}

// crowded tells whether somebody else asked for what a request would be within limits but for that.
func (h history) crowded(a *account) bool {
	if _, limited := limits[a.policy]; !limited {
		return false
	}
	for _, b := range h.accounts() {
		if b.path != a.path && b.policy == a.policy && b.cluster == a.cluster && !b.merged.IsZero() {
			return true
		}
	}
	return false
}

// had is when a request gave something, by its window; both zero: never.
func (a *account) had() (s span) {
	if !a.granted() {
		return s
	}
	s = span{a.made[0].at, a.end}
	if s.from.Before(a.start) { // it goes on from another one
		s.from = a.start
	}
	if n := len(a.gone); n > 0 && n == len(a.made) {
		s.to = earlier(a.gone[n-1].at, a.end)
	}
	return s
}

// withinLimits: no more is there under a policy on a cluster than it lets be at a time, nor begins in a
// day, nor sooner after another one. What a cluster forgot it cannot count. Nothing is refused for a
// limit that nobody else takes room of.
func withinLimits(h history) (wrong []string) {
	all := h.accounts()
	for _, a := range all {
		l, limited := limits[a.policy]
		if !limited {
			continue
		}
		if entry, there := h.entry(a); there && policies.Code(entry.Status.Code) == policies.LimitReached &&
			!h.crowded(a) {
			wrong = append(wrong, fmt.Sprintf("%s was refused for a limit, and nobody else had anything", a.name))
		}
		one, beside, begun := a.had(), 0, 0
		for _, b := range all {
			other := b.had()
			if !a.granted() || !b.granted() || b.policy != a.policy || b.cluster != a.cluster ||
				len(a.forgot)+len(b.forgot) > 0 {
				continue
			}
			if !other.from.After(one.from) && other.to.After(one.from) {
				beside++
			}
			if back := a.start.Sub(b.start); back >= 0 && back < 24*time.Hour {
				begun++
			}
			if pause := a.start.Sub(other.to); a != b && b.start.Before(a.start) && pause < l.cooldown {
				wrong = append(wrong, fmt.Sprintf("%s began at %s, %s after %s, and %s must pass", a.name, a.start,
					pause, b.name, l.cooldown))
			}
		}
		if l.active > 0 && beside > l.active {
			wrong = append(wrong, fmt.Sprintf("%s was there at %s as one of %d, and %d may be", a.name, one.from,
				beside, l.active))
		}
		if l.perDay > 0 && begun > l.perDay {
			wrong = append(wrong, fmt.Sprintf("%s began at %s as one of %d within a day, and %d may be", a.name,
				a.start, begun, l.perDay))
		}
	}
	return wrong
}
