package simulation

import (
	"fmt"
	"strings"
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
			if a != b && h.denied(b) { // as what was made of it came to be otherwise: it never began
				continue
			}
			if back := a.start.Sub(b.start); back >= 0 && back < 24*time.Hour {
				begun++
			}
			if pause := a.start.Sub(other.to); a != b && l.cooldown > 0 && b.start.Before(a.start) &&
				pause < l.cooldown {
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

// overBy is from when on access is over under a policy as it is, if that ends what it gave: at once
// where it asks for another review, and when its maximum has passed.
func (a *account) overBy(policy string) (at time.Time, ends bool) {
	switch most := longest.FindStringSubmatch(policy); {
	case !strings.Contains(policy, "onChange: End") || most == nil:
		return at, false
	case strings.Contains(policy, "name: carol"):
		return at, true
	default:
		length, err := time.ParseDuration(most[1])
		return a.start.Add(length), err == nil
	}
}

// endsChanged: where a policy says so, access that it gave ends when it comes to ask for more or to let
// it last less, as long as that stands: soon, where there is a leader that reads the branch and GitHub.
func endsChanged(h history) (wrong []string) {
	k, path := h.knowledge(), ""
	for _, a := range h.accounts() {
		if !a.granted() || a.trusted {
			continue
		}
		path = policies.Path(a.policy)
		var since time.Time // from when on it is over; zero: it is not
		for i, d := range k.main {
			until := h[len(h)-1].at
			if i+1 < len(k.main) {
				until = k.main[i+1].from
			}
			at, ends := a.overBy(d.files[path].content)
			if at.Before(d.from) {
				at = d.from
			}
			switch {
			case !ends || !at.Before(until):
				since = time.Time{}
				continue
			case since.IsZero():
				since = at
			}
			for _, s := range a.stays {
				if what := h.outlasted(a, s, since, until); what != "" {
					wrong = append(wrong, what)
				}
			}
		}
	}
	return wrong
}

// outlasted is what is wrong with a stay that was over since a time, as far as that is known up to
// another one; empty: nothing is.
func (h history) outlasted(a *account, s *stay, since, until time.Time) string {
	since, until = s.within(since, earlier(until, a.end))
	if until.Sub(since) <= takenBound { // most are
		return ""
	}
	systems := append(h.ofLeaders(a.cluster), of(kubernetes, a.cluster), of(keeping, a.cluster),
		of(held, string(s.came.version.New.GetUID())), git, github, tokenRefused, rightLost)
	for _, part := range parts {
		systems = append(systems, partly(part))
	}
	down := append(h.downs(systems...), h.astray(a.cluster)...)
	down = append(append(down, h.idle(a.cluster)...), h.knowledge().spans(rulesWeak)...)
	if until.Sub(since)-covered(down, recovery, since, until) <= takenBound {
		return ""
	}
	return fmt.Sprintf("%s had %s at %s still; its policy ends it since %s", a.name, s.came.version.place(), until,
		since)
}

// astray are when main did not continue from the commit that a cluster's agents accepted last.
func (h history) astray(cluster string) (all []span) {
	line, head, known := "", "", true
	for _, e := range h {
		switch v := e.version; {
		case e.push != nil:
			line = e.push.line
		case v != nil && v.Resource == "leases" && v.cluster == cluster && v.New != nil:
			head = onLease(v.New.GetAnnotations())
		default:
			continue
		}
		switch now := strings.Contains(line, head); {
		case known && !now:
			all = append(all, span{e.at, h[len(h)-1].at})
		case !known && now:
			all[len(all)-1].to = e.at
		}
		known = strings.Contains(line, head)
	}
	return all
}

// spans are when something was otherwise than it usually is.
func (k *knowledge) spans(what string) (all []span) {
	for i, e := range k.facts[what] {
		if e.fact.is == "" {
			continue
		}
		s := span{e.at, e.at.AddDate(1, 0, 0)}
		if i+1 < len(k.facts[what]) {
			s.to = k.facts[what][i+1].at
		}
		all = append(all, s)
	}
	return all
}
