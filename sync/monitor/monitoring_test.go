package monitor

import (
	"bytes"
	"flag"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/pullgrant/pullgrant/policies"
)

var update = flag.Bool("update", false, "write the list of metrics")

const monitoring = "../../docs/monitoring/"

// exported are the families of metrics by name, of an agent that has counted everything once, and
// those that only an expirer has.
func exported(t *testing.T) map[string]*dto.MetricFamily {
	t.Helper()
	byName := map[string]*dto.MetricFamily{}
	wall := func() time.Time { return noon }
	for _, m := range []*Metrics{NewAWSAuthMetrics("prod-eu", "v1", wall),
		NewExpirerMetrics("prod-eu", "v1", wall), NewMetrics("prod-eu", "v1", wall)} {
		m.WatchOverdue(func() int { return 0 })
		m.WatchMisnamed(func() int { return 0 })
		for _, api := range []string{"rest", "graphql"} {
			m.WatchGitHub(api, func() Budget { return Budget{} })
		}
		m.Decided(policies.Denied, string(policies.NoPolicy))
		families, err := m.registry.Gather()
		if err != nil || len(families) < 5 {
			t.Fatalf("%d families, %v", len(families), err)
		}
		for _, f := range families {
			byName[f.GetName()] = f
		}
	}
	return byName
}

// TestExpirerShowsWhatItDoes: nothing of an agent's, so that an alert or a sum over agents never
// counts it.
func TestExpirerShowsWhatItDoes(t *testing.T) {
	m := NewExpirerMetrics("prod-eu", "v1", func() time.Time { return noon })
	m.WatchOverdue(func() int { return 0 })
	m.WatchMisnamed(func() int { return 0 })
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range families {
		got = append(got, strings.TrimPrefix(f.GetName(), "pullgrant_"))
	}
	want := []string{"expirer_build_info", "expirer_unsafe", "expiry_heartbeat_timestamp_seconds",
		"expiry_lateness_seconds", "last_error_timestamp_seconds", "misnamed_objects",
		"past_expiry"}
	if !slices.Equal(got, want) {
		t.Errorf("it shows %q, want %q", got, want)
	}
	if ready, lines := m.ready(); ready {
		t.Errorf("ready before it knows a deadline: %q", lines)
	}
	m.Beat(true)
	m.Stop(policies.Unfenced, true)
	if ready, lines := m.ready(); !ready || !slices.Contains(lines, "this process only expires") ||
		!strings.Contains(strings.Join(lines, "\n"), "it expires all the same, Unfenced: ") {
		t.Errorf("ready: %t, %q", ready, lines)
	}
}

// TestWhatKeepsAWSAuthShows: nothing of an agent's or an expirer's either.
func TestWhatKeepsAWSAuthShows(t *testing.T) {
	m := NewAWSAuthMetrics("prod-eu", "v1", func() time.Time { return noon })
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range families {
		got = append(got, strings.TrimPrefix(f.GetName(), "pullgrant_"))
	}
	want := []string{"aws_auth_build_info", "aws_auth_entries",
		"aws_auth_heartbeat_timestamp_seconds", "aws_auth_left", "aws_auth_refused",
		"aws_auth_unsafe", "last_error_timestamp_seconds"}
	if !slices.Equal(got, want) {
		t.Errorf("it shows %q, want %q", got, want)
	}
	if ready, lines := m.ready(); ready {
		t.Errorf("ready before it has read the list: %q", lines)
	}
	m.Beat(true)
	m.Stop(policies.Unfenced, true)
	if ready, lines := m.ready(); !ready ||
		!slices.Contains(lines, "this process only keeps aws-auth") ||
		!strings.Contains(strings.Join(lines, "\n"),
			"it takes entries away all the same, Unfenced: ") {
		t.Errorf("ready: %t, %q", ready, lines)
	}
}

func text(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(monitoring + file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestMetricsAreListed holds the list of metrics to what is exported: rules and dashboard are
// checked against the list, in a module of their own.
func TestMetricsAreListed(t *testing.T) {
	const list = "../../testdata/monitoring/metrics.txt"
	families := exported(t)
	var got bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(families)) {
		if _, err := expfmt.MetricFamilyToText(&got, families[name]); err != nil {
			t.Fatal(err)
		}
	}
	if *update {
		if err := os.WriteFile(list, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("%s is not what is exported; run this test with -update, look at the difference",
			list)
	}
}

// TestMetricsAreExplained holds the page to the metrics, with their labels and the words of the
// closed lists, and the metrics to the page.
func TestMetricsAreExplained(t *testing.T) {
	families := exported(t)
	rows := map[string]string{}
	page := string(text(t, "README.md"))
	for _, m := range regexp.MustCompile("(?m)^\\| `(pullgrant_\\w+)` (\\|.*)$").FindAllStringSubmatch(page,
		-1) {
		rows[m[1]] = m[2]
		if families[m[1]] == nil {
			t.Errorf("the page explains %s, which is not exported", m[1])
		}
	}
	// whose words stand in other lists
	elsewhere := map[string]bool{"code": true, "cause": true, "version": true, "cluster": true}
	for name, f := range families {
		row, ok := rows[name]
		if kind := strings.ToLower(f.GetType().String()); !ok || !strings.HasPrefix(row,
			"| "+kind+", ") {
			t.Errorf("the page has for %s, a %s: %q", name, kind, row)
		}
		for _, m := range f.Metric {
			for _, l := range m.Label {
				if l.GetName() != "cluster" && !strings.Contains(row, "`"+l.GetName()+"`") {
					t.Errorf("the page does not name the label %s of %s", l.GetName(), name)
				}
				if !elsewhere[l.GetName()] && !strings.Contains(row, "`"+l.GetValue()+"`") {
					t.Errorf("the page does not name %s=%q of %s", l.GetName(), l.GetValue(), name)
				}
			}
		}
	}
	for _, s := range Stopping {
		if !strings.Contains(page, "`"+string(s.Code)+"`: ") {
			t.Errorf("the page does not say what to do about %s", s.Code)
		}
	}
}
