package simulation

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
)

// inForce has a fault of the cluster last for a time.
func (s *scenario) inForce(name string, from, to time.Time) {
	s.put(event{at: from, down: map[string]bool{name: true}})
	s.put(event{at: to, down: map[string]bool{name: false}})
}

// clock has one of the cluster's be ahead from a time on.
func (s *scenario) clock(name string, from time.Time, ahead time.Duration) {
	s.put(event{at: from, clock: &reading{clusterName, name, ahead}})
}

// lacks has something of the fence be gone from a time on.
func (s *scenario) lacks(from time.Time) {
	v := *s.h[s.bound].version
	v.Resource, v.process, v.Old, v.New = "validatingadmissionpolicies", "", v.New, nil
	s.put(event{at: from, version: &v})
}

// boundAgain has an agent make the binding once more.
func (s *scenario) boundAgain(at time.Time) {
	v := *s.h[s.bound].version
	v.made = at
	s.put(event{at: at, version: &v})
}

// leads has somebody else hold the Lease from a time on.
func (s *scenario) leads(who, by string, at time.Time) {
	i := s.find(func(e event) bool {
		return e.version != nil && e.version.Resource == "leases" && e.version.New != nil
	})
	v := *s.h[i].version
	v.New = v.New.DeepCopy()
	set(v.New, who, "spec", "holderIdentity")
	v.process = by
	s.h = slices.DeleteFunc(s.h, func(e event) bool {
		return e.version != nil && e.version.Resource == "leases" && e.at.After(at)
	})
	s.put(event{at: at, version: &v})
}

// deletesLease has somebody delete the Lease by hand, and another replica lead a moment after.
func (s *scenario) deletesLease(at time.Time) {
	s.leads("agent-c-1", "agent-c-1", at.Add(time.Second))
	i := s.find(func(e event) bool {
		return e.version != nil && e.version.Resource == "leases" && e.version.New != nil
	})
	v := *s.h[i].version
	v.Old, v.New, v.process = v.New, nil, ""
	s.put(event{at: at, version: &v})
}

// tamper is a deed about the request.
func (s *scenario) tamper(what string, at time.Time) {
	s.put(event{at: at, did: &deed{what, s.a.request}})
}

// loses has people take the entry of the request from main.
func (s *scenario) loses(at time.Time) {
	s.put(event{at: at, push: &push{who: "people", changed: map[string]string{
		requests.RevocationPath(s.a.cluster, s.a.name): "D"}}})
}

// lost has the binding go long before its end, and the ledger say that somebody deleted it.
func (s *scenario) lost() {
	s.move(s.unbound, s.a.end.Add(-10*time.Minute))
	s.locate()
	s.entry = s.find(func(e event) bool { return e.push != nil && e.push.changed[s.a.path] == "D" })
	s.entered(s.a.name, "cause: "+requests.CauseExpired, "cause: "+requests.CauseBindingDeleted)
	s.entered(s.a.name, "state: Expired", "state: "+requests.StateOf(requests.CauseBindingDeleted))
}

func (s *scenario) atBound() time.Time { return s.h[s.bound].version.made }

// heldBefore has somebody hold a Job of the request just before its binding, which goes then or not.
func (s *scenario) heldBefore(goes bool) {
	at := s.h[s.done].at.Add(-time.Second)
	if goes {
		job := *s.h[s.done].version
		job.Old, job.New = job.New, nil
		s.put(event{at: at.Add(time.Millisecond), version: &job})
	}
	s.tamper("Job held", at)
}

// mallorys has the binding be made to one more.
func mallorys(s *scenario) {
	all, _, _ := unstructured.NestedSlice(s.h[s.bound].version.New.Object, "subjects")
	s.set(s.bound, append(all, any(mallory)), "subjects")
}

var one = of(kubernetes, clusterName)

// clusterMutants are those that the faults of clusters, clocks and hands waive nothing of.
var clusterMutants = map[string]mutant{
	"late while watches tell late": {"G2 on time", func(s *scenario) {
		s.move(s.unbound, s.a.end.Add(faultyBound+time.Millisecond))
		s.inForce(of(lateWatches, clusterName), s.a.merged, s.a.end.Add(time.Hour))
	}},
	"late while deletions were refused to the agent alone": {"G2 on time", func(s *scenario) {
		s.move(s.unbound, s.a.end.Add(faultyBound+time.Millisecond))
		s.inForce(of(refusing, clusterName), s.a.merged, s.a.end.Add(time.Hour))
	}},
	"late while another binding was held": {"G2 on time", func(s *scenario) {
		s.move(s.unbound, s.a.end.Add(faultyBound+time.Millisecond))
		s.inForce(of(held, "another"), s.a.merged, s.a.end.Add(time.Hour))
	}},
	"late while a clock was behind": {"G2 on time", func(s *scenario) {
		s.move(s.unbound, s.a.end.Add(faultyBound+time.Millisecond))
		s.clock("prod-eu-a", s.a.merged, -time.Hour)
		s.inForce(of(staleLists, clusterName), s.a.merged, s.a.end)
	}},
	"bound before its window by a clock that is a little ahead": {"G2 on time", func(s *scenario) {
		s.move(s.deed(asks), s.a.merged.Add(-10*time.Second))
		s.move(s.bound, s.a.merged.Add(-3*time.Second))
		s.clock("prod-eu-a", s.a.merged.Add(-10*time.Second), 2*time.Second)
	}},
	"there long after it was taken, and after deletions were refused to the agent": {"G2 on time", func(s *scenario) {
		at := s.atBound().Add(time.Second)
		s.move(s.unbound, at.Add(takenBound+recovery+2*time.Second))
		s.put(event{at: at, push: &push{who: "people", changed: map[string]string{s.a.path: "D"}}})
		s.inForce(of(refusing, clusterName), at, at.Add(time.Second))
	}},
	"late by more than what the clock of Kubernetes was behind": {"G2 on time", func(s *scenario) {
		s.move(s.unbound, s.a.end.Add(time.Hour))
		s.inForce(noneOf(agents, clusterName), s.a.merged, s.a.end.Add(time.Hour))
		s.clock(of(kubernetes, clusterName), s.a.merged, -time.Hour+faultyBound+time.Second)
		s.clock(of(kubernetes, clusterName), s.a.end.Add(2*faultyBound), 0)
	}},
	"there long after somebody edited it": {"G2 on time", func(s *scenario) {
		s.tamper("subject added", s.a.end.Add(-takenBound-time.Second))
	}},
	"there long after it was taken": {"G2 on time", func(s *scenario) {
		s.put(event{at: s.a.end.Add(-takenBound - time.Second),
			push: &push{who: "people", changed: map[string]string{s.a.path: "D"}}})
	}},
	"copied, and the copy stays": {"G2 on time", func(s *scenario) {
		s.edit(s.bound, func(*unstructured.Unstructured) {})
		v := *s.h[s.bound].version
		v.process = ""
		v.New = v.New.DeepCopy()
		v.New.SetUID("a copy")
		s.put(event{at: s.a.merged.Add(time.Minute), version: &v})
	}},
	"brought back, and it stays": {"G2 on time", func(s *scenario) {
		v, w := *s.h[s.bound].version, *s.h[s.unbound].version
		v.process, v.Verb = "", restored
		back := s.a.end.Add(10 * time.Minute)
		s.put(event{at: back, version: &v})
		s.put(event{at: back.Add(sweepBound + time.Second), version: &w})
	}},
	"called for after its end": {"G2 on time", func(s *scenario) {
		s.edit(s.bound, func(*unstructured.Unstructured) {})
		s.h[s.bound].version.made = s.a.end.Add(time.Minute)
	}},
	"bound again after the cluster forgot another one": {"G4 once", func(s *scenario) {
		other := *s.a.request
		other.name, other.path = other.name+"x", other.path+"x"
		s.put(event{at: s.a.end.Add(-time.Minute), did: &deed{"record deleted", &other}})
		s.boundAgain(s.a.end.Add(-time.Second))
	}},
	"bound again once it is in the ledger, after etcd was set back": {"G4 once", func(s *scenario) {
		at := s.h[s.entry].at.Add(withdrawalBound)
		v := *s.h[s.unbound].version
		v.Verb = restored
		s.put(event{at: at, version: &v})
		s.boundAgain(at.Add(time.Second))
	}},
	"bound while its clock is another": {"G5 stops", func(s *scenario) {
		s.clock(replicaOf(s.h[s.bound].version.process), s.atBound().Add(-clockRead-time.Second), time.Hour)
	}},
	"bound while the API server's clock is another": {"G5 stops", func(s *scenario) {
		s.clock(one, s.atBound().Add(-clockRead-time.Second), -32*time.Second)
	}},
	"bound long after the fence went": {"G5 stops", func(s *scenario) {
		s.lacks(s.atBound().Add(-checked - time.Second))
	}},
	"bound by one who never saw the fence": {"G5 stops", func(s *scenario) {
		s.h = append(history{}, s.h...)
		s.lacks(begin.Add(-clockRead - time.Hour))
	}},
	"bound by one from whom the Lease was taken": {"G6 leads", func(s *scenario) {
		s.leads("somebody", "", s.atBound().Add(-leaves-time.Second))
	}},
	"bound long after the Lease was deleted": {"G6 leads", func(s *scenario) {
		s.deletesLease(s.atBound().Add(-leaves - time.Second))
	}},
	"bound by one who slept while another led": {"G6 leads", func(s *scenario) {
		s.leads("agent-c-1", "agent-c-1", s.atBound().Add(-time.Millisecond))
	}},
	"with a subject that admission did not add": {"G1 as asked", func(s *scenario) {
		mallorys(s)
		s.inForce(of(marked, clusterName), s.a.merged, s.a.end)
	}},
	"with a subject that admission added, until the end": {"G1 as asked", func(s *scenario) {
		mallorys(s)
		s.inForce(of(added, clusterName), s.a.merged, s.a.end)
	}},
	"with a subject that admission added, long after its end was let": {"G1 as asked",
		func(s *scenario) {
			at := s.h[s.bound].at
			mallorys(s)
			s.move(s.unbound, at.Add(time.Minute+recovery+takenBound+time.Second))
			s.inForce(of(added, clusterName), s.a.merged, s.a.end)
			s.inForce(of(refusing, clusterName), s.a.merged, at.Add(time.Minute))
		}},
	"expired, and revoked after somebody edited it": {"ledger true", func(s *scenario) {
		s.tamper("subject added", s.a.merged.Add(time.Minute))
		s.entered(s.a.name, "cause: Expired", "cause: "+requests.CauseBindingDeleted)
	}},
	"taken, and its record set back after it was entered": {"ledger true", func(s *scenario) {
		s.lost()
		s.tamper(recordBack, s.h[s.entry].at.Add(time.Minute))
	}},
	"refused after main was set back to before its entry, and its record was there": {"ledger exact",
		func(s *scenario) {
			s.loses(s.a.end.Add(-time.Second))
			s.refused()
		}},
	"there long after somebody held its Job before":   {"G2 on time", func(s *scenario) { s.heldBefore(false) }},
	"its record brought back once, and counted twice": {"metrics counts", func(s *scenario) { s.recordAgain(2) }},
	"brought back once, and counted twice as deleted": {"metrics counts", func(s *scenario) { s.endsAgain(2) }},
	"early while a clock is behind": {"ledger true", func(s *scenario) {
		s.move(s.unbound, s.a.end.Add(-4*time.Minute))
		s.clock("prod-eu-a", s.a.merged, -time.Hour)
	}},
	"early long after a clock was ahead": {"ledger true", func(s *scenario) {
		s.move(s.unbound, s.a.end.Add(-4*time.Minute))
		s.clock("prod-eu-a", s.h[0].at, time.Hour)
		s.clock("prod-eu-a", s.a.merged.Add(-time.Second), 0)
	}},
}

// clusterWaived are histories in which something is so because of a fault, and no rule is broken.
var clusterWaived = map[string]mutant{
	"late while deletions were refused": {"G2 on time", func(s *scenario) {
		s.move(s.unbound, s.a.end.Add(time.Hour+recovery))
		s.inForce(of(keeping, clusterName), s.a.merged, s.a.end.Add(time.Hour))
	}},
	"bound before its window by a clock that is ahead": {"G2 on time", func(s *scenario) {
		s.move(s.bound, s.a.merged.Add(-time.Second))
		s.clock("prod-eu-a", s.a.merged.Add(-10*time.Second), 2*time.Second)
	}},
	"late by what the clock of Kubernetes was behind": {"G2 on time", func(s *scenario) {
		s.move(s.unbound, s.a.end.Add(time.Hour))
		s.inForce(noneOf(agents, clusterName), s.a.merged, s.a.end.Add(time.Hour))
		s.clock(of(kubernetes, clusterName), s.a.merged, -time.Hour)
		s.clock(of(kubernetes, clusterName), s.a.end.Add(2*faultyBound), 0)
	}},
	"taken while deletions were refused to the agent": {"G2 on time", func(s *scenario) {
		at := s.a.end.Add(-10 * time.Minute)
		s.move(s.unbound, at.Add(9*time.Minute))
		s.put(event{at: at, push: &push{who: "people", changed: map[string]string{s.a.path: "D"}}})
		s.inForce(of(refusing, clusterName), at, at.Add(5*time.Minute))
	}},
	"its record brought back":              {"metrics counts", func(s *scenario) { s.recordAgain(1) }},
	"its end forgotten, and counted":       {"metrics counts", func(s *scenario) { s.endForgotten(0) }},
	"brought back, and found gone":         {"metrics counts", func(s *scenario) { s.endsAgain(1) }},
	"somebody held a Job that went before": {"G2 on time", func(s *scenario) { s.heldBefore(true) }},
	"late while it was held": {"G2 on time", func(s *scenario) {
		s.move(s.unbound, s.a.end.Add(time.Hour+recovery))
		s.inForce(of(held, string(s.h[s.bound].version.New.GetUID())), s.a.merged, s.a.end.Add(time.Hour))
	}},
	"brought back, and gone": {"G2 on time", func(s *scenario) {
		v, w := *s.h[s.bound].version, *s.h[s.unbound].version
		v.process, v.Verb = "", restored
		back := s.a.end.Add(10 * time.Minute)
		s.put(event{at: back, version: &v})
		s.put(event{at: back.Add(sweepBound), version: &w})
	}},
	"brought back, and gone late as no Job was over and nobody lived": {"G2 on time", func(s *scenario) {
		v, w := *s.h[s.bound].version, *s.h[s.unbound].version
		v.process, v.Verb = "", restored
		back := s.a.end.Add(10 * time.Minute)
		s.put(event{at: back, version: &v})
		s.put(event{at: back.Add(2 * sweepBound), version: &w})
		s.clock(of(kubernetes, s.a.cluster), back, -time.Hour)
		s.all(agents.name)
		s.all(expirers.name)
	}},
	"bound again after its record was deleted": {"G4 once", func(s *scenario) {
		s.tamper("record deleted", s.a.end.Add(-time.Minute))
		s.boundAgain(s.a.end.Add(-time.Second))
	}},
	"refused after main was set back to before its entry": {"ledger exact", func(s *scenario) {
		s.loses(s.a.end)
		s.refused()
	}},
	"refused after its record was deleted": {"ledger exact", func(s *scenario) {
		s.tamper("record deleted", s.a.end.Add(-time.Minute))
		s.refused()
	}},
	"armed to end early by a clock that is ahead": {"G3 armed", func(s *scenario) {
		ttl, _, _ := unstructured.NestedInt64(s.h[s.done].version.New.Object, "spec", "ttlSecondsAfterFinished")
		s.set(s.done, ttl-20, "spec", "ttlSecondsAfterFinished")
		s.clock("prod-eu-a", s.a.merged.Add(-time.Second), 20*time.Second)
	}},
	"armed before the API server's clock was set behind": {"G3 armed", func(s *scenario) {
		made := s.h[s.bound].version.made
		s.clock(one, made.Add(-time.Millisecond), -time.Minute)
		s.clock(one, made.Add(time.Millisecond), 0)
	}},
	"refused after its record was deleted, and a Role was made anew": {"ledger exact", func(s *scenario) {
		s.tamper("record deleted", s.a.end.Add(-time.Minute))
		s.put(event{at: s.a.end.Add(-40 * time.Second), version: s.h[s.find(func(e event) bool {
			return e.version != nil && e.version.announces() &&
				e.version.New.GetLabels()[render.LabelRequest] == requests.LabelValue(s.a.name)
		})].version})
		s.write(s.bound, one, "roles", false, s.a.end.Add(-30*time.Second))
		s.refused()
	}},
	"taken, and its record set back before it was entered": {"ledger true", func(s *scenario) {
		s.lost()
		s.tamper(recordBack, s.h[s.entry].at.Add(-time.Second))
	}},
	"granted again after its record was deleted": {"metrics counts", func(s *scenario) {
		s.tamper("record deleted", s.a.end.Add(-time.Minute))
		s.shows(s.end(), func(one *scrape) { one.numbers[`decisions_total{code="",decision="allowed"}`]++ })
	}},
	"refused after its record was deleted, and nobody knew who approved it": {"ledger exact", func(s *scenario) {
		s.tamper("record deleted", s.a.end.Add(-time.Minute))
		s.unknown()
	}},
	"refused after etcd was set back while it was made": {"ledger exact", func(s *scenario) {
		s.setBack(s.atBound().Add(-time.Nanosecond))
		s.unknown()
	}},
	"late as GitHub lagged when it was merged": {"G5 granted after", func(s *scenario) {
		s.move(s.bound, s.a.merged.Add(faultyGrant+lagsBy))
		s.knew(lags, "yes", s.a.merged.Add(-time.Second))
	}},
	"late as GitHub came to lag soon after it was merged": {"G5 granted after", func(s *scenario) {
		s.move(s.bound, s.a.merged.Add(faultyGrant+lagsBy))
		s.knew(lags, "yes", s.a.merged.Add(time.Minute))
	}},
	"late as GitHub did not list who pushed for long": {"G5 granted after", func(s *scenario) {
		s.move(s.bound, s.a.merged.Add(2*faultyGrant))
		s.knew(forgets, "yes", s.a.merged.Add(-time.Second))
		s.knew(forgets, "", s.a.merged.Add(2*faultyGrant-time.Minute))
	}},
	"refused, and people took that from main": {"G5 granted after", func(s *scenario) { s.undone(s.a.merged) }},
	"said to be deleted at its end, by who was not there and whom the record tells of another": {"ledger true",
		func(s *scenario) {
			s.prolonged()
			s.h = slices.DeleteFunc(s.h, func(e event) bool { return e.started != nil })
		}},
	"clocks apart for a moment": {"G5 stops", func(s *scenario) {
		at := s.atBound()
		s.clock(one, at.Add(-clockRead+time.Second), time.Hour)
		s.clock(one, at.Add(time.Second), 0)
	}},
	"the fence went a moment ago": {"G5 stops", func(s *scenario) { s.lacks(s.atBound().Add(-time.Minute)) }},
	"with a subject that admission added, taken back": {"G1 as asked", func(s *scenario) {
		mallorys(s)
		s.move(s.unbound, s.h[s.bound].at.Add(sweepBound-time.Second))
		s.inForce(of(added, clusterName), s.a.merged, s.a.end)
	}},
	"with a subject that admission added, taken back as soon as that was let": {"G1 as asked",
		func(s *scenario) {
			at := s.h[s.bound].at
			mallorys(s)
			s.move(s.unbound, at.Add(time.Minute+recovery+takenBound-time.Second))
			s.inForce(of(added, clusterName), s.a.merged, s.a.end)
			s.inForce(of(refusing, clusterName), s.a.merged, at.Add(time.Minute))
		}},
	"early by a clock that is ahead": {"ledger true", func(s *scenario) {
		s.move(s.unbound, s.a.end.Add(-4*time.Minute))
		s.clock("prod-eu-a", s.a.merged, time.Hour)
	}},
	"bound a moment after the Lease was taken": {"G6 leads", func(s *scenario) {
		bound := s.atBound()
		s.leads("somebody", "", bound.Add(-time.Second))
		s.noticed(bound)
	}},
	"bound a moment after the Lease was deleted": {"G6 leads", func(s *scenario) {
		bound := s.atBound()
		s.deletesLease(bound.Add(-5 * time.Second))
		s.noticed(bound)
	}},
	"an end brought forward": {"ledger true", func(s *scenario) {
		s.set(s.bound, "x", "metadata", "annotations", render.AnnotationExpiresAt)
		s.move(s.unbound, s.a.end.Add(-5*time.Minute))
		s.tamper("end brought forward", s.a.end.Add(-time.Hour))
	}},
}
