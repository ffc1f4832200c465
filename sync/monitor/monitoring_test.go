package monitor

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"

	"github.com/pullgrant/pullgrant/policies"
)

const monitoring = "../../docs/monitoring/"

// exported are the families of metrics by name, of an agent that has counted everything once.
func exported(t *testing.T) map[string]*dto.MetricFamily {
	t.Helper()
	m := NewMetrics("prod-eu", "v1", func() time.Time { return noon })
	m.WatchOverdue(func() int { return 0 })
	m.Decided(policies.Denied, string(policies.NoPolicy))
	families, err := m.registry.Gather()
	if err != nil || len(families) < 10 {
		t.Fatalf("%d families, %v", len(families), err)
	}
	byName := map[string]*dto.MetricFamily{}
	for _, f := range families {
		byName[f.GetName()] = f
	}
	return byName
}

// family finds the family of a series' name.
func family(families map[string]*dto.MetricFamily, name string) *dto.MetricFamily {
	if f := families[name]; f != nil {
		return f
	}
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		if f := families[strings.TrimSuffix(name, suffix)]; f != nil &&
			f.GetType() == dto.MetricType_HISTOGRAM {
			return f
		}
	}
	return nil
}

func text(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(monitoring + file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// query holds an expression to what is exported: its metrics, their labels and the words that it
// asks for.
func query(t *testing.T, families map[string]*dto.MetricFamily, where, expr string) {
	t.Helper()
	parsed, err := parser.ParseExpr(
		strings.NewReplacer("$cluster", ".*", "$__rate_interval", "1m").Replace(expr))
	if err != nil {
		t.Errorf("%s: %v", where, err)
		return
	}
	known := map[string]bool{"le": true, "instance": true}
	for _, f := range families {
		for _, l := range f.Metric[0].Label {
			known[l.GetName()] = true
		}
	}
	selectors := 0
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.AggregateExpr:
			for _, label := range n.Grouping {
				if !known[label] {
					t.Errorf("%s groups by %s, which no metric has", where, label)
				}
			}
		case *parser.VectorSelector:
			selectors++
			f := family(families, n.Name)
			if f == nil {
				t.Errorf("%s asks for %s, which is not exported", where, n.Name)
			} else if !slices.ContainsFunc(f.Metric,
				func(m *dto.Metric) bool { return matches(m, n.LabelMatchers) }) {
				t.Errorf("%s asks for %s, which no series is", where, n)
			}
		}
		return nil
	})
	if selectors == 0 {
		t.Errorf("%s asks for nothing", where)
	}
}

func matches(m *dto.Metric, matchers []*labels.Matcher) bool {
	return !slices.ContainsFunc(matchers, func(want *labels.Matcher) bool {
		at := slices.IndexFunc(m.Label,
			func(l *dto.LabelPair) bool { return l.GetName() == want.Name })
		return want.Name != "__name__" && (at < 0 || !want.Matches(m.Label[at].GetValue()))
	})
}

// TestAlerts holds the rules to Prometheus' form, to what is exported and to the page that says
// what to do.
func TestAlerts(t *testing.T) {
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert       string
				Expr        string
				For         string
				Labels      map[string]string
				Annotations map[string]string
			}
		}
	}
	decoder := yaml.NewDecoder(strings.NewReader(string(text(t, "alerts.yaml"))))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		t.Fatal(err)
	}
	families := exported(t)
	severities := map[string]string{}
	for _, rule := range file.Groups[0].Rules {
		query(t, families, rule.Alert, rule.Expr)
		if _, err := model.ParseDuration(rule.For); rule.For != "" && err != nil {
			t.Errorf("%s: %v", rule.Alert, err)
		}
		severities[rule.Alert] = map[string]string{"page": "pages.",
			"ticket": "is a ticket"}[rule.Labels["severity"]]
		var said strings.Builder
		summary, err := template.New(rule.Alert).Funcs(
			template.FuncMap{"humanizeDuration": func(v float64) string { return "3s" }}).
			Parse(`{{$labels := .Labels}}{{$value := .Value}}` + rule.Annotations["summary"])
		if err == nil {
			err = summary.Execute(&said,
				map[string]any{"Labels": map[string]string{"cluster": "prod-eu", "reason": "ClockSkew"}, "Value": 3.0})
		}
		if err != nil || !strings.Contains(said.String(), "prod-eu") {
			t.Errorf("%s says %q, %v", rule.Alert, said.String(), err)
		}
	}
	explained := map[string]string{}
	for _, m := range regexp.MustCompile(
		`(?m)^\*\*(Pullgrant\w+)\*\* (pages\.|is a ticket)`).FindAllStringSubmatch(
		string(text(t, "README.md")), -1) {
		explained[m[1]] = m[2]
	}
	if !maps.Equal(severities, explained) || len(severities) < 5 {
		t.Errorf("the rules are %v, the page explains %v", severities, explained)
	}
}

// TestDashboard holds what Grafana imports to what is exported, and every metric to a place on it.
func TestDashboard(t *testing.T) {
	var board struct {
		Title, UID string
		Panels     []struct {
			ID      int
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
		Templating struct {
			List []struct {
				Name  string
				Query any
			}
		}
	}
	data := text(t, "dashboard.json")
	if err := json.Unmarshal(data, &board); err != nil || board.UID == "" ||
		board.Templating.List[0].Name != "datasource" {
		t.Fatalf("%+v %v", board, err)
	}
	families := exported(t)
	ids := map[int]bool{}
	for _, p := range board.Panels {
		if ids[p.ID] || p.Title == "" || len(p.Targets) == 0 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %+v", p)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			query(t, families, p.Title, target.Expr)
		}
	}
	for name := range families {
		if !strings.Contains(string(data), name) {
			t.Errorf("the dashboard does not show %s", name)
		}
	}
}

// TestMetricsAreExplained holds the page to the metrics, with their labels and the words of the
// closed lists, and the metrics to the page.
func TestMetricsAreExplained(t *testing.T) {
	families := exported(t)
	rows := map[string]string{}
	page := string(text(t, "README.md"))
	for _, m := range regexp.MustCompile(
		"(?m)^\\| `(pullgrant_\\w+)` (\\|.*)$").FindAllStringSubmatch(page, -1) {
		rows[m[1]] = m[2]
		if families[m[1]] == nil {
			t.Errorf("the page explains %s, which is not exported", m[1])
		}
	}
	// whose words stand in other lists
	elsewhere := map[string]bool{"code": true, "cause": true, "version": true, "cluster": true}
	for name, f := range families {
		row, ok := rows[name]
		if kind := strings.ToLower(f.GetType().String()); !ok ||
			!strings.HasPrefix(row, "| "+kind+", ") {
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
