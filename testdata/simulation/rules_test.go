package simulation

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
)

// mutant is a history that was changed so that something is wrong with it, and the rule that sees it.
type mutant struct {
	rule string
	make func(*scenario)
}

// scenario is a history, and what of it most mutants change: a request that was granted and ran to
// its end, the versions that made and removed its binding, and that which completed its Job.
type scenario struct {
	t                    *testing.T
	h                    history
	a                    *account
	bound, unbound, done int
	entry                int // the push that entered it into the ledger
}

// find is the index of the first event that is so.
func (s *scenario) find(is func(event) bool) int {
	s.t.Helper()
	i := slices.IndexFunc(s.h, is)
	if i < 0 {
		s.t.Fatal("the history has no such event")
	}
	return i
}

// of finds the first version of a kind that belongs to the request.
func (s *scenario) of(kind string) int {
	s.t.Helper()
	return s.find(func(e event) bool {
		return e.version != nil && e.version.kind() == kind &&
			e.version.object().GetLabels()[render.LabelRequest] == requests.LabelValue(s.a.name)
	})
}

func (s *scenario) deed(what string) int {
	s.t.Helper()
	return s.find(func(e event) bool { return e.did != nil && *e.did == deed{what, s.a.request} })
}

// drop takes an event out.
func (s *scenario) drop(i int) { s.h = slices.Delete(s.h, i, i+1) }

// move has an event happen at another time.
func (s *scenario) move(i int, to time.Time) {
	e := s.h[i]
	e.at = to
	s.h = slices.Delete(s.h, i, i+1)
	s.put(e)
}

// put adds an event at its time.
func (s *scenario) put(e event) {
	at, _ := slices.BinarySearchFunc(s.h, e.at, func(e event, t time.Time) int { return e.at.Compare(t) })
	s.h = slices.Insert(s.h, at, e)
}

// edit changes a copy of the newest object of a version.
func (s *scenario) edit(i int, change func(o *unstructured.Unstructured)) {
	v := *s.h[i].version
	v.New = v.New.DeepCopy()
	change(v.New)
	s.h[i].version = &v
}

// set has a field of the object be another.
func (s *scenario) set(i int, value any, fields ...string) {
	s.edit(i, func(o *unstructured.Unstructured) {
		if err := unstructured.SetNestedField(o.Object, value, fields...); err != nil {
			s.t.Fatal(err)
		}
	})
}

// write adds a version of the object of another one, as a process writes it.
func (s *scenario) write(i int, process, resource string, old bool, at time.Time) {
	v := *s.h[i].version
	v.process, v.Resource = process, resource
	if old {
		v.Old = v.New
	}
	s.put(event{at: at, version: &v})
}

// pushed changes a copy of a push.
func (s *scenario) pushed(i int, change func(*push)) {
	p := *s.h[i].push
	p.changed = maps.Clone(p.changed)
	change(&p)
	s.h[i].push = &p
}

// entered changes what the ledger has at the end of a request.
func (s *scenario) entered(name, old, now string) {
	i := len(s.h) - 1
	s.h[i].main = maps.Clone(s.h[i].main)
	path := requests.RevocationPath(s.a.cluster, name)
	text := strings.ReplaceAll(s.h[i].main[path], old, now)
	if text == s.h[i].main[path] {
		s.t.Fatalf("the entry has no %q:\n%s", old, text)
	}
	s.h[i].main[path] = text
}

var (
	subject = map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "User",
		"name": "mallory@example.com"}
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
	"bound long after the file left main": {"G1 approved", func(s *scenario) {
		s.put(event{at: s.h[s.bound].at.Add(-withdrawalBound - time.Second),
			push: &push{who: "people", changed: map[string]string{s.a.path: "D"}}})
	}},
	"bound for nobody's request": {"G1 approved", func(s *scenario) {
		s.set(s.bound, "20261123-mallory-x", "metadata", "labels", render.LabelRequest)
	}},
	"bound to somebody else": {"G1 as asked", func(s *scenario) {
		s.set(s.bound, []any{subject}, "subjects")
	}},
	"bound to one more": {"G1 as asked", func(s *scenario) {
		all, _, _ := unstructured.NestedSlice(s.h[s.bound].version.New.Object, "subjects")
		s.set(s.bound, append(all, subject), "subjects")
	}},
	"bound to another role": {"G1 as asked", func(s *scenario) { s.set(s.bound, role, "roleRef") }},
	"bound elsewhere": {"G1 as asked", func(s *scenario) {
		s.set(s.bound, "kube-system", "metadata", "namespace")
	}},
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
	"the Job is gone already": {"G3 armed", func(s *scenario) {
		s.move(s.of("jobs delete"), s.h[s.bound].at.Add(-time.Nanosecond))
	}},
	"bound again": {"G4 once", func(s *scenario) {
		s.write(s.bound, s.h[s.bound].version.process, "rolebindings", false, s.a.end.Add(-time.Second))
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
			"/apis/rbac.authorization.k8s.io/v1/namespaces/payments/rolebindings/x", []byte(`{}`)}})
	}},
	"Jobs are deleted together": {"G6 this very one", func(s *scenario) {
		s.put(event{at: s.a.end, call: &call{clusterName, "agent-a-1", "DELETE",
			"/apis/batch/v1/namespaces/payments/jobs", nil}})
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
		s.put(event{at: s.a.end, log: "msg=" + canary})
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
		s.move(s.unbound, s.a.end.Add(-tolerated-time.Second))
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
		s.move(s.bound, s.a.merged.Add(calmGrant+time.Millisecond))
	}},
}

// everyRuleCanFail: a history with nothing wrong breaks no rule, and with one thing wrong it breaks
// the rule that is about it.
func everyRuleCanFail(t *testing.T, h history) {
	seen, all := map[string]bool{}, maps.Clone(mutants)
	maps.Copy(all, shapeMutants)
	for name, m := range all {
		seen[m.rule] = true
		t.Run(name, func(t *testing.T) {
			s := newScenario(t, h)
			m.make(s)
			if len(rules[m.rule](s.h)) == 0 {
				t.Errorf("the rule %q sees nothing; all see %q", m.rule, s.h.check())
			}
		})
	}
	for name := range rules {
		if !seen[name] {
			t.Errorf("no mutant breaks the rule %q", name)
		}
	}
}

// newScenario takes the first request that ran to its end.
func newScenario(t *testing.T, h history) *scenario {
	s := &scenario{t: t, h: slices.Clone(h)}
	for _, a := range h.accounts() {
		if s.a == nil && a.granted() && !a.taken(a.end) {
			s.a = a
		}
	}
	if s.a == nil {
		t.Fatal("no request ran to its end")
	}
	s.bound, s.unbound = s.of("rolebindings create"), s.of("rolebindings delete")
	s.done = s.find(func(e event) bool {
		if e.version == nil || e.version.kind() != "jobs update" ||
			e.version.New.GetLabels()[render.LabelRequest] != requests.LabelValue(s.a.name) {
			return false
		}
		_, done, _ := unstructured.NestedString(e.version.New.Object, "status", "completionTime")
		return done
	})
	s.entry = s.find(func(e event) bool {
		return e.push != nil && e.push.changed[s.a.path] == "D"
	})
	return s
}

// TestDefectsAreSeen: what a real agent with a defect does breaks the rule that is about it.
func TestDefectsAreSeen(t *testing.T) {
	w := run(t, options{seed: 1, length: 40 * time.Minute, every: often, meddle: func(_ string,
		r *http.Request, body []byte) ([]byte, *http.Response) {
		switch {
		case r.Method != http.MethodDelete || !strings.Contains(r.URL.Path, "/rolebindings/"):
			return body, nil
		case strings.HasSuffix(r.URL.Path, "-n0"): // deletes whichever it is
			return []byte(`{"propagationPolicy":"Background"}`), nil
		}
		done := httptest.NewRecorder() // means to delete, and does not
		done.WriteHeader(http.StatusNoContent)
		return nil, done.Result()
	}})
	for _, rule := range []string{"G2 on time", "G6 this very one"} {
		if len(rules[rule](w.history)) == 0 {
			t.Errorf("the rule %q sees nothing; all see %q", rule, w.history.check())
		}
	}
}

// TestWaived: what overlaps counts once, and only within the time asked for.
func TestWaived(t *testing.T) {
	at := func(minutes int) time.Time { return begin.Add(time.Duration(minutes) * time.Minute) }
	server, still, h := of(kubernetes, clusterName), of(controllers, clusterName), history{}
	for _, change := range []struct {
		minute int
		system string
		down   bool
	}{{0, server, true}, {2, still, true}, {8, still, false}, {10, server, false}, {20, git, true},
		{25, git, false}, {30, still, true}, {40, still, false}} {
		h = append(h, event{at: at(change.minute), down: map[string]bool{change.system: change.down}})
	}
	for _, test := range []struct{ from, to, want int }{{0, 60, 26}, {5, 60, 21}, {14, 29, 0}, {0, 35, 18}} {
		if got := h.waived(clusterName, at(test.from), at(test.to)); got != time.Duration(test.want)*time.Minute {
			t.Errorf("from minute %d to %d: %s, want %d min", test.from, test.to, got, test.want)
		}
	}
}
