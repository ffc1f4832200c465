package simulation

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// shows has the last scrape of the leader before a time have other numbers, or say otherwise.
func (s *scenario) shows(before time.Time, change func(*scrape)) {
	s.t.Helper()
	last := -1
	for i, e := range s.h {
		if e.scrape != nil && e.at.Before(before) && e.scrape.cluster == s.a.cluster &&
			e.scrape.numbers["leader"] == 1 {
			last = i
		}
	}
	if last < 0 {
		s.t.Fatal("nobody that leads was asked how it is")
	}
	one := *s.h[last].scrape
	one.numbers = maps.Clone(one.numbers)
	change(&one)
	s.h[last].scrape = &one
}

// end is when the history is over.
func (s *scenario) end() time.Time { return s.h[len(s.h)-1].at }

// number has the last scrape before a time have another number.
func number(rule, name string, n float64, before func(*scenario) time.Time) mutant {
	return mutant{rule, func(s *scenario) {
		s.shows(before(s), func(one *scrape) { one.numbers[name] = n })
	}}
}

// during an outage of a system there is a scrape that shows nothing of it.
func during(system string) mutant {
	return mutant{"metrics stops", func(s *scenario) {
		s.put(event{at: s.end().Add(-20 * time.Minute), down: map[string]bool{system: true}})
		s.put(event{at: s.end().Add(-time.Millisecond), down: map[string]bool{system: false}})
	}}
}

// uncounted has no process show the numbers whose name has a word in it.
func (s *scenario) uncounted(word string) {
	s.h = slices.DeleteFunc(s.h, func(e event) bool { // nobody asks those how they are
		return e.started != nil && e.started.program == passes.name
	})
	for i, e := range s.h {
		if e.scrape == nil {
			continue
		}
		one := *e.scrape
		one.numbers = maps.Clone(one.numbers)
		maps.DeleteFunc(one.numbers, func(name string, _ float64) bool { return strings.Contains(name, word) })
		s.h[i].scrape = &one
	}
}

// recordSetBack has somebody set the record back long after the end, and an end be counted by that so often.
func (s *scenario) recordSetBack(cause string, counted float64) {
	s.tamper(recordBack, s.a.end.Add(10*time.Minute))
	s.shows(s.end(), func(one *scrape) {
		one.numbers[fmt.Sprintf("bindings_ended_total{cause=%q}", cause)] += counted
	})
}

// recordSetBackAtOnce has the record be set back before the ledger has the end, and that be counted once more,
// as by the names of people, which change before where so is true.
func (s *scenario) recordSetBackAtOnce(so bool) {
	gone := s.h[s.unbound].at
	if so {
		s.decide(identitiesFile, "alice@example.com", "alice.b@example.com", gone.Add(-time.Second))
	}
	s.tamper(recordBack, gone.Add(time.Millisecond))
	s.shows(s.end(), func(one *scrape) {
		one.numbers[fmt.Sprintf("bindings_ended_total{cause=%q}", requests.CauseSubjectRemoved)]++
	})
}

// forgedEnd has somebody forge a record after the end, an agent find that nothing of that is there, and that
// be counted so often for each of its bindings; it is deleted before the ledger has it.
func (s *scenario) forgedEnd(counted int) {
	s.tamper(forges, s.a.end.Add(10*time.Minute))
	last := *s.h[s.of("configmaps update")].version
	for _, e := range s.h {
		if v := e.version; v != nil && v.kind() == "configmaps update" && v.New.GetName() == last.New.GetName() &&
			v.process != "" && endCause(v.New) == "" {
			last = *v
		}
	}
	last.New = last.New.DeepCopy()
	last.New.SetName(forged(last.New.GetName()))
	last.Old = last.New.DeepCopy()
	set(last.New, string(plan.Ended), "data", "phase")
	set(last.New, requests.CauseBindingDeleted, "data", "cause")
	s.put(event{at: s.a.end.Add(11 * time.Minute), version: &last})
	for _, o := range remembers(last.New) {
		if o.IsBinding() {
			s.shows(s.end(), func(one *scrape) {
				one.numbers[`bindings_ended_total{cause="BindingDeleted"}`] += float64(counted)
			})
		}
	}
}

// endsAgain has etcd bring the binding back long after its end, and its going be counted so often.
func (s *scenario) endsAgain(counted float64) {
	v, w := *s.h[s.bound].version, *s.h[s.unbound].version
	v.process, v.Verb, w.process = "", restored, ""
	s.put(event{at: s.a.end.Add(10 * time.Minute), version: &v})
	s.put(event{at: s.a.end.Add(11 * time.Minute), version: &w})
	s.shows(s.end(), func(one *scrape) { one.numbers[`bindings_ended_total{cause="BindingDeleted"}`] += counted })
}

// recordAgain has etcd bring the record back alone long after the end, and an end be counted by that so
// often.
func (s *scenario) recordAgain(counted float64) {
	v := *s.h[s.of("configmaps create")].version
	v.Verb, v.process, v.Old = restored, "", nil
	s.put(event{at: s.a.end.Add(10 * time.Minute), version: &v})
	s.shows(s.end(), func(one *scrape) { one.numbers[`bindings_ended_total{cause="Revoked"}`] += counted })
}

// refusedAgain has an agent write into the record that it is refused, etcd have it as it was before that, and
// a refusal be counted by that so often.
func (s *scenario) refusedAgain(counted float64) {
	before := *s.h[s.of("configmaps create")].version
	refused := before
	refused.New = before.New.DeepCopy()
	set(refused.New, string(plan.Ended), "data", "phase")
	set(refused.New, requests.CauseDenied, "data", "cause")
	set(refused.New, string(policies.ExpiredBeforeGrant), "data", "code")
	s.put(event{at: s.a.end.Add(10 * time.Minute), version: &refused})
	before.Verb, before.process = restored, ""
	s.put(event{at: s.a.end.Add(11 * time.Minute), version: &before})
	s.shows(s.end(), func(one *scrape) {
		one.numbers[`decisions_total{code="ExpiredBeforeGrant",decision="denied"}`] += counted
	})
}

// endForgotten has etcd have nothing of the request once its end is counted, which is refused then, and that
// end be counted so often more.
func (s *scenario) endForgotten(counted float64) {
	v := *s.h[s.of("configmaps create")].version
	v.Verb, v.process, v.Old, v.New = restored, "", v.New, nil
	s.refused()
	entry := *s.h[s.entry].push
	entry.message = strings.ReplaceAll(entry.message, "Revoke "+s.a.name, "Refuse "+s.a.name)
	s.h[s.entry].push = &entry
	s.put(event{at: s.h[s.unbound].at.Add(time.Millisecond), version: &v})
	s.shows(s.end(), func(one *scrape) {
		one.numbers[`bindings_ended_total{cause="Denied"}`]++
		one.numbers[`bindings_ended_total{cause="Expired"}`] += counted
	})
}

// metricMutants are of what processes say of themselves.
var metricMutants = map[string]mutant{
	"a binding too many is shown": number("metrics live", "grants_active", 1000, (*scenario).end),
	"its record set back after the end, and counted twice": {"metrics counts", func(s *scenario) {
		s.recordSetBack(requests.CauseExpired, 2)
	}},
	"its record set back before it was entered, and another end counted": {"metrics counts", func(s *scenario) {
		s.recordSetBackAtOnce(false)
	}},
	"a record forged, and its end counted twice":   {"metrics counts", func(s *scenario) { s.forgedEnd(2) }},
	"its end forgotten, and counted twice":         {"metrics counts", func(s *scenario) { s.endForgotten(1) }},
	"its refusal set back, and counted twice more": {"metrics counts", func(s *scenario) { s.refusedAgain(2) }},
	"a binding that is there is not shown": number("metrics live", "grants_active", 0,
		func(s *scenario) time.Time { return s.h[s.unbound].at }),
	"who does not lead shows bindings": {"metrics live", func(s *scenario) {
		s.shows(s.end(), func(one *scrape) { one.numbers["leader"], one.numbers["grants_active"] = 0, 1 })
	}},
	"nobody asks": {"metrics live", func(s *scenario) {
		for i := range s.h {
			s.h[i].scrape = nil
		}
	}},
	"a grant is counted twice": {"metrics counts", func(s *scenario) {
		s.shows(s.end(), func(one *scrape) { one.numbers[`decisions_total{code="",decision="allowed"}`]++ })
	}},
	"a refusal is counted that nobody entered": {"metrics counts", func(s *scenario) {
		s.shows(s.end(), func(one *scrape) {
			one.numbers[`decisions_total{code="InsufficientApprovals",decision="denied"}`] += 100
		})
	}},
	"an end is counted twice": {"metrics counts", func(s *scenario) {
		s.shows(s.end(), func(one *scrape) { one.numbers[`bindings_ended_total{cause="Expired"}`]++ })
	}},
	"an end is not counted": {"metrics counts", func(s *scenario) { s.uncounted("Expired") }},
	"nothing is wrong, and it is stopped": number("metrics stops", `granting_stopped{reason="Paused"}`, 1,
		(*scenario).end),
	"nothing is wrong, and no pass is complete": number("metrics stops", "sync_age_seconds", 1000,
		(*scenario).end),
	"git is down, and nothing shows it":      during(git),
	"GitHub is down, and nothing shows it":   during(github),
	"Kubernetes is down, and somebody leads": during(of(kubernetes, clusterName)),
	"it is said that only a restart helps": {"metrics health", func(s *scenario) {
		s.shows(s.end(), func(one *scrape) { one.healthy = false })
	}},
	"nothing is wrong, and it is not ready": {"metrics health", func(s *scenario) {
		s.shows(s.end(), func(one *scrape) { one.ready = false })
	}},
	"it is ready, and nothing ever answered it": {"metrics health", func(s *scenario) {
		s.put(event{at: begin.Add(-time.Second), down: map[string]bool{of(kubernetes, s.a.cluster): true}})
	}},
}
