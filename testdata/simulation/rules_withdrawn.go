package simulation

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// endsWithdrawn: what somebody takes back by a pull request that is open, and that nobody merges, is over soon,
// or never begins, where there is a leader that reads the branch and GitHub; and the pull request is told. Of
// one that is open as main loses commits GitHub may say that it changes more.
func endsWithdrawn(h history) (wrong []string) {
	k, wrongs := h.knowledge(), h.wrongs()
	for _, a := range h.accounts() {
		entry, _ := h.entry(a)
		unable := slices.Concat(wrongs.troubles(a.cluster), k.spans(rulesWeak))
		for _, e := range a.deeds {
			cause := a.withdraws(e)
			if cause == "" {
				continue
			}
			until := k.knownFrom(e.at, h[len(h)-1].at)
			late := func(from, to time.Time) bool {
				to = earlier(to, until)
				return to.Sub(from)-covered(unable, toldAgain, from, to) > takenBound
			}
			for _, s := range a.stays {
				if from, to := s.within(e.at, a.end); late(from, to) {
					wrong = append(wrong, fmt.Sprintf("%s had %s until %s; #%d took it back at %s", a.name,
						s.came.version.place(), to, e.pull, e.at))
				}
			}
			if entry.Status.Cause == cause && a.entered.After(e.at) && late(a.entered, h.toldDone(e.pull)) {
				wrong = append(wrong, fmt.Sprintf("#%d took %s back, which was entered at %s, and was not told in time",
					e.pull, a.name, a.entered))
			}
		}
	}
	return wrong
}

// knownFrom is until when, from one time to another, who asks was known, and main lost nothing.
func (k *knowledge) knownFrom(from, to time.Time) time.Time {
	for _, d := range k.during(from, to) {
		if now := d.from.After(from); username(d) == "" && !now {
			return from
		} else if now && (d.lost || username(d) == "") {
			return d.from
		}
	}
	return to
}

// toldDone is when a pull request was told first that what it asks for is done; the end: it was not.
func (h history) toldDone(pull int) time.Time {
	for _, e := range h {
		if e.comment == nil || e.comment.pull != pull {
			continue
		}
		if strings.HasPrefix(e.comment.heading(), saysWithdrawn) {
			return e.at
		}
	}
	return h[len(h)-1].at
}
