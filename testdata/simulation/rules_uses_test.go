package simulation

import (
	"net/http"
	"strings"
	"time"
)

// used has the scenario be about a request of which a command was used, which it returns.
func (s *scenario) used() *command {
	s.t.Helper()
	for _, u := range s.h.owedUses() {
		if u.policy != onceOnly {
			*s = *newScenario(s.t, s.h, u.wish)
			return u.command
		}
	}
	s.t.Fatal("nobody used anything")
	return nil
}

// uses adds that the command of the request was run halfway, and that an agent was told of it.
func (s *scenario) uses(c command) {
	c.id, c.At = "another", s.a.start.Add(s.a.end.Sub(s.a.start)/2)
	s.put(event{at: c.At, ran: &c})
	s.put(event{at: c.At.Add(time.Second), tale: &tale{s.h[s.bound].version.process, &c, false}})
}

// usedOnce has the scenario be about a request for a single use, whose command is used while it is in
// force.
func (s *scenario) usedOnce() {
	c := *s.used()
	s.under(onceOnly)
	c.Code = http.StatusSwitchingProtocols
	c.Annotations = map[string]string{annotated: "run " + runsIn + "/" + s.a.lets()}
	s.uses(c)
}

// usedLate has the end be entered before an agent was told of the use; main may have lost that, and got it
// again with the use.
func (s *scenario) usedLate(lost bool) {
	c := s.used()
	told := s.h[s.find(func(e event) bool { return e.tale != nil && e.tale.of.id == c.id })].at
	if !lost {
		s.move(s.entry, told.Add(-time.Second))
		return
	}
	entry := s.a.entryOf()
	s.put(event{at: told.Add(-2 * time.Second), push: &push{who: "agent-prod-eu-a-1", cluster: s.a.cluster,
		changed: map[string]string{entry: "A"}}})
	s.put(event{at: told.Add(-time.Second), push: &push{who: "people", changed: map[string]string{entry: "D"}}})
}

// usesMutants are about commands that were used.
var usesMutants = map[string]mutant{
	"a use that nobody made": {"uses true", func(s *scenario) {
		c := s.used()
		s.entered(s.a.name, c.id, "another")
	}},
	"more uses than there were": {"uses true", func(s *scenario) {
		s.used()
		s.entered(s.a.name, "uses:\n    allowed: ", "uses:\n    allowed: 1")
	}},
	"a use of something else": {"uses true", func(s *scenario) {
		s.used()
		s.entered(s.a.name, "/app ", "/other ")
	}},
	"no agent was told of its uses": {"uses true", func(s *scenario) {
		s.used()
		for i, e := range s.h {
			if e.tale != nil {
				s.h[i].tale = nil
			}
		}
	}},
	"an agent was told of its uses after its end": {"uses true", func(s *scenario) { s.usedLate(false) }},
	"people are told of other uses": {"uses true", func(s *scenario) {
		s.used()
		for i, e := range s.h {
			if e.comment != nil && e.comment.pull == s.a.number {
				c := *e.comment
				c.text = strings.Replace(c.text, "Commands: ", "Commands: 1", 1)
				s.h[i].comment = &c
			}
		}
	}},
	"a use is not recorded": {"uses kept", func(s *scenario) { s.uses(*s.used()) }},
	"a use is counted that nobody told of": {"metrics uses", func(s *scenario) {
		s.used()
		s.shows(s.end(), func(one *scrape) { one.numbers[`exec_uses_total{result="refused"}`] += 100 })
	}},
	"a use is not counted": {"metrics uses", func(s *scenario) {
		s.used()
		s.uncounted("exec_uses_total")
	}},
	"used, and it goes on": {"G2 used", (*scenario).usedOnce},
}
