package simulation

import (
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/simulation/cluster"
)

// whole is an installation with every process that there may be, and no faults.
var whole = map[string]int{hasExpirers: 100_000, hasPasses: 100_000, hasAWS: 100_000, hasAudit: 100_000}

// sleeps has the leader sleep until a time, and another one lead meanwhile and from then on.
func (s *scenario) sleeps(until time.Time) {
	s.inForce(of(sleeping, s.h[s.bound].version.process), until.Add(-time.Minute), until)
	s.leads("agent-c-1", "agent-c-1", until.Add(-30*time.Second))
}

// noticed has who led do nothing more after a time.
func (s *scenario) noticed(at time.Time) {
	s.h = slices.DeleteFunc(s.h, func(e event) bool {
		return e.version != nil && e.version.process != "" && e.version.made.After(at)
	})
}

// takenWithout has the request be taken before its end while the App lacks a right.
func (s *scenario) takenWithout(right string) {
	at := s.a.end.Add(-takenBound - time.Second)
	s.inForce(of(rightLost, right), at.Add(-time.Second), s.a.end)
	s.put(event{at: at, push: &push{who: "people", changed: map[string]string{s.a.path: "D"}}})
}

// shapeMutants are those of rules that are about shapes.
var shapeMutants = map[string]mutant{
	"an expirer makes a binding": {"G6 may write", func(s *scenario) {
		s.write(s.bound, "expirer-c-1", "rolebindings", false, s.a.end.Add(-time.Second))
	}},
	"an expirer keeps a record": {"G6 may write", func(s *scenario) {
		s.write(s.bound, "expirer-c-1", "configmaps", true, s.a.end.Add(-time.Second))
	}},
	"what keeps aws-auth makes a ConfigMap": {"G6 may write", func(s *scenario) {
		s.write(s.bound, "aws-e-1", "configmaps", false, s.a.end.Add(-time.Second))
	}},
	"bound by one who woke long before, while another led": {"G6 leads", func(s *scenario) {
		s.sleeps(s.atBound().Add(-wakes - time.Second))
	}},
	"there long after it was taken, as the App might only not comment": {"G2 on time", func(s *scenario) {
		s.takenWithout("issues:write")
	}},
	"an expirer ends it early": {"G2 not early", func(s *scenario) {
		s.by(s.unbound, "expirer-c-1")
		s.move(s.unbound, s.a.end.Add(-time.Second))
	}},
	"the backstop ends it while an agent lives": {"G2 prompt", func(s *scenario) {
		s.all(expirers.name)
		s.move(s.unbound, s.a.end.Add(11*time.Second))
	}},
	"the backstop ends it while an expirer lives": {"G2 prompt", func(s *scenario) {
		s.all(agents.name)
		s.move(s.unbound, s.a.end.Add(11*time.Second))
	}},
	"the backstop ends it while an expirer lives, whose label was taken off later": {"G2 prompt",
		func(s *scenario) {
			s.all(agents.name)
			s.move(s.unbound, s.a.end.Add(11*time.Second))
			s.tamper(unlabelled, s.a.end.Add(20*time.Second))
		}},
	"nothing ends it after Kubernetes was away": {"G2 prompt", func(s *scenario) {
		server := of(kubernetes, s.a.cluster)
		s.put(event{at: s.a.end.Add(-time.Minute), down: map[string]bool{server: true}})
		s.put(event{at: s.a.end.Add(time.Minute), down: map[string]bool{server: false}})
		s.again()
		s.move(s.unbound, s.a.end.Add(time.Minute+11*time.Second))
	}},
	"bound though its name was used elsewhere": {"G4 names", func(s *scenario) { s.usedElsewhere() }},
	"a single pass grants while a replica leads": {"G6 passes", func(s *scenario) {
		at := s.h[s.bound].at
		s.by(s.bound, "pass-g-99")
		s.put(event{at: at.Add(-time.Second), started: &life{program: passes.name, cluster: s.a.cluster,
			process: "pass-g-99"}})
	}},
	"what keeps aws-auth writes another list": {"aws-auth others", func(s *scenario) {
		i := s.letIn(true)
		s.edit(i, func(o *unstructured.Unstructured) { o.SetName("another") })
	}},
	"what keeps aws-auth lets in whom it likes": {"aws-auth others", func(s *scenario) {
		s.list(s.letIn(true), func(text string) string {
			return text + "- userarn: arn:aws:iam::111122223333:user/eve\n  username: eve\n"
		})
	}},
	"what keeps aws-auth takes out somebody else": {"aws-auth others", func(s *scenario) {
		s.list(s.letIn(false), func(text string) string {
			return strings.Replace(text, "groups: [system:masters]", "groups: []", 1)
		})
	}},
	"nobody is let in": {"aws-auth in step", func(s *scenario) {
		s.list(s.letIn(true), func(text string) string { return entries.ReplaceAllString(text, "") })
	}},
	"nobody is taken out": {"aws-auth in step", func(s *scenario) {
		s.list(s.letIn(false), func(text string) string {
			return text + s.inList()
		})
	}},
	"late by a clock of Kubernetes that was behind long after its controllers went on": {"G2 on time",
		func(s *scenario) { s.behindAfter(recovery + faultyBound + time.Second) }},
	"copied, and the copy stays while an agent lives": {"G2 on time", func(s *scenario) {
		s.copiedByHand(s.a.merged.Add(10 * time.Minute))
	}},
	"copied, and the copy stays past its end while an expirer lives": {"G2 on time", func(s *scenario) {
		s.all(agents.name)
		s.copiedByHand(s.a.end.Add(sweepBound + time.Second))
	}},
	"bound once somebody edited it, whose record went before": {"G2 on time", func(s *scenario) {
		at := s.atBound()
		s.tamper("record deleted", at.Add(-2*time.Second))
		s.tamper("subject added", at.Add(-time.Second))
	}},
	"bound long after a rule of the fence went": {"G5 stops", func(s *scenario) {
		s.edit(s.bound, func(*unstructured.Unstructured) {})
		s.h[s.bound].version.made = begin.Add(checked + 2*time.Second)
		s.ruled(false, begin.Add(time.Second))
	}},
	"let in after its end, which nobody put off": {"aws-auth in step", func(s *scenario) {
		s.staysIn(s.a.end.Add(time.Minute + 10*time.Second))
	}},
	"let in after the end to which its record was prolonged": {"aws-auth in step", func(s *scenario) {
		s.tamper(prolongs, s.a.end.Add(-time.Minute))
		s.staysIn(s.a.end.Add(prolongedBy + time.Minute + 10*time.Second))
	}},
}

// shapeWaived are histories in which nothing is wrong that something else than the agent did.
var shapeWaived = map[string]mutant{
	"bound though its name was used elsewhere, which main lost": {"G4 names", func(s *scenario) {
		entry := s.usedElsewhere()
		s.put(event{at: s.a.merged.Add(-time.Minute), push: &push{who: "people",
			changed: map[string]string{entry: "D"}}})
	}},
	"the backstop ends it while an expirer lives that does not know it by its label any more": {"G2 prompt",
		func(s *scenario) {
			s.all(agents.name)
			s.move(s.unbound, s.a.end.Add(11*time.Second))
			s.tamper(unlabelled, s.a.end.Add(-time.Minute))
		}},
	"copied, and the copy stays while a stranger holds the Lease": {"G2 on time", func(s *scenario) {
		s.copiedByHand(s.a.merged.Add(11 * time.Minute))
		s.inForce(of(leaseTaken, s.a.cluster), s.a.merged, s.a.merged.Add(10*time.Minute))
	}},
	"copied, and the copy stays until its end while an expirer lives": {"G2 on time", func(s *scenario) {
		s.all(agents.name)
		s.copiedByHand(s.a.end)
	}},
	"copied, and the copy stays past its end while neither an agent nor an expirer lives": {"G2 on time",
		func(s *scenario) {
			s.all(agents.name)
			s.all(expirers.name)
			s.copiedByHand(s.a.end.Add(sweepBound + time.Second))
		}},
	"late by a clock of Kubernetes that was behind as its controllers went on": {"G2 on time",
		func(s *scenario) { s.behindAfter(-time.Minute) }},
	"bound once somebody edited it, whose record went then": {"G2 on time", func(s *scenario) {
		at := s.atBound()
		s.tamper("subject added", at.Add(-2*time.Second))
		s.tamper("record deleted", at.Add(-time.Second))
	}},
	"bound long after a rule of the fence went, which is back": {"G5 stops", func(s *scenario) {
		s.edit(s.bound, func(*unstructured.Unstructured) {})
		s.h[s.bound].version.made = begin.Add(checked + 2*time.Second)
		s.ruled(false, begin.Add(time.Second))
		s.ruled(true, begin.Add(2*time.Second))
	}},
	"let in until the end to which its record was prolonged": {"aws-auth in step", func(s *scenario) {
		s.tamper(prolongs, s.a.end.Add(-time.Minute))
		s.staysIn(s.a.end.Add(prolongedBy + time.Second))
	}},
}

// usedElsewhere has the name be used in another cluster an hour before the merge, and names the entry.
func (s *scenario) usedElsewhere() (entry string) {
	r := *s.a.request
	r.cluster, r.path = "prod-us", requests.Path("prod-us", r.policy, r.name)
	s.put(event{at: s.a.merged.Add(-time.Hour), did: &deed{asks, &r}})
	s.put(event{at: s.a.merged.Add(-time.Hour), push: &push{cluster: "prod-us", who: "agent-prod-us-a-1",
		changed: map[string]string{r.entryOf(): "A"}}})
	return r.entryOf()
}

// copiedByHand has somebody copy the binding, until a time.
func (s *scenario) copiedByHand(until time.Time) {
	made := *s.h[s.bound].version
	made.process, made.New = "", made.New.DeepCopy()
	made.New.SetUID("a copy")
	gone := made
	gone.Old, gone.New = made.New, nil
	s.put(event{at: s.a.merged.Add(time.Minute), version: &made})
	s.put(event{at: until, version: &gone})
}

// behindAfter has the controllers stand still until ten minutes after the end, the clock of Kubernetes be an
// hour behind for a moment, from so long after that on, and the binding go an hour after the controllers went
// on; no agent is there.
func (s *scenario) behindAfter(from time.Duration) {
	on := s.a.end.Add(10 * time.Minute)
	s.move(s.unbound, on.Add(time.Hour))
	s.inForce(noneOf(agents, clusterName), s.a.merged, on.Add(time.Hour))
	s.inForce(of(controllers, clusterName), s.a.end.Add(-time.Minute), on)
	s.clock(of(kubernetes, clusterName), on.Add(from), -time.Hour)
	s.clock(of(kubernetes, clusterName), on.Add(from+2*time.Minute), 0)
}

// inList is the entry of the request in aws-auth.
func (s *scenario) inList() string {
	return "- userarn: " + arn + " # pullgrant " + s.a.name + "\n  username: \"alice@example.com\"\n"
}

// staysIn has the request alone be in aws-auth, from when it is bound until a time, and its record say all
// that time that it is granted, as no agent is there.
func (s *scenario) staysIn(until time.Time) {
	in, bound := *s.h[s.letIn(true)].version, s.h[s.bound].at
	out := in
	out.Old, out.New = in.New, in.Old
	s.h = slices.DeleteFunc(s.h, func(e event) bool {
		return e.version != nil && (e.version.isAWSAuth() && e.version.Old != nil ||
			e.version.Resource == records && e.version.object().GetLabels()[render.LabelRequest] != "" &&
				(e.version.New == nil || e.at.After(s.a.end) ||
					e.version.New.GetLabels()[render.LabelRequest] != requests.LabelValue(s.a.name)))
	})
	s.put(event{at: bound, version: &in})
	s.put(event{at: until, version: &out})
	s.list(s.letIn(true), func(string) string { return s.inList() })
	s.list(s.letIn(false), func(string) string { return "" })
}

// by has another process write a version.
func (s *scenario) by(i int, process string) {
	v := *s.h[i].version
	v.process = process
	s.h[i].version = &v
}

// all has every process of a program die as it starts.
func (s *scenario) all(program string) {
	for _, e := range slices.Clone(s.h) {
		if e.started != nil && e.started.program == program {
			s.put(event{at: e.at.Add(time.Nanosecond), died: e.started.process})
		}
	}
	s.again()
}

// again finds what moved as something was put before it.
func (s *scenario) again() {
	s.locate()
}

// ruled has the agent's part of the fence have all its rules from a time on, or lack one.
func (s *scenario) ruled(whole bool, from time.Time) {
	p := render.FencePolicies()[0]
	if !whole {
		p.Spec.Validations = p.Spec.Validations[1:]
	}
	o, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&p)
	if err != nil {
		panic(err) // it is of the API's own types
	}
	live := &unstructured.Unstructured{Object: o}
	s.put(event{at: from, version: &version{cluster: clusterName, made: from,
		Event: cluster.Event{Resource: "validatingadmissionpolicies", Old: live, New: live}}})
}

// letIn finds the first version of aws-auth that lets somebody in, or takes them out.
func (s *scenario) letIn(in bool) int {
	return s.find(func(e event) bool {
		return e.version != nil && e.version.isAWSAuth() && e.version.Old != nil &&
			e.version.cluster == s.a.cluster && entries.MatchString(mapUsers(e.version.New)) == in
	})
}

// list changes mapUsers of a version.
func (s *scenario) list(i int, change func(string) string) {
	s.set(i, change(mapUsers(s.h[i].version.New)), "data", render.MapUsers)
}

// nobodyIsLate: nobody is to blame for an end that the backstop brought while no process lived that
// ends access.
func nobodyIsLate(t *testing.T, h history) {
	s := newScenario(t, h, nil)
	s.all(agents.name)
	s.all(expirers.name)
	s.move(s.unbound, s.a.end.Add(11*time.Second))
	if wrong := prompt(s.h); len(wrong) > 0 {
		t.Error(wrong)
	}
}
