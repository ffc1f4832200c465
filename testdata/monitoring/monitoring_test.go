package monitoring

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"
)

// exported are the families of metrics by name, of an agent that has counted everything once. The
// tests of package sync hold the file to the agent.
func exported(t *testing.T) map[string]*dto.MetricFamily {
	t.Helper()
	file, err := os.Open("metrics.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(file)
	if err != nil || len(families) < 10 {
		t.Fatalf("%d families, %v", len(families), err)
	}
	return families
}

// family finds the family of a series' name.
func family(families map[string]*dto.MetricFamily, name string) *dto.MetricFamily {
	if f := families[name]; f != nil {
		return f
	}
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		f := families[strings.TrimSuffix(name, suffix)]
		if f != nil && f.GetType() == dto.MetricType_HISTOGRAM {
			return f
		}
	}
	return nil
}

func text(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile("../../docs/monitoring/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// query holds an expression to what is exported: its metrics, their labels and the words that it
// asks for.
func query(t *testing.T, families map[string]*dto.MetricFamily, where, expr string) {
	t.Helper()
	variables := strings.NewReplacer("$cluster", ".*", "$__rate_interval", "1m") // Grafana's
	parsed, err := parser.ParseExpr(variables.Replace(expr))
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
			meant := func(m *dto.Metric) bool { return matches(m, n.LabelMatchers) }
			if f == nil {
				t.Errorf("%s asks for %s, which is not exported", where, n.Name)
			} else if !slices.ContainsFunc(f.Metric, meant) {
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
		named := func(l *dto.LabelPair) bool { return l.GetName() == want.Name }
		at := slices.IndexFunc(m.Label, named)
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
	words := map[string]string{"page": "pages.", "ticket": "is a ticket"}
	functions := template.FuncMap{"humanizeDuration": func(float64) string { return "3s" }}
	example := map[string]any{
		"Labels": map[string]string{"cluster": "prod-eu", "reason": "ClockSkew"}, "Value": 3.0,
	}
	for _, rule := range file.Groups[0].Rules {
		query(t, families, rule.Alert, rule.Expr)
		if _, err := model.ParseDuration(rule.For); rule.For != "" && err != nil {
			t.Errorf("%s: %v", rule.Alert, err)
		}
		severities[rule.Alert] = words[rule.Labels["severity"]]
		var said strings.Builder
		summary, err := template.New(rule.Alert).Funcs(functions).
			Parse(`{{$labels := .Labels}}{{$value := .Value}}` + rule.Annotations["summary"])
		if err == nil {
			err = summary.Execute(&said, example)
		}
		if err != nil || !strings.Contains(said.String(), "prod-eu") {
			t.Errorf("%s says %q, %v", rule.Alert, said.String(), err)
		}
	}
	explained := map[string]string{}
	alert := regexp.MustCompile(`(?m)^\*\*(Pullgrant\w+)\*\* (pages\.|is a ticket)`)
	for _, m := range alert.FindAllStringSubmatch(string(text(t, "README.md")), -1) {
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
	err := json.Unmarshal(data, &board)
	if err != nil || board.UID == "" || board.Templating.List[0].Name != "datasource" {
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
