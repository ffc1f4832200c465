package simulation

import (
	"maps"
	"slices"
	"strings"
	"time"

	api "github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/requests"
)

// told is the first comment on the request's pull request that begins so.
func (s *scenario) told(begins string) int {
	s.t.Helper()
	return s.find(func(e event) bool {
		if e.comment == nil || e.comment.pull != s.a.number {
			return false
		}
		heading, _ := e.comment.shown()
		return strings.HasPrefix(heading, begins)
	})
}

// says has a comment say something else.
func (s *scenario) says(i int, old, now string) {
	s.t.Helper()
	c := *s.h[i].comment
	if c.text = strings.ReplaceAll(c.text, old, now); c.text == s.h[i].comment.text {
		s.t.Fatalf("the comment has no %q:\n%s", old, c.text)
	}
	s.h[i].comment = &c
}

// tells has an agent say something on the request's pull request, in its comment there.
func (s *scenario) tells(at time.Time, heading, text string) {
	c := *s.h[s.told(saysGranted)].comment
	c.text = api.AgentMarker + "\n### " + heading + "\n\n" + text
	s.put(event{at: at, comment: &c})
}

// enteredAgain has a process enter the request once more, of which the pull request was told that it
// waits.
func (s *scenario) enteredAgain(process string) {
	at := s.h[s.told(saysEnded)].at.Add(time.Minute)
	s.tells(at.Add(-time.Second), saysWaiting, "")
	again := *s.h[s.entry].push
	again.who = process
	s.put(event{at: at, push: &again})
}

// endsAfterTold has access end so much later than is told.
func (s *scenario) endsAfterTold(by time.Duration) {
	i := s.told(saysEnded)
	_, text := s.h[i].comment.shown()
	ended := momentIn(lastedIn, text, 3).Add(by)
	s.move(i, ended.Add(time.Second))
	s.move(s.unbound, ended)
}

// endsAhead has a clock be an hour ahead from before access ends until so long after that, and the end, of which
// GitHub lets nobody tell for ten minutes, be told by it.
func (s *scenario) endsAhead(until time.Duration) {
	gone := s.h[s.unbound].at
	s.clock(of(kubernetes, clusterName), gone.Add(-time.Hour), time.Hour)
	s.clock(of(kubernetes, clusterName), gone.Add(until), 0)
	s.inForce(github, gone, gone.Add(10*time.Minute))
	i := s.told(saysEnded)
	_, text := s.h[i].comment.shown()
	ended := momentIn(lastedIn, text, 3)
	s.says(i, "ended at "+api.Moment(requests.At(ended)), "ended at "+api.Moment(requests.At(ended.Add(time.Hour))))
	s.move(i, gone.Add(10*time.Minute+time.Second))
}

// toldWaived: what was told was so then, whatever became of it.
var toldWaived = map[string]mutant{
	"what pays nothing is told to": {"told true", func(s *scenario) {
		s.tells(s.answeredAlong().Add(time.Millisecond), saysUnpaid, "")
	}},
	"what pays is told to pay nothing while its approver may not write": {"told true", func(s *scenario) {
		at := s.h[s.answered()].at
		s.knew("bob", "read", at.Add(-time.Minute))
		s.knew("bob", "write", at.Add(2*time.Millisecond))
		s.tells(at.Add(time.Millisecond), saysUnpaid, "")
	}},
	"told to be off main before main was set back to have it": {"told true", func(s *scenario) { s.offMain(0) }},
	"part of it was lost with a restored etcd before all was there": {"told true", func(s *scenario) {
		two := slices.IndexFunc(wishes, func(one wish) bool { return len(one.gives) == 2 })
		*s = *newScenario(s.t, s.h, &wishes[two])
		i, told := s.of("roles create"), s.h[s.bound].at.Add(2*news)
		made := *s.h[i].version
		gone := made
		gone.Verb, gone.process, gone.Old, gone.New = restored, "", made.New, nil
		s.put(event{at: s.h[i].at.Add(-time.Second), version: &gone})
		s.put(event{at: s.h[i].at.Add(-2 * time.Second), version: &made})
		s.move(s.told(saysGranted), told)
	}},
}

// offMain has the file leave main before it is bound, main be set back to have it, and its pull request be
// told that it is off main, so long after that it may be known no more.
func (s *scenario) offMain(after time.Duration) {
	taken, told := s.h[s.bound].at.Add(-2*time.Second), s.h[s.bound].at.Add(after-time.Millisecond)
	s.put(event{at: taken, push: &push{who: "people", changed: map[string]string{s.a.path: "D"}}})
	s.tells(told, saysGone, "")
	s.put(event{at: taken.Add(time.Second), push: &push{who: "people", again: true,
		changed: map[string]string{s.a.path: "A"}}})
}

// answered has access be such as an answer is owed for, and finds that.
func (s *scenario) answered() int {
	s.ofGlass()
	return s.find(func(e event) bool { return e.push != nil && e.push.changed[s.a.answerOf()] == "A" })
}

// answeredAlong has that come to main with something else, so that it is owed in the end.
func (s *scenario) answeredAlong() (at time.Time) {
	i := s.answered()
	at = s.h[i].at
	s.pushed(i, func(p *push) { p.changed = map[string]string{s.a.answerOf(): "A", "another": "A"} })
	s.drop(s.find(func(e event) bool { return e.push != nil && e.push.changed[s.a.debtOf()] == "D" }))
	last := &s.h[len(s.h)-1]
	last.main = maps.Clone(last.main)
	last.main[s.a.debtOf()] = "owed"
	return at
}

// toldMutants are of what agents tell.
var toldMutants = map[string]mutant{
	"what pays is told to pay nothing": {"told true", func(s *scenario) {
		s.tells(s.h[s.answered()].at.Add(time.Millisecond), saysUnpaid, "")
	}},
	"access is told before it is there": {"told true", func(s *scenario) {
		s.move(s.told(saysGranted), s.h[s.bound].at.Add(-time.Millisecond))
	}},
	"access is told with another end": {"told true", func(s *scenario) {
		s.says(s.told(saysGranted), api.Moment(requests.At(s.a.end)),
			api.Moment(requests.At(s.a.end.Add(time.Second))))
	}},
	"access is told long after somebody ended it": {"told true", func(s *scenario) {
		s.move(s.unbound, s.h[s.bound].at.Add(time.Second))
		s.move(s.told(saysGranted), s.h[s.bound].at.Add(news+2*time.Second))
	}},
	"an end is told before it comes": {"told true", func(s *scenario) {
		s.move(s.told(saysEnded), s.h[s.unbound].at.Add(-time.Millisecond))
	}},
	"an end is told with another cause": {"told true", func(s *scenario) {
		s.says(s.told(saysEnded), requests.CauseExpired, requests.CauseRevoked)
	}},
	"an end is told of another window": {"told true", func(s *scenario) {
		s.says(s.told(saysEnded), "given from "+api.Moment(requests.At(s.a.start)),
			"given from "+api.Moment(requests.At(s.a.start.Add(-time.Minute))))
	}},
	"an end is told as later than it was": {"told true", func(s *scenario) {
		i := s.told(saysEnded)
		_, text := s.h[i].comment.shown()
		s.says(i, "ended at "+api.Moment(requests.At(momentIn(lastedIn, text, 3))),
			"ended at "+api.Moment(requests.At(s.a.end.Add(2*noticed))))
	}},
	"an end is told by a clock that was ahead long before": {"told true", func(s *scenario) {
		s.endsAhead(-clockRead)
	}},
	"an end is told by a clock that is too far behind": {"told true", func(s *scenario) {
		s.endsAfterTold(tolerated + time.Second)
	}},
	"an end is told with another commit": {"told true", func(s *scenario) {
		s.says(s.told(saysEnded), s.h[s.entry].push.tip, s.h[s.entry].push.old)
	}},
	"what was bound is told to be refused": {"told true", func(s *scenario) {
		s.tells(s.h[s.unbound].at, saysRefused+"InsufficientApprovals", "")
	}},
	"a name is told to be taken that did not come back after its entry": {"told true", func(s *scenario) {
		s.reused("M")
	}},
	"a name is told to be taken of what it did not change": {"told true", func(s *scenario) {
		s.overwritten("D", func(a *account) string { return a.path })
	}},
	"what was bound is told to have never been": {"told true", func(s *scenario) {
		s.tells(s.h[s.unbound].at, saysNever+requests.CauseRevoked, "")
	}},
	"what is bound is told to be off main": {"told true", func(s *scenario) {
		s.tells(s.h[s.bound].at.Add(news+time.Second), saysGone, "")
	}},
	"what is on main is told to be off it": {"told true", func(s *scenario) {
		s.tells(s.h[s.bound].at.Add(-time.Millisecond), saysGone, "")
	}},
	"what came back to main long ago is told to be off it": {"told true", func(s *scenario) {
		s.offMain(news)
	}},
	"what the ledger has is told to be off main": {"told true", func(s *scenario) {
		s.move(s.bound, s.a.merged.Add(-time.Hour))
		s.tells(s.h[s.entry].at.Add(news+time.Second), saysGone, "")
	}},
	"what is bound is told to wait": {"told true", func(s *scenario) {
		s.put(event{at: s.h[s.bound].at, down: map[string]bool{git: true}})
		s.tells(s.h[s.bound].at.Add(news+time.Second), saysWaiting,
			"Since "+api.Moment(requests.At(s.a.merged))+" it waits.")
	}},
	"it waits for nothing": {"told true", func(s *scenario) {
		s.tells(s.h[s.bound].at.Add(-time.Millisecond), saysWaiting,
			"Since "+api.Moment(requests.At(s.a.merged))+" it waits.")
	}},
	"it waits since before it was merged": {"told true", func(s *scenario) {
		s.put(event{at: s.a.merged, down: map[string]bool{git: true}})
		s.tells(s.h[s.bound].at.Add(-time.Millisecond), saysWaiting,
			"Since "+api.Moment(requests.At(s.a.merged.Add(-time.Minute)))+" it waits.")
	}},
	"what is bound is told to begin": {"told true", func(s *scenario) {
		s.tells(s.h[s.bound].at.Add(news+time.Second), saysWhere, "")
	}},
	"access that is to last is told to be over": {"told true", func(s *scenario) {
		s.tells(s.h[s.bound].at.Add(time.Second), saysLasting, "")
	}},
	"what is bound is told to be over": {"told true", func(s *scenario) {
		s.tells(s.h[s.bound].at.Add(time.Second), saysOver, "")
	}},
	"something is told that nobody knows": {"told true", func(s *scenario) {
		s.says(s.told(saysGranted), "### "+saysGranted, "### Perhaps until ")
	}},
	"the reason is told": {"told true", func(s *scenario) {
		s.says(s.told(saysGranted), "| Who |", "| "+canary+" |")
	}},
	"it is told where nobody asked": {"told true", func(s *scenario) {
		c := *s.h[s.told(saysGranted)].comment
		c.pull = 1000
		s.put(event{at: s.a.end, comment: &c})
	}},
	"a withdrawal of nobody's is done": {"told true", func(s *scenario) {
		c := comment{pull: 1000, text: "### " + saysWithdrawn + requests.CauseRelinquished + "\n\nAccess of x "}
		s.put(event{at: s.a.end, comment: &c})
	}},
	"a withdrawal is done that is not": {"told true", func(s *scenario) {
		c := comment{pull: 1000, text: "### " + saysWithdrawn + requests.CauseRelinquished + "\n\nAccess of " +
			s.a.name + " "}
		s.put(event{at: s.a.end, comment: &c})
	}},
	"told in two comments": {"told once", func(s *scenario) {
		i := s.told(saysEnded)
		c := *s.h[i].comment
		c.id++
		s.h[i].comment = &c
	}},
	"the same is told again": {"told once", func(s *scenario) {
		i := s.told(saysEnded)
		s.put(event{at: s.h[i].at.Add(time.Second), comment: s.h[i].comment})
	}},
	"access is not told": {"told in time", func(s *scenario) { s.drop(s.told(saysGranted)) }},
	"what is off main is told to wait in the end": {"told in time", func(s *scenario) {
		s.h[s.entry].push = &push{who: "people", changed: map[string]string{s.a.path: "D"}}
		s.move(s.entry, s.a.end.Add(-calmTold-time.Second))
		s.drop(s.told(saysEnded))
		s.tells(s.a.end.Add(-time.Minute), saysWaiting, "")
	}},
	"an end is not told": {"told in time", func(s *scenario) { s.drop(s.told(saysEnded)) }},
	"an end is told of an entry, and not of the next one": {"told in time", func(s *scenario) {
		s.enteredAgain(s.h[s.entry].push.who)
	}},
	"an end is told late": {"told in time", func(s *scenario) {
		s.move(s.told(saysEnded), s.h[s.entry].at.Add(calmTold+time.Millisecond))
	}},
	"an end is told, and then something else": {"told in time", func(s *scenario) {
		i := s.told(saysEnded)
		s.put(event{at: s.h[i].at.Add(time.Second), comment: s.h[s.told(saysGranted)].comment})
	}},
}
