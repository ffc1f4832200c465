package sync

import (
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
)

// between has the policy let access be between two times of Monday in Stockholm, an hour ahead of
// noon's.
func (s *stage) between(from, to string) {
	s.Helper()
	s.change("windows-"+from[:2], "root", s.edited(policyPath, "  target:\n", "  windows: [{days: [Mon], "+
		`from: "`+from+`", to: "`+to+`", timeZone: Europe/Stockholm}]`+"\n  target:\n"))
}

// TestWindow is the whole way of a request that is merged before its policy's window opens: told so,
// begun on the second with a poll that never comes, and ended when the window closes, which is
// before its own time is over (R64).
func TestWindow(t *testing.T) {
	s := newStage(t)
	s.between("13:02", "13:32")
	start, end := noon.Add(2*time.Minute), noon.Add(32*time.Minute)
	name, path, content := s.requestFile("window")
	number := s.pull("window", true, map[string]string{path: content})
	// a start that is nearer than render.Lead is prepared at once, and told only when it has come
	jump := s.ticking(start.Add(-render.Lead - 30*time.Second))
	signer := newSigner(t)
	s.running(s.agent(options{github: true, signer: signer, poll: time.Hour}))
	s.Until("it is told when access begins", func() bool { return s.said(number) != "" })
	for _, words := range []string{"### Approved, access begins at 2026-11-23 12:02:00",
		"to 2026-11-23 12:32:00 UTC, 30m; cut at 13:32 Europe"} {
		if said := plainText(s.said(number)); !strings.Contains(said, words) {
			t.Errorf("%q is not in\n%s", words, said)
		}
	}
	s.Until("access begins", func() bool {
		there := len(s.Bindings()) > 0
		if there && s.Clock().Before(start) {
			t.Errorf("there is a binding %s before the window", start.Sub(s.Clock()))
		}
		return there
	})
	s.allowed(true)
	jump(end.Add(-2 * time.Second))
	s.Until("access ends", func() bool {
		over := len(s.Bindings()) == 0
		if over && s.Clock().Before(end) {
			t.Errorf("it is over %s before the window's end", end.Sub(s.Clock()))
		}
		return over
	})
	s.Until("it is in the ledger", func() bool { return len(s.Records()) == 0 })
	status := s.over(name, requests.CauseExpired, "").Status
	if !status.GrantedAt.Equal(start) || !status.ExpiresAt.Equal(end) {
		t.Errorf("the entry: %+v", status)
	}
	if rules := s.rules(signersOf(t, signer.AllowedSigner(s.Cluster)), s.Clock()); rules != "" {
		t.Errorf("the audit finds %s", rules)
	}
}

// TestWindowOfLater: a window that is taken away before it opens gives nothing, and one that is made
// longer gives no more than was approved (R66).
func TestWindowOfLater(t *testing.T) {
	for slug, test := range map[string]struct {
		from, to   string
		start, end time.Duration // of what is given, after noon; none: nothing
	}{
		"gone":    {"19:00", "20:00", 0, 0},
		"later":   {"15:30", "20:00", 150 * time.Minute, 3 * time.Hour},
		"shorter": {"14:00", "15:30", 2 * time.Hour, 150 * time.Minute},
		"longer":  {"14:00", "20:00", 2 * time.Hour, 3 * time.Hour},
	} {
		t.Run(slug, func(t *testing.T) {
			s := newStage(t)
			s.between("15:00", "18:00")
			name, path, content := s.requestFile(slug)
			s.pull(slug, true, map[string]string{path: content})
			a := s.agent(githubOnly)
			s.Must(a.Once(t.Context()))
			s.nothingYet("Scheduled")
			s.pause()
			s.change("other", "root", s.edited(policyPath, `from: "15:00", to: "18:00"`,
				`from: "`+test.from+`", to: "`+test.to+`"`))
			s.SetClock(noon.Add(2 * time.Hour))
			s.Must(a.Once(t.Context()))
			if test.end == 0 {
				r := s.over(name, requests.CauseDenied, string(policies.OutsideWindow))
				if r.Status.GrantedAt != nil {
					t.Errorf("the entry: %+v", r.Status)
				}
				return
			}
			s.SetClock(noon.Add(test.start))
			s.Must(a.Once(t.Context()))
			want := requests.Window{Start: requests.At(noon.Add(test.start)),
				End: requests.At(noon.Add(test.end))}
			if b := s.Bindings(); len(b) != 1 ||
				b[0].Annotations["pullgrant.dev/granted-at"] != want.Start.String() ||
				b[0].Annotations["pullgrant.dev/expires-at"] != want.End.String() {
				t.Errorf("bindings: %+v", b)
			}
		})
	}
}
