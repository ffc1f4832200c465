package simulation

import (
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// mutant is a history that was changed so that something is wrong with it, and the rule that sees it.
type mutant struct {
	rule string
	make func(*scenario)
}

var (
	role = map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
		"name": "cluster-admin"}
)

// mutants are by what is wrong with them.
var mutants = map[string]mutant{
	"nobody approved": {"G1 approved", func(s *scenario) { s.drop(s.deed(approves)) }},
	"approved after it was bound": {"G1 approved", func(s *scenario) {
		s.move(s.deed(approves), s.h[s.bound].at.Add(time.Millisecond))
	}},
	"bound and never merged": {"G1 approved", func(s *scenario) { s.drop(s.deed(merges)) }},
	"bound and pushed to main by somebody": {"G1 approved", func(s *scenario) {
		i := s.deed(merges)
		s.h = slices.Insert(s.h, i+1, event{at: s.h[i].at, did: &deed{puts, s.a.request}})
	}},
	"bound long after the file left main": {"G1 approved", func(s *scenario) {
		left := s.a.merged.Add(time.Second)
		s.move(s.bound, left.Add(withdrawalBound+time.Second))
		s.put(event{at: left, push: &push{who: "people", changed: map[string]string{s.a.path: "D"}}})
	}},
	"nothing is owed": {"owed", func(s *scenario) {
		s.pushed(s.entry, func(p *push) { delete(p.changed, s.a.debtOf()) })
	}},
	"nobody answered": {"owed", func(s *scenario) { s.drop(s.deed(answers)) }},
	"bound for nobody's request": {"G1 approved", func(s *scenario) {
		s.set(s.bound, "20261123-mallory-x", "metadata", "labels", render.LabelRequest)
	}},
	"bound to somebody else": {"G1 as asked", func(s *scenario) {
		s.set(s.bound, []any{mallory}, "subjects")
	}},
	"bound to one more": {"G1 as asked", func(s *scenario) {
		all, _, _ := unstructured.NestedSlice(s.h[s.bound].version.New.Object, "subjects")
		s.set(s.bound, append(all, any(mallory)), "subjects")
	}},
	"bound to another role": {"G1 as asked", func(s *scenario) { s.set(s.bound, role, "roleRef") }},
	"bound elsewhere": {"G1 as asked", func(s *scenario) {
		s.set(s.bound, "kube-system", "metadata", "namespace")
	}},
	"a name that does not match": {"G1 names", func(s *scenario) { s.names("orders-api-1", "orders-db-0") }},
	"a name of a pod to come":    {"G1 names", func(s *scenario) { s.names("orders-api-1", "orders-api-9") }},
	"a name is missing":          {"G1 names", func(s *scenario) { s.names("orders-api-1") }},
	"bound for a second more": {"G1 as asked", func(s *scenario) {
		s.set(s.bound, s.a.end.Add(time.Second).Format(time.RFC3339), "metadata", "annotations",
			render.AnnotationExpiresAt)
	}},
	"bound before its window": {"G2 on time", func(s *scenario) {
		s.move(s.bound, s.a.merged.Add(-time.Second))
	}},
	"gone a second late": {"G2 on time", func(s *scenario) {
		s.move(s.unbound, s.a.end.Add(calmBound+time.Millisecond))
	}},
	"never gone": {"G2 on time", func(s *scenario) { s.drop(s.unbound) }},
	"late while only git was down": {"G2 on time", func(s *scenario) {
		s.move(s.unbound, s.a.end.Add(faultyBound+time.Millisecond))
		s.put(event{at: s.a.merged, down: map[string]bool{git: true}})
	}},
	"late long after Kubernetes was down": {"G2 on time", func(s *scenario) {
		s.move(s.unbound, s.a.end.Add(faultyBound+time.Second))
		s.put(event{at: s.a.merged, down: map[string]bool{of(kubernetes, clusterName): true}})
		s.put(event{at: s.a.end.Add(-recovery), down: map[string]bool{of(kubernetes, clusterName): false}})
	}},
	"no owner": {"G3 armed", func(s *scenario) {
		s.edit(s.bound, func(o *unstructured.Unstructured) { o.SetOwnerReferences(nil) })
	}},
	"the owner is another Job": {"G3 armed", func(s *scenario) {
		s.edit(s.bound, func(o *unstructured.Unstructured) {
			owners := o.GetOwnerReferences()
			owners[0].UID = "another"
			o.SetOwnerReferences(owners)
		})
	}},
	"the Job is not complete yet": {"G3 armed", func(s *scenario) {
		s.move(s.done, s.h[s.bound].at.Add(time.Millisecond))
	}},
	"the Job ends it early": {"G3 armed", func(s *scenario) {
		s.set(s.done, int64(60), "spec", "ttlSecondsAfterFinished")
	}},
	"the Job ends it late": {"G3 armed", func(s *scenario) {
		s.set(s.done, int64(7200), "spec", "ttlSecondsAfterFinished")
	}},
	"the Job ends it late by the API server's clock": {"G3 armed", func(s *scenario) {
		s.clock(one, s.h[s.bound].version.made.Add(-clockRead-time.Second), -time.Minute)
	}},
	"the Job is gone already": {"G3 armed", func(s *scenario) {
		job := s.h[s.done].version.New.GetUID()
		s.move(s.find(func(e event) bool {
			return e.version != nil && e.version.New == nil && e.version.Old.GetUID() == job
		}), s.h[s.bound].version.made.Add(-time.Nanosecond))
	}},
	"bound again": {"G4 once", func(s *scenario) {
		s.write(s.bound, s.h[s.bound].version.process, s.h[s.bound].version.Resource, false,
			s.a.end.Add(-time.Second))
	}},
	"the binding is changed": {"G6 may write", func(s *scenario) {
		s.write(s.bound, "agent-a-1", "rolebindings", true, s.a.end.Add(-time.Second))
	}},
	"the backstop is changed": {"G6 may write", func(s *scenario) {
		s.write(s.done, "agent-a-1", "jobs", true, s.a.end.Add(-time.Second))
	}},
	"a Secret is made": {"G6 may write", func(s *scenario) {
		s.write(s.bound, "agent-a-1", "secrets", false, s.a.end)
	}},
	"bound by one who does not lead": {"G6 leads", func(s *scenario) {
		v := *s.h[s.bound].version
		v.process = "agent-c-1"
		s.h[s.bound].version = &v
	}},
	"recorded by one who does not lead": {"G6 leads", func(s *scenario) {
		i := s.of("configmaps create")
		v := *s.h[i].version
		v.process = "agent-c-1"
		s.h[i].version = &v
	}},
	"a binding is deleted by its name": {"G6 this very one", func(s *scenario) {
		s.put(event{at: s.a.end, call: &call{clusterName, "agent-a-1", "DELETE",
			"/apis/rbac.authorization.k8s.io/v1/namespaces/payments/rolebindings/x", []byte(`{}`), s.a.end}})
	}},
	"Jobs are deleted together": {"G6 this very one", func(s *scenario) {
		s.put(event{at: s.a.end, call: &call{clusterName, "agent-a-1", "DELETE",
			"/apis/batch/v1/namespaces/payments/jobs", nil, s.a.end}})
	}},
	"written in quiet": {"G7 quiet", func(s *scenario) {
		s.write(s.bound, "agent-a-1", "configmaps", true, s.h[len(s.h)-1].at.Add(-time.Second))
	}},
	"pushed in quiet": {"G7 quiet", func(s *scenario) {
		s.put(event{at: s.h[len(s.h)-1].at.Add(-time.Second), push: &push{cluster: clusterName, who: "agent-a-1"}})
	}},
	"cut off": {"G7 quiet", func(s *scenario) { s.drop(len(s.h) - 1) }},
	"the reason in an annotation": {"G8 no words", func(s *scenario) {
		s.set(s.bound, canary, "metadata", "annotations", "note")
	}},
	"the reason in a message": {"G8 no words", func(s *scenario) {
		s.pushed(s.entry, func(p *push) { p.message += canary })
	}},
	"the reason in the log": {"G8 no words", func(s *scenario) {
		s.put(event{at: s.a.end, log: &line{text: "msg=" + canary}})
	}},
	"history is rewritten": {"ledger continues", func(s *scenario) {
		s.pushed(s.entry, func(p *push) { p.continues = false })
	}},
	"an entry is changed": {"ledger continues", func(s *scenario) {
		s.pushed(s.entry, func(p *push) { p.changed[requests.RevocationPath(s.a.cluster, s.a.name)] = "M" })
	}},
	"a policy is changed": {"ledger continues", func(s *scenario) {
		s.pushed(s.entry, func(p *push) { p.changed["policies/payments-debug.yaml"] = "M" })
	}},
	"a request is made": {"ledger continues", func(s *scenario) {
		s.pushed(s.entry, func(p *push) { p.changed[s.a.path] = "A" })
	}},
	"no entry": {"ledger true", func(s *scenario) {
		i := len(s.h) - 1
		s.h[i].main = maps.Clone(s.h[i].main)
		delete(s.h[i].main, requests.RevocationPath(s.a.cluster, s.a.name))
	}},
	"expired, and the entry says deleted": {"ledger true", func(s *scenario) {
		s.entered(s.a.name, "cause: Expired", "cause: BindingDeleted")
	}},
	"granted, and the entry says denied": {"ledger true", func(s *scenario) {
		s.entered(s.a.name, "cause: Expired", "cause: Denied")
	}},
	"the entry is of another binding": {"ledger true", func(s *scenario) {
		s.entered(s.a.name, string(s.h[s.bound].version.New.GetUID()), "another")
	}},
	"ended early by nobody, and the entry says expired": {"ledger true", func(s *scenario) {
		s.move(s.unbound, s.a.end.Add(-plan.MaxSkew-learns-time.Second))
	}},
	"a record is left":   {"nothing is left", func(s *scenario) { s.drop(s.of("configmaps delete")) }},
	"a backstop is left": {"nothing is left", func(s *scenario) { s.drop(s.of("jobs delete")) }},
	"a request is left": {"nothing is left", func(s *scenario) {
		i := len(s.h) - 1
		s.h[i].main = maps.Clone(s.h[i].main)
		s.h[i].main[s.a.path] = s.a.content
	}},
	"recorded before its end": {"recorded after end", func(s *scenario) {
		s.move(s.entry, s.a.end.Add(-time.Second))
	}},
	"approved and never bound": {"granted in time", func(s *scenario) { s.drop(s.bound) }},
	"bound late": {"granted in time", func(s *scenario) {
		s.move(s.bound, s.a.start.Add(calmGrant+time.Millisecond))
	}},
}
