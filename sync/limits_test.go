package sync

import (
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/plan"
	"github.com/pullgrant/pullgrant/testdata/forge"
	controlplane "github.com/pullgrant/pullgrant/testdata/kube"
)

// limit has the policy have limits.
func (s *stage) limit(limits string) {
	s.Helper()
	s.change("limits", "root", s.edited(policyPath, "  target:\n", "  limits: {"+limits+"}\n  target:\n"))
}

// TestLimitOfTwoAtOnce: of two requests that are on the branch before an agent looks, as many begin
// as the limit allows, in the order of the branch and not of their names. The other is told what came
// first, and its entry stands up to an audit (R80).
func TestLimitOfTwoAtOnce(t *testing.T) {
	for evidence, o := range map[string]options{"github": githubOnly, "branch": {}} {
		t.Run(evidence, func(t *testing.T) {
			s := newStage(t)
			s.limit("maxActivePerRequester: 1")
			signer := newSigner(t)
			o.signer = signer
			var names []string
			number := 0
			for _, slug := range []string{"z-first", "a-second"} {
				name, path, content := s.requestFile(slug)
				names = append(names, name)
				if o.github {
					number = s.pull(slug, true, map[string]string{path: content})
				} else {
					s.ask(slug)
				}
			}
			a := s.agent(o)
			for range 3 {
				_ = a.Once(t.Context()) // an error says what waits
				s.SetClock(s.Clock().Add(time.Minute))
			}
			if b := s.Bindings(); len(b) != 1 || !strings.Contains(b[0].Name, "z-first") {
				t.Fatalf("bindings: %+v", b)
			}
			denied := s.entry(names[1])
			if denied.Status.Cause != requests.CauseDenied ||
				denied.Status.Code != string(policies.LimitReached) {
				t.Errorf("the entry says %s %s", denied.Status.Cause, denied.Status.Code)
			}
			if o.github && !strings.Contains(plainText(s.said(number)), names[0]) {
				t.Errorf("it is not told what came first:\n%s", s.said(number))
			}
			s.SetClock(noon.Add(61 * time.Minute)) // the policy was merged first
			s.Must(a.Once(t.Context()))
			s.over(names[0], requests.CauseExpired, "")
			if o.github {
				if rules := s.rules(signersOf(t, signer.AllowedSigner(s.Cluster)), s.Clock()); rules != "" {
					t.Errorf("the audit finds %s", rules)
				}
			}
		})
	}
}

// TestLimitByTheLedger: what ended counts by its entry, and access that was given back ended then.
func TestLimitByTheLedger(t *testing.T) {
	s := newStage(t)
	s.limit("cooldown: 30m")
	first, path, content := s.requestFile("first")
	s.pull("first", true, map[string]string{path: content})
	a := s.agent(githubOnly)
	s.Must(a.Once(t.Context()))
	end := noon.Add(61 * time.Minute) // the policy was merged first
	s.SetClock(end)
	s.Must(a.Once(t.Context()))
	s.over(first, requests.CauseExpired, "")
	for _, test := range []struct {
		slug    string
		minutes int // after the end
		code    string
	}{{"soon", 29, string(policies.LimitReached)}, {"later", 30, ""}} {
		s.SetClock(end.Add(time.Duration(test.minutes) * time.Minute))
		name, path, content := s.requestFile(test.slug)
		s.pull(test.slug, true, map[string]string{path: content})
		s.Must(a.Once(t.Context()))
		if test.code != "" {
			s.over(name, requests.CauseDenied, test.code)
			continue
		}
		s.allowed(true)
	}
}

// TestLimitByWhatWasTaken: what people took from the branch counts for what was merged next, also when
// that came before its ledger entry: by its record, and by the entry alone once the record is forgotten.
func TestLimitByWhatWasTaken(t *testing.T) {
	admin := controlplane.ForTest(t).Admin()
	for evidence, o := range map[string]options{"github": githubOnly, "branch": {}} {
		for by, forgotten := range map[string]bool{"record": false, "entry": true} {
			t.Run(evidence+" by its "+by, func(t *testing.T) {
				s := newStage(t)
				s.limit("cooldown: 1h")
				a := s.agent(o)
				ask := func(slug string) (name, path string) {
					name, path, content := s.requestFile(slug)
					if o.github {
						s.pull(slug, true, map[string]string{path: content})
					} else {
						s.ask(slug)
					}
					return name, path
				}
				first, path := ask("first")
				s.Must(a.Once(t.Context()))
				s.granted(first)
				s.SetClock(noon.Add(30 * time.Minute))
				if forgotten { // nothing is decided until then
					s.Must(kube.Pause(t.Context(), admin, "INC-9"))
				}
				s.pushFiles("root", "Take it", map[string]string{path: forge.Removed})
				second, _ := ask("second")
				_ = a.Once(t.Context()) // an error says what waits
				if forgotten {
					s.SetClock(noon.Add(62 * time.Minute))
					_ = a.Once(t.Context())
					if r := s.Scene.Records(); len(r) > 0 {
						t.Errorf("records: %v", r)
					}
					_, _, err := kube.Resume(t.Context(), admin)
					s.Must(err)
				}
				s.Must(a.Once(t.Context()))
				s.refused(second, string(policies.LimitReached))
				if b := s.Bindings(); len(b) > 0 {
					t.Errorf("bindings: %v", b)
				}
			})
		}
	}
}

// TestRefusedDoesNotCount: what the cluster changed as it was made, and which was refused for that, counts
// no more by its record than by its entry; what somebody took from a person does (R78).
func TestRefusedDoesNotCount(t *testing.T) {
	r := plan.Record{Phase: plan.Ended, Code: string(policies.ChangedByCluster),
		EndedAt: requests.At(noon.Add(time.Minute)),
		Objects: []plan.Object{{Kind: render.KindRoleBinding, UID: "made"}}}
	r.Grant.Window = requests.Window{Start: requests.At(noon), End: requests.At(noon.Add(time.Hour))}
	for cause, counts := range map[string]bool{requests.CauseDenied: false, requests.CauseRevoked: true} {
		if r.Cause = cause; countedOf(r).Window.Empty() == counts {
			t.Errorf("%s: it counts as %v", cause, countedOf(r).Window)
		}
	}
}
