package monitor

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
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
	}{{map[Stage]bool{StageGit: true}, begin},
		{map[Stage]bool{StageRequests: true, StageApply: true}, begin},
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
		{time.Second, false, http.StatusServiceUnavailable,
			"the expiry loop has not looked at the clock for 11s\n"},
		{time.Hour, false, http.StatusServiceUnavailable,
			"the expiry loop has not looked at the clock for 1h0m11s\n"},
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
