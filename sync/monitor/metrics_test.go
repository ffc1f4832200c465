package monitor

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// TestMetricNames holds the names to Prometheus' conventions.
func TestMetricNames(t *testing.T) {
	m := NewMetrics("prod", "", func() time.Time { return noon })
	m.WatchOverdue(func() int { return 0 })
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if problems, err := promlint.NewWithMetricFamilies(families).Lint(); err != nil ||
		len(problems) > 0 {
		t.Error(problems, err)
	}
}

// TestPassed: only what holds up all requests makes a pass incomplete.
func TestPassed(t *testing.T) {
	begin := noon
	now := begin
	m := NewMetrics("prod", "", func() time.Time { return now })
	m.Passed(nil, 0)
	now = begin.Add(time.Minute)
	for _, c := range []struct {
		failing map[Stage]bool
		at      time.Time
	}{{map[Stage]bool{StageGit: true}, begin}, {map[Stage]bool{StageRequests: true,
		StageApply: true}, begin},
		{map[Stage]bool{StageRequests: true}, now}} {
		if m.Passed(c.failing, 0); !m.complete.Equal(c.at) {
			t.Errorf("%v: complete at %s", c.failing, m.complete)
		}
	}
}

// TestDeadWhenTheLoopStandsStill: only silence of the expiry loop makes the agent dead, and a look
// at the clock revives it.
func TestDeadWhenTheLoopStandsStill(t *testing.T) {
	now := noon
	s := &Server{Metrics: NewMetrics("prod", "", func() time.Time { return now })}
	for _, c := range []struct {
		after time.Duration
		beat  bool
		want  int
		text  string
	}{
		{10 * time.Second, false, http.StatusOK, "the expiry loop is running\n"},
		{time.Second, false, http.StatusServiceUnavailable, "the expiry loop has not looked at " +
			"the clock for 11s\n"},
		{time.Hour, false, http.StatusServiceUnavailable, "the expiry loop has not looked at " +
			"the clock for 1h0m11s\n"},
		{0, true, http.StatusOK, "the expiry loop is running\n"},
	} {
		now = now.Add(c.after)
		if c.beat {
			s.Metrics.Beat(true)
		}
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/healthz", nil))
		if w.Code != c.want || w.Body.String() != c.text {
			t.Errorf("after %s: %d %s, want %d %s", c.after, w.Code, w.Body, c.want, c.text)
		}
	}
}

// TestWholeCommitsAreTold: that the git server can do less is told, and leaves the agent ready.
func TestWholeCommitsAreTold(t *testing.T) {
	m := NewMetrics("prod-eu", "v1", func() time.Time { return noon })
	m.Beat(true)
	before, _ := m.ready()
	m.Whole("the git server offers no filters")
	ready, lines := m.ready()
	if ready != before || !slices.ContainsFunc(lines, func(line string) bool {
		return strings.Contains(line, "the git server offers no filters")
	}) {
		t.Errorf("ready %t before, %t now: %q", before, ready, lines)
	}
}

// TestStop shows on the metric of whoever tells it, and is news when it begins and when it ends.
func TestStop(t *testing.T) {
	clock := time.Now
	for name, m := range map[string]*Metrics{
		"pullgrant_granting_stopped": NewMetrics("prod", "v1", clock),
		"pullgrant_expirer_unsafe":   NewExpirerMetrics("prod", "v1", clock)} {
		for i, test := range []struct{ on, news bool }{{false, false}, {true, true}, {true, false},
			{false, true}} {
			if news := m.Stop(policies.Unfenced, test.on); news != test.news {
				t.Errorf("%s, step %d: news: %t", name, i, news)
			}
			want := fmt.Sprintf("%s{cluster=\"prod\",reason=\"Unfenced\"} %d\n", name,
				map[bool]int{true: 1}[test.on])
			page := httptest.NewRecorder()
			(&Server{Metrics: m}).Handler().ServeHTTP(page, httptest.NewRequest("GET", "/metrics",
				nil))
			if !strings.Contains(page.Body.String(), want) {
				t.Errorf("%s, step %d: no %s", name, i, want)
			}
		}
	}
}

// TestNoWebhookWithoutSecret: what nobody can sign is not taken.
func TestNoWebhookWithoutSecret(t *testing.T) {
	for secret, code := range map[string]int{"": 404, "secret": 415} {
		s := Server{Metrics: NewMetrics("prod", "v1", time.Now), Secret: []byte(secret)}
		answer := httptest.NewRecorder()
		s.Handler().ServeHTTP(answer, httptest.NewRequest("POST", "/webhook", nil))
		if answer.Code != code {
			t.Errorf("secret %q: answered with %d, want %d", secret, answer.Code, code)
		}
	}
}

// TestObserved: grants are the bindings of the agent, and the outbox is what has ended and is not in
// the ledger, also while that cannot be read.
func TestObserved(t *testing.T) {
	m := NewMetrics("prod", "v1", time.Now)
	ended := func(name string) plan.Record {
		return plan.Record{Phase: plan.Ended, Grant: requests.Grant{Name: name}}
	}
	main := &plan.Main{Names: map[string][]string{"a": {requests.RevocationPath("prod", "a")},
		"b": {requests.RevocationPath("other", "b")}}}
	for _, main := range []*plan.Main{main, nil} {
		m.Observed(plan.World{Cluster: "prod", Main: main,
			Live: []plan.Live{{Managed: true, Kind: "RoleBinding"},
				{Managed: true, Kind: "RoleBinding"},
				{Kind: "RoleBinding"}, {Managed: true, Kind: "Job"}},
			Records: []plan.Record{ended("a"), ended("b"), {}, {}, {}},
		})
		page := httptest.NewRecorder()
		(&Server{Metrics: m}).Handler().ServeHTTP(page, httptest.NewRequest("GET", "/metrics", nil))
		for _, want := range []string{"pullgrant_grants_active{cluster=\"prod\"} 2\n",
			"pullgrant_outbox_depth{cluster=\"prod\"} 1\n"} {
			if !strings.Contains(page.Body.String(), want) {
				t.Errorf("main known %t: no %s", main != nil, want)
			}
		}
	}
}

// TestOnlyTheLeaderShowsWhatIsThere: a replica that no longer takes the passes shows nothing of what
// they found, and once it does again, a stop that still holds begins anew.
func TestOnlyTheLeaderShowsWhatIsThere(t *testing.T) {
	m := NewMetrics("prod", "", func() time.Time { return noon })
	shown := func() (all []string) {
		families, err := m.registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			for _, one := range f.GetMetric() {
				if one.GetGauge().GetValue() == 1 && !strings.HasSuffix(f.GetName(), "_info") {
					all = append(all, f.GetName())
				}
			}
		}
		return all
	}
	m.Lead(true)
	m.Observed(plan.World{Live: []plan.Live{{Kind: "RoleBinding", Managed: true}},
		Records: []plan.Record{{Phase: plan.Ended}}})
	m.Passed(nil, 1)
	m.Lasting(1)
	m.Stop(policies.Paused, true)
	if want := []string{"pullgrant_ends_failing", "pullgrant_granting_stopped", "pullgrant_grants_active",
		"pullgrant_leader", "pullgrant_outbox_depth", "pullgrant_requests_waiting"}; !slices.Equal(shown(), want) {
		t.Errorf("the leader shows %v, want %v", shown(), want)
	}
	m.Lead(false)
	if len(shown()) > 0 {
		t.Errorf("one that does not lead shows %v", shown())
	}
	if _, lines := m.ready(); strings.Contains(fmt.Sprint(lines), string(policies.Paused)) {
		t.Errorf("it says %v", lines)
	}
	m.Lead(true)
	if !m.Stop(policies.Paused, true) {
		t.Error("a stop that was told in an earlier term does not begin")
	}
}
