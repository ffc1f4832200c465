package simulation

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
)

// under has the scenario be about the first request under a policy.
func (s *scenario) under(policy string) {
	s.t.Helper()
	i := slices.IndexFunc(wishes, func(one wish) bool { return one.policy == policy })
	*s = *newScenario(s.t, s.h, &wishes[i])
}

// unheard takes every answer out that is about the request, and was got before a time.
func (s *scenario) unheard(before time.Time) {
	s.h = slices.DeleteFunc(s.h, func(e event) bool {
		return e.heard != nil && e.heard.about == s.a.asksOutside() && e.at.Before(before)
	})
}

// hears has the answers be others that are about the request.
func (s *scenario) hears(change func(*heard)) {
	for i, e := range s.h {
		if e.heard != nil && e.heard.about == s.a.asksOutside() {
			one := *e.heard
			change(&one)
			s.h[i].heard = &one
		}
	}
}

// refusedBy has the ledger say that the request was refused, by a code, and nothing of it be there.
func (s *scenario) refusedBy(code policies.Code) {
	s.entered(s.a.name, ": Expired", ": Denied")
	s.entered(s.a.name, "cause: Denied", "cause: Denied\n  code: "+string(code))
	s.h = slices.DeleteFunc(s.h, func(e event) bool {
		return e.version != nil && slices.ContainsFunc(append(s.a.made, s.a.gone...), func(b event) bool {
			return b.version == e.version
		})
	})
}

// outsideMutants are about what services outside said.
var outsideMutants = map[string]mutant{
	"no check agreed": {"G1 outside", func(s *scenario) {
		s.under("shop-checked")
		s.unheard(s.a.end)
	}},
	"the ticket was closed": {"G1 outside", func(s *scenario) {
		s.under("shop-ticket")
		s.hears(func(one *heard) { one.says = saysNo })
	}},
	"another process heard that she is on call": {"G1 outside", func(s *scenario) {
		s.under("shop-pager")
		s.hears(func(one *heard) { one.process = "agent-prod-eu-z-1" })
	}},
	"she is on call by another rota": {"G1 outside", func(s *scenario) {
		s.under("shop-first")
		s.hears(func(one *heard) { one.about = onCallBy(pagerSchedule) })
	}},
	"Opsgenie has somebody else on call": {"G1 outside", func(s *scenario) {
		s.under("shop-genie")
		s.hears(func(one *heard) { one.says = saysNo })
	}},
	"another ticket was open": {"G1 outside", func(s *scenario) {
		s.under("shop-ticket")
		s.hears(func(one *heard) { one.about += "0" })
	}},
	"the check agreed long before": {"G1 outside", func(s *scenario) {
		s.under("shop-checked")
		for i := len(s.h) - 1; i >= 0; i-- {
			if e := s.h[i]; e.heard != nil && e.heard.about == s.a.asksOutside() {
				s.move(i, e.at.Add(-judgedBefore-time.Minute))
				return
			}
		}
	}},
	"a service that only said yes refuses": {"G5 outside", func(s *scenario) {
		s.under("shop-ticket")
		s.refusedBy(policies.TicketNotOpen)
	}},
}

// anotherOne has the same be asked for, given and over once more, so much later, under a name of its own.
func (s *scenario) anotherOne(after time.Duration) (name string) {
	r := *s.a.request
	r.name = strings.Replace(r.name, "-alice-", fmt.Sprintf("-alice-%ds-", int(after.Seconds())), 1)
	r.path = requests.Path(r.cluster, r.policy, r.name)
	change := func(o *unstructured.Unstructured) *unstructured.Unstructured {
		if o == nil {
			return nil
		}
		o = o.DeepCopy()
		o.SetLabels(map[string]string{render.LabelRequest: requests.LabelValue(r.name)})
		o.SetUID(o.GetUID() + "-" + types.UID(after.String()))
		return o
	}
	for _, e := range slices.Clone(s.h) {
		switch e.at = e.at.Add(after); {
		case e.did != nil && e.did.request.path == s.a.path:
			e.did = &deed{e.did.what, &r}
		case slices.ContainsFunc(append(s.a.made, s.a.gone...), func(b event) bool {
			return e.version != nil && b.version == e.version
		}):
			v := *e.version
			v.made, v.Old, v.New = v.made.Add(after), change(v.Old), change(v.New)
			e.version = &v
		default:
			continue
		}
		s.put(e)
	}
	return r.name
}

// copied has the ledger have the same of another request under its name as it has of this one.
func (s *scenario) copied(name string) {
	last := &s.h[len(s.h)-1]
	last.main = maps.Clone(last.main)
	text := last.main[requests.RevocationPath(s.a.cluster, s.a.name)]
	last.main[requests.RevocationPath(s.a.cluster, name)] = strings.ReplaceAll(text, s.a.name, name)
}

// lasts has the request be for so long.
func (s *scenario) lasts(length time.Duration) {
	for i, e := range s.h {
		if e.did != nil && e.did.request.path == s.a.path {
			r := *e.did.request
			r.length = length
			s.h[i].did = &deed{e.did.what, &r}
		}
	}
}

// decidingMutants are about windows, rules that deny, and limits.
var decidingMutants = map[string]mutant{
	"a rule denies it": {"G1 denied", func(s *scenario) {
		s.under("shop-frozen")
		s.move(s.deed(merges), freezes["shop-frozen"].from.Add(time.Minute))
	}},
	"two more are there": {"G1 limits", func(s *scenario) {
		s.under(few)
		s.anotherOne(time.Second)
		s.anotherOne(2 * time.Second)
	}},
	"it began twice more within a day": {"G1 limits", func(s *scenario) {
		s.under(rare)
		s.anotherOne(2 * time.Hour)
		s.anotherOne(4 * time.Hour)
	}},
	"it began at once after the last one": {"G1 limits", func(s *scenario) {
		s.under(rare)
		s.anotherOne(s.a.end.Sub(s.a.start) + time.Minute)
	}},
	"it is refused for a limit that leaves room": {"G1 limits", func(s *scenario) {
		s.under(few)
		s.refusedBy(policies.LimitReached)
	}},
	"it begins outside of its window": {"G2 on time", func(s *scenario) {
		s.under("shop-hours")
		s.move(s.bound, begin.Add(30*time.Minute))
	}},
	"it goes on after its window": {"G2 on time", func(s *scenario) {
		s.under("shop-hours")
		s.move(s.unbound, s.a.end.Add(calmBound+time.Second))
	}},
	"it outlasts the review that its policy came to ask for": {"G2 changed", func(s *scenario) {
		s.under("shop-strict")
		s.decide(policyFile, "count: 1}]", "count: 1}, {kind: PeerReview, reviewers: [{kind: User, name: carol}]}]",
			s.a.start.Add(time.Minute))
		s.move(s.unbound, s.a.start.Add(8*time.Minute))
		s.lasts(time.Hour)
	}},
	"it outlasts the maximum that its policy came to have": {"G2 changed", func(s *scenario) {
		s.under("shop-strict")
		s.decide(policyFile, "maxDuration: 2h", "maxDuration: 1m", s.a.start.Add(10*time.Second))
		s.move(s.unbound, s.a.start.Add(8*time.Minute))
		s.lasts(time.Hour)
	}},
	"a review was missing by the policy of its merge": {"G1 stands", func(s *scenario) {
		s.under("shop-strict")
		s.later()
		s.decide(policyFile, "count: 1}]", "count: 1}, {kind: PeerReview, reviewers: [{kind: User, name: carol}]}]",
			s.early())
	}},
	"its approver was not in the team": {"G1 stands", func(s *scenario) {
		s.under("shop-team")
		s.knew(teamLost, "yes", s.early())
	}},
}
