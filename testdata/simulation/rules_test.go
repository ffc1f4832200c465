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

// scenario is a history, and what of it most mutants change: a request that was granted and ran to
// its end, the versions that made and removed the last of its bindings, and that which completed the
// Job of that.
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
	if e.version != nil { // its call too
		v := *e.version
		v.made = v.made.Add(to.Sub(e.at))
		e.version = &v
	}
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

// names has the Role of the request have names of pods in its first rule, wherever it has any.
func (s *scenario) names(pods ...any) {
	for i, e := range s.h {
		if e.version == nil || e.version.New == nil || e.version.Resource != "roles" ||
			e.version.New.GetLabels()[render.LabelRequest] != requests.LabelValue(s.a.name) {
			continue
		}
		s.edit(i, func(o *unstructured.Unstructured) {
			rules, _, _ := unstructured.NestedSlice(o.Object, "rules")
			rules[0].(map[string]any)["resourceNames"] = append([]any{requests.Placeholder}, pods...)
			o.Object["rules"] = rules
		})
	}
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

// ofKinds are the promises whose rules look at what a kind of grant is made of.
var ofKinds = []string{"G1", "G2", "G3", "G4"}

// ofPolicies are rules that look at a policy that their mutants name.
var ofPolicies = []string{"G1 outside", "G1 denied", "G1 limits", "G2 changed", "G2 used",
	"G2 withdrawn"}

// TestEveryRuleCanFail: a history with nothing wrong breaks no rule, and with one thing wrong with a
// request, of each that people ask for, it breaks the rule that is about it.
func TestEveryRuleCanFail(t *testing.T) {
	w := run(t, options{seed: 1, length: time.Hour, every: time.Minute, faults: whole, inTurn: true})
	report(t, w)
	seen, all := map[string]bool{}, maps.Clone(mutants)
	maps.Copy(all, shapeMutants)
	maps.Copy(all, clusterMutants)
	maps.Copy(all, hubMutants)
	maps.Copy(all, entryMutants)
	maps.Copy(all, toldMutants)
	maps.Copy(all, metricMutants)
	maps.Copy(all, doubtMutants)
	maps.Copy(all, outsideMutants)
	maps.Copy(all, decidingMutants)
	maps.Copy(all, usesMutants)
	maps.Copy(all, withdrawnMutants)
	for name, m := range all {
		seen[m.rule] = true
		t.Run(name, func(t *testing.T) {
			for i := range len(wishes) - len(decidedOtherwise) { // whose kind of grant is that of others
				allowed := wishes[i].allowed
				ofReview := m.rule == "G1 approved" || m.rule == "G1 stands" || slices.Contains(entriesOfReviews, name)
				ofGlass := m.rule == "owed" || m.rule == "G1 owes nothing"
				if allowed == nothing || ofReview && allowed != "" || ofGlass && allowed != glass {
					continue
				}
				s := newScenario(t, w.history, &wishes[i])
				if m.rule == "G1 names" && s.a.matches == nil {
					continue
				}
				if m.make(s); len(rules[m.rule](s.h)) == 0 {
					t.Errorf("%s: the rule %q sees nothing; all see %q", s.a.name, m.rule, s.h.check())
				}
				if !slices.Contains(ofKinds, m.rule[:2]) || slices.Contains(ofPolicies, m.rule) {
					break // what it is about is the same for every kind of grant
				}
			}
		})
	}
	for name := range rules {
		if !seen[name] {
			t.Errorf("no mutant breaks the rule %q", name)
		}
	}
	nothingMore(t, w.history)
	waived := maps.Clone(clusterWaived)
	maps.Copy(waived, entryWaived)
	maps.Copy(waived, shapeWaived)
	maps.Copy(waived, withdrawnWaived)
	maps.Copy(waived, toldWaived)
	for name, m := range waived {
		t.Run(name, func(t *testing.T) {
			s := newScenario(t, w.history, &wishes[0])
			m.make(s)
			for _, what := range rules[m.rule](s.h) {
				t.Error(what)
			}
		})
	}
}

// newScenario takes the first request for something, or for anything, that ran to its end.
func newScenario(t *testing.T, h history, wanted *wish) *scenario {
	t.Helper()
	s := &scenario{t: t, h: slices.Clone(h)}
	for _, a := range h.accounts() {
		if s.a == nil && (wanted == nil || a.wish == wanted) && a.granted() && !a.taken(a.end) {
			s.a = a
		}
	}
	if s.a == nil {
		t.Fatalf("no such request ran to its end: %+v", wanted)
	}
	s.locate()
	s.entry = s.find(func(e event) bool {
		return e.push != nil && e.push.changed[s.a.path] == "D"
	})
	return s
}

// locate finds the versions that mutants change, wherever they are by now.
func (s *scenario) locate() {
	s.t.Helper()
	last := s.a.made[len(s.a.made)-1].version.New
	s.bound = s.find(func(e event) bool {
		return e.version != nil && e.version.Old == nil && e.version.New.GetUID() == last.GetUID()
	})
	s.unbound = s.find(func(e event) bool {
		return e.version != nil && e.version.New == nil && e.version.Old.GetUID() == last.GetUID()
	})
	s.done = s.find(func(e event) bool {
		if e.version == nil || e.version.kind() != "jobs update" ||
			e.version.New.GetUID() != last.GetOwnerReferences()[0].UID {
			return false
		}
		_, done, _ := unstructured.NestedString(e.version.New.Object, "status", "completionTime")
		return done
	})
}

// TestDefectsAreSeen: what a real agent with a defect does breaks the rule that is about it.
func TestDefectsAreSeen(t *testing.T) {
	w := run(t, options{seed: 1, length: 40 * time.Minute, every: often, meddle: func(_ string,
		r *http.Request, body []byte) ([]byte, *http.Response) {
		switch {
		case r.Method != http.MethodDelete || !strings.Contains(r.URL.Path, "/rolebindings/"):
			return body, nil
		case strings.HasSuffix(r.URL.Path, "-n1"): // deletes whichever it is
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
