package simulation

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
)

// approvedAt is the time of the approval of the scenario's request.
func (s *scenario) approvedAt() time.Time { return s.h[s.deed(approves)].at }

// doesToo adds a deed about the scenario's request.
func (s *scenario) doesToo(what string, at time.Time) {
	s.put(event{at: at, did: &deed{what, s.a.request}})
}

// knew adds a fact.
func (s *scenario) knew(what, is string, at time.Time) { s.put(event{at: at, fact: &fact{what, is}}) }

// decide adds a push of people's by which a file that decides becomes another; what it has now is what
// it has at the end.
func (s *scenario) decide(path, old, now string, at time.Time) {
	main := s.h.knowledge().main
	switch path {
	case policyFile:
		path = policies.Path(s.a.policy)
	case roleFile:
		role := roleOf.FindStringSubmatch(main[0].files[policies.Path(s.a.policy)].content)
		if path, old = policies.Path(s.a.policy), ""; role != nil { // else it has none
			path, old = rbac.CatalogPath(s.a.cluster, role[1]), "verbs"
		}
	}
	text := strings.Replace(main[len(main)-1].files[path].content, old, now, 1)
	if old == "" {
		text = ""
	}
	s.put(event{at: at, push: &push{who: "people", changed: map[string]string{path: "M"},
		decides: map[string]root{path: {text, "changed at " + at.String()}},
		line:    main[len(main)-1].line, tip: "changed"}})
}

// early is long before the binding, just is not.
func (s *scenario) early() time.Time { return s.boundAt().Add(-judgedBefore - time.Second) }
func (s *scenario) just() time.Time  { return s.boundAt().Add(-judgedBefore + time.Second) }

func (s *scenario) boundAt() time.Time { return s.h[s.last()].at }

// last is the event that made the last of what gives access.
func (s *scenario) last() (last int) {
	for i, e := range s.h {
		if e.version != nil && e.version.Old == nil && slices.Contains(access, e.version.Resource) &&
			e.version.New.GetLabels()[render.LabelRequest] == requests.LabelValue(s.a.name) {
			last = i
		}
	}
	return last
}

// later has the binding be made so late that what is known long before comes after the merge.
func (s *scenario) later() {
	s.move(s.last(), s.boundAt().Add(2*judgedBefore))
}

// elsewhere has main be on another line from a time on.
func (s *scenario) elsewhere(from time.Time) {
	s.put(event{at: from, push: &push{who: "people"}})
	for i, e := range s.h {
		if e.push != nil && !e.at.Before(from) {
			s.pushed(i, func(p *push) { p.line = "another" })
		}
	}
}

// renamed has etcd be set back to before the binding, which is made again, its subject have another name from
// a time on, and the end be told to be by that.
func (s *scenario) renamed(at time.Time) {
	forgot, made, gone := *s.h[s.unbound].version, *s.h[s.bound].version, *s.h[s.unbound].version
	forgot.Verb, forgot.process = restored, ""
	made.made = s.atBound().Add(time.Minute)
	made.New, gone.Old = made.New.DeepCopy(), gone.Old.DeepCopy()
	made.New.SetUID("again")
	gone.Old.SetUID("again")
	s.h[s.unbound].version = &gone
	s.put(event{at: made.made.Add(-time.Second), version: &forgot})
	s.put(event{at: made.made, version: &made})
	s.decide(identitiesFile, "alice@example.com", "alice.b@example.com", at)
	s.entered(s.a.name, "cause: "+requests.CauseExpired, "cause: "+requests.CauseSubjectRemoved)
	s.entered(s.a.name, "state: Expired", "state: "+requests.StateOf(requests.CauseSubjectRemoved))
	s.says(s.told(saysEnded), requests.CauseExpired, requests.CauseSubjectRemoved)
}

// policyFile stands for the file of the request's policy, roleFile for that of one of its roles.
const policyFile, roleFile = "policy", "role"

// hubMutants are about what people know of approvals, of what decides, and of main.
var hubMutants = map[string]mutant{
	"pushed to after its approval": {"G1 stands", func(s *scenario) {
		s.doesToo(changesIt, s.approvedAt().Add(time.Nanosecond))
	}},
	"dismissed": {"G1 stands", func(s *scenario) { s.doesToo(dismisses, s.approvedAt().Add(time.Nanosecond)) }},
	"changes requested": {"G1 stands", func(s *scenario) {
		s.doesToo(objects, s.approvedAt().Add(time.Nanosecond))
	}},
	"its approver wrote it":    {"G1 stands", func(s *scenario) { s.doesToo(takesUp, s.approvedAt().Add(-1)) }},
	"one of two in one":        {"G1 stands", func(s *scenario) { s.doesToo(spoils, s.approvedAt().Add(-1)) }},
	"its policy is gone":       changed(policyFile, "", ""),
	"its policy allows less":   changed(policyFile, "maxDuration: 2h", "maxDuration: 1m"),
	"who asks is not known":    changed(identitiesFile, "github: alice\n", "github: alicia\n"),
	"another owns it":          changed(ownersFile, "/requests/ @bob", "/requests/ @carol"),
	"its role shows otherwise": changed(roleFile, "verbs", "words"),
	"its policy changed after its approval": {"G1 stands", func(s *scenario) {
		s.decide(policyFile, "description: ", "description: Now ", s.approvedAt().Add(time.Nanosecond))
	}},
	"its policy was pushed": {"G1 stands", func(s *scenario) {
		s.later()
		s.decide(policyFile, "description: ", "description: Now ", s.early())
		s.knew(unapproved+"changed at "+s.early().String(), "yes", s.early())
	}},
	"it is for somebody else": {"G1 stands", func(s *scenario) {
		s.later()
		s.decide(identitiesFile, "alice@example.com", "alice.b@example.com", s.early())
	}},
	"its approver left": {"G1 stands", func(s *scenario) { s.knew("bob", "read", s.early()) }},
	"the rules were weak when the agent began": {"G1 stands", func(s *scenario) {
		s.knew(rulesWeak, "yes", begin.Add(-2*time.Minute))
	}},
	"main was set back": {"G1 known branch", func(s *scenario) {
		s.later()
		s.elsewhere(s.early())
	}},
	"the Lease has a commit of nowhere": {"G1 known branch", func(s *scenario) {
		for i, e := range s.h {
			if e.version != nil && e.version.Resource == "leases" && e.version.New != nil {
				s.edit(i, func(o *unstructured.Unstructured) {
					o.SetAnnotations(map[string]string{kube.AnnotationHead: "nowhere"})
				})
			}
		}
	}},
	"the ledger has it": {"G4 used up", func(s *scenario) {
		s.put(event{at: s.early(), push: &push{cluster: clusterName, changed: map[string]string{
			requests.RevocationPath(s.a.cluster, s.a.name): "A"}}})
	}},
	"the ledger had it, and has it again": {"G4 used up", func(s *scenario) {
		path := requests.RevocationPath(s.a.cluster, s.a.name)
		for i, status := range []string{"A", "D", "A"} {
			s.put(event{at: s.early().Add(time.Duration(i)), push: &push{who: "people",
				changed: map[string]string{path: status}}})
		}
	}},
	"an entry that people took is false all the same": {"ledger true", func(s *scenario) {
		path := requests.RevocationPath(s.a.cluster, s.a.name)
		s.put(event{at: s.a.end, push: &push{who: "people", changed: map[string]string{path: "D"}}})
		s.entered(s.a.name, "cause: Expired", "cause: Revoked")
	}},
	"an agent took the entry": {"ledger true", func(s *scenario) {
		path := requests.RevocationPath(s.a.cluster, s.a.name)
		s.put(event{at: s.a.end, push: &push{cluster: clusterName, who: "agent",
			changed: map[string]string{path: "D"}}})
		i := len(s.h) - 1
		s.h[i].main = maps.Clone(s.h[i].main)
		delete(s.h[i].main, path)
	}},
	"its policy changed after its end, and the entry says so": {"ledger true", func(s *scenario) {
		s.decide(policyFile, "", "", s.a.end.Add(time.Minute))
		s.entered(s.a.name, "cause: Expired", "cause: PolicyChanged")
	}},
	"made again, and entered to end by another name since after that": {"ledger true", func(s *scenario) {
		s.renamed(s.a.end.Add(time.Minute))
	}},
	"made again, and told to end by another name since after that": {"told true", func(s *scenario) {
		s.renamed(s.a.end.Add(time.Minute))
	}},
	"it left main after its end, and the entry says revoked": {"ledger true", func(s *scenario) {
		s.put(event{at: s.a.end.Add(time.Minute), push: &push{who: "people",
			changed: map[string]string{s.a.path: "D"}}})
		s.entered(s.a.name, "cause: Expired", "cause: Revoked")
	}},
}

// changed is a mutant of a file that decides, long before the binding was made.
func changed(path, old, now string) mutant {
	return mutant{"G1 stands", func(s *scenario) {
		s.later()
		s.decide(path, old, now, s.early())
	}}
}

// waivers are what is no mistake: a history so changed breaks the rule no more than before.
var waivers = map[string]mutant{
	"its policy was gone only just now": {"G1 stands", func(s *scenario) {
		s.later()
		s.decide(policyFile, "", "", s.just())
	}},
	"made as the pause was over, before the next one": {"G5 doubt", func(s *scenario) {
		s.stopped(policies.Paused)
	}},
	"its approver left only just now": {"G1 stands", func(s *scenario) { s.knew("bob", "read", s.just()) }},
	"its approver came back": {"G1 stands", func(s *scenario) {
		s.knew("bob", "read", begin)
		s.knew("bob", "write", s.just())
	}},
	"its policy changed after its merge": {"G1 stands", func(s *scenario) {
		s.later()
		s.decide(policyFile, "description: ", "description: Now ", s.early())
	}},
	"bound by one who woke only just now": {"G6 leads", func(s *scenario) {
		s.sleeps(s.atBound().Add(-wakes / 2))
		s.noticed(s.atBound())
	}},
	"taken as the App could not read the branch": {"G2 on time", func(s *scenario) { s.takenWithout(contents) }},
	"main was set back only just now": {"G1 known branch", func(s *scenario) {
		s.later()
		s.elsewhere(s.boundAt().Add(-time.Second))
	}},
	"approved again": {"G1 stands", func(s *scenario) {
		at := s.approvedAt()
		s.doesToo(changesIt, at.Add(1))
		s.doesToo(approves, at.Add(2))
	}},
	"never made as its Job went by a clock that is ahead":          unmadeAhead("G5 granted after"),
	"said to be deleted, as its Job went by a clock that is ahead": unmadeAhead("ledger true"),
	"an end is not told of the next entry, as who made it is over": {"told in time", func(s *scenario) {
		s.enteredAgain("agent-prod-eu-z-1")
	}},
	"announced and never made, and said to have expired": {"ledger true", func(s *scenario) { s.neverMade(true) }},
	"the ledger lost it": {"G4 used up", func(s *scenario) {
		path := requests.RevocationPath(s.a.cluster, s.a.name)
		for i, status := range []string{"A", "D"} {
			s.put(event{at: s.early().Add(time.Duration(i)), push: &push{who: "people",
				changed: map[string]string{path: status}}})
		}
	}},
	"the ledger has it since just now": {"G4 used up", func(s *scenario) {
		s.put(event{at: s.just(), push: &push{cluster: clusterName, changed: map[string]string{
			requests.RevocationPath(s.a.cluster, s.a.name): "A"}}})
	}},
	"made again, and entered to end by another name": {"ledger true", func(s *scenario) {
		s.renamed(s.a.end.Add(-time.Minute))
	}},
	"people took the entry": {"ledger true", func(s *scenario) {
		path := requests.RevocationPath(s.a.cluster, s.a.name)
		s.put(event{at: s.a.end, push: &push{who: "people", changed: map[string]string{path: "D"}}})
		i := len(s.h) - 1
		s.h[i].main = maps.Clone(s.h[i].main)
		delete(s.h[i].main, path)
	}},
}

// nothingMore: what is waived is.
func nothingMore(t *testing.T, h history) {
	for name, m := range waivers {
		t.Run(name, func(t *testing.T) {
			s := newScenario(t, h, &wishes[0])
			m.make(s)
			for _, what := range rules[m.rule](s.h) {
				if strings.Contains(what, s.a.name) {
					t.Errorf("the rule %q sees: %s", m.rule, what)
				}
			}
		})
	}
}
