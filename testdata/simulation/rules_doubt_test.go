package simulation

import (
	"slices"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// made while a system answers nobody, and has not for long.
func madeWithout(system string) mutant {
	return mutant{"G5 doubt", func(s *scenario) {
		s.put(event{at: s.h[s.bound].at.Add(-doubtBound - time.Second), down: map[string]bool{system: true}})
	}}
}

// refusedFor has the entry of the request say that it was refused.
func refusedFor(code policies.Code) mutant {
	return mutant{"G5 doubt", func(s *scenario) {
		s.entered(s.a.name, "cause: "+requests.CauseExpired, "cause: "+requests.CauseDenied+"\n  code: "+
			string(code))
	}}
}

// unmade has the Job of the request go before anything is made, and nothing be, as a clock of who only
// expires is ahead.
func (s *scenario) unmade(ahead time.Duration) {
	s.drop(s.unbound)
	job := *s.h[s.done].version
	s.drop(s.bound)
	job.Old, job.New = job.New, nil
	s.put(event{at: s.a.merged.Add(2 * time.Second), version: &job})
	s.clock("prod-eu-d", s.a.merged.Add(time.Second), ahead)
	s.entered(s.a.name, "cause: Expired", "cause: "+requests.CauseBindingDeleted)
	s.entered(s.a.name, "state: Expired", "state: Revoked")
}

// unmadeAhead is that, as the clock says that the window is over.
func unmadeAhead(rule string) mutant {
	return mutant{rule, func(s *scenario) { s.unmade(s.a.end.Sub(s.a.merged)) }}
}

// neverMade has nothing be made of the request, which was announced or not.
func (s *scenario) neverMade(announced bool) {
	s.drop(s.unbound)
	s.drop(s.bound)
	if !announced {
		s.h = slices.DeleteFunc(s.h, func(e event) bool { return e.version != nil && e.version.announces() })
	}
}

// prolonged has somebody prolong the record of the request, which is said to be deleted before that.
func (s *scenario) prolonged() {
	s.tamper(prolongs, s.a.merged.Add(time.Minute))
	s.entered(s.a.name, "cause: "+requests.CauseExpired, "cause: "+requests.CauseBindingDeleted)
	s.entered(s.a.name, "state: Expired", "state: Revoked")
}

// unmadeTold has the Job of the request go before anything is made, which is told, after its record was
// prolonged or not.
func (s *scenario) unmadeTold(prolonged bool) {
	s.unmade(0)
	if prolonged {
		s.tamper(prolongs, s.a.merged.Add(time.Second))
	}
	s.tells(s.h[s.told(saysEnded)].at, saysNever+requests.CauseBindingDeleted,
		"The ledger has it in "+requests.RevocationPath(s.a.cluster, s.a.name))
	s.drop(s.told(saysEnded))
	s.drop(s.told(saysGranted))
}

// undone has the request be entered at a time, without that it was made, and people undo that.
func (s *scenario) undone(at time.Time) {
	s.drop(s.bound)
	entry := s.a.entryOf()
	s.put(event{at: at, push: &push{cluster: s.a.cluster, changed: map[string]string{entry: "A", s.a.path: "D"}}})
	s.put(event{at: at.Add(time.Second), push: &push{who: "people",
		changed: map[string]string{entry: "D", s.a.path: "A"}}})
}

// stopped has the process say that it is paused, before and after it makes something; and in between
// that it is no longer kept by some code, if that is not empty.
func (s *scenario) stopped(over policies.Code) {
	process, at := s.h[s.bound].version.process, s.h[s.bound].at
	one := scrape{cluster: s.a.cluster, process: process,
		numbers: map[string]float64{`granting_stopped{reason="Paused"}`: 1}}
	s.put(event{at: at.Add(-2 * time.Millisecond), scrape: &one})
	if over != "" {
		s.put(event{at: at.Add(-time.Millisecond), log: &line{process,
			`level=INFO msg="no longer a reason not to grant" event=stop code=` + string(over)}})
	}
	s.put(event{at: at.Add(time.Millisecond), scrape: &one})
}

// doubtMutants are of what is done in doubt.
var doubtMutants = map[string]mutant{
	"made though git is down":            madeWithout(git),
	"made though GitHub is down":         madeWithout(github),
	"refused as the fence was not known": refusedFor(policies.Unfenced),
	"refused as GitHub did not answer":   refusedFor(policies.EvaluationError),
	"refused as its merge was not known": refusedFor(policies.NoPullRequest),
	"made though it is stopped":          {"G5 doubt", func(s *scenario) { s.stopped("") }},
	"made though it is stopped, but not for another reason any more": {"G5 doubt", func(s *scenario) {
		s.stopped(policies.Unfenced)
	}},
	"never made though all answers": {"G5 granted after", func(s *scenario) { s.drop(s.bound) }},
	"never made though GitHub only lagged as it was merged": {"G5 granted after", func(s *scenario) {
		s.drop(s.bound)
		s.knew(lags, "yes", s.a.merged.Add(-time.Second))
	}},
	"late, and GitHub listed who pushed as it was merged": {"G5 granted after", func(s *scenario) {
		s.move(s.bound, s.a.merged.Add(faultyGrant+toldAgain+time.Second))
		s.knew(forgets, "yes", s.a.merged.Add(-time.Minute))
		s.knew(forgets, "", s.a.merged.Add(-time.Second))
	}},
	"late, and GitHub lagged no more as it was merged": {"G5 granted after", func(s *scenario) {
		s.move(s.bound, s.a.merged.Add(faultyGrant+lagsBy))
		s.knew(lags, "yes", s.a.merged.Add(-time.Minute))
		s.knew(lags, "", s.a.merged.Add(-time.Second))
	}},
	"never made, long before that was entered and lost": {"G5 granted after", func(s *scenario) {
		s.undone(s.a.merged.Add(faultyGrant + time.Second))
	}},
	"never made while another cluster's fence was gone": {"G5 granted after", func(s *scenario) {
		s.drop(s.bound)
		s.put(event{at: s.a.merged, down: map[string]bool{of(unfenced, "prod-us"): true}})
	}},
	"never made while GitHub's limit was used up by another cluster": {"G5 granted after", func(s *scenario) {
		s.drop(s.bound)
		s.put(event{at: s.a.merged, down: map[string]bool{limitOf("agent-x-1", "then", "prod-us"): true}})
	}},
	"never made long after GitHub's limit was used up": {"G5 granted after", func(s *scenario) {
		s.drop(s.bound)
		limit := limitOf("agent-a-1", "then", s.a.cluster)
		s.put(event{at: s.a.merged.Add(-10 * time.Minute), down: map[string]bool{limit: true}})
		s.put(event{at: s.a.merged.Add(-toldAgain), down: map[string]bool{limit: false}})
	}},
	"never made while a clock was a little ahead": {"G5 granted after", func(s *scenario) {
		s.drop(s.bound)
		s.clock("prod-eu-a", s.a.merged, tolerated-2*time.Second)
	}},
	"never made as its Job went, by nobody's clock": {"G5 granted after", func(s *scenario) {
		s.unmade(s.a.end.Sub(s.a.merged) - time.Minute)
	}},
	"neither announced nor made, and said to have expired": {"ledger true", func(s *scenario) { s.neverMade(false) }},
	"announced and never made, and said to have expired before its end": {"ledger true", func(s *scenario) {
		s.move(s.entry, s.a.end.Add(-time.Minute))
		s.locate()
		s.neverMade(true)
	}},
	"said to be deleted at its end, as its record was prolonged": {"ledger true", (*scenario).prolonged},
	"never made, and said to be deleted as its Job went": {"ledger true", func(s *scenario) {
		s.unmade(0)
	}},
	"never made, and told to be deleted as its Job went": {"told true", func(s *scenario) {
		s.unmadeTold(false)
	}},
	"never made though what was pushed is decided": {"G5 granted after", func(s *scenario) {
		s.drop(s.bound)
		s.knew(unapproved+s.h[s.find(func(e event) bool { return e.push != nil })].push.tip, "yes", begin)
	}},
}
