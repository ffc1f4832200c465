package sync

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// TestMetrics follows one grant from its request to the ledger, with everything that can go wrong on the way.
func TestMetrics(t *testing.T) {
	s := newStage(t)
	keep := make(chan struct{}) // closed: bindings can be deleted
	a := s.agent(options{wire: func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			select {
			case <-keep:
			default:
				if r.Method == http.MethodDelete && strings.Contains(r.URL.Path, "/rolebindings/") {
					return nil, errBroken
				}
			}
			return next.RoundTrip(r)
		})
	}})
	is := func(name, labels, want string) {
		t.Helper()
		s.until(fmt.Sprintf("%s{%s} is %s", name, labels, want), func() bool { return s.series(a, name, labels) == want })
	}
	s.running(a)
	s.ask("metrics")
	is("grants_active", "", "1")
	is("leader", "", "1")
	is("decisions_total", `code="",decision="allowed"`, "1")
	is("past_expiry", "", "0")
	is("bindings_ended_total", `cause="Expired"`, "0")
	s.Fail("POST", "/acme/access.git/git-receive-pack", -1, 500, "down")
	s.setClock(noon.Add(time.Hour))
	is("past_expiry", "", "1")
	is("last_error_timestamp_seconds", `stage="expire"`, stamp(noon.Add(time.Hour)))
	s.shows(a, "expiry_lateness_seconds_count", "", "0")
	s.setClock(noon.Add(time.Hour + 40*time.Second))
	is("expiry_heartbeat_timestamp_seconds", "", stamp(noon.Add(time.Hour+40*time.Second)))
	if age := s.series(a, "sync_age_seconds", ""); age != "40" && age != "3640" { // a pass may have been under way at noon
		t.Errorf("the last complete pass is %s s ago", age)
	}
	close(keep)
	is("past_expiry", "", "0")
	is("expiry_lateness_seconds_count", "", "1")
	s.shows(a, "expiry_lateness_seconds_bucket", `le="30"`, "0")
	s.shows(a, "expiry_lateness_seconds_bucket", `le="60"`, "1")
	is("outbox_depth", "", "1")
	is("grants_active", "", "0")
	is("bindings_ended_total", `cause="Expired"`, "1")
	is("last_error_timestamp_seconds", `stage="ledger"`, stamp(noon.Add(time.Hour+40*time.Second)))
	s.Heal()
	is("outbox_depth", "", "0")
	is("requests_waiting", "", "0")
	is("sync_age_seconds", "", "0")
}

// stamp is a time as Prometheus writes it.
func stamp(at time.Time) string { return strconv.FormatFloat(float64(at.Unix()), 'g', -1, 64) }

// TestMetricsOfRefusals: what is refused, cannot be judged or was no grant's is counted with its reason.
func TestMetricsOfRefusals(t *testing.T) {
	s := newStage(t)
	a := s.agent(githubOnly)
	_, path, content := s.requestFile("direct")
	s.pushFiles("alice", "Ask", map[string]string{path: content})
	s.managed("swept", requests.At(noon.Add(time.Hour)).String())
	s.must(a.Once(t.Context()))
	s.shows(a, "decisions_total", `code="NoPullRequest",decision="denied"`, "1")
	s.shows(a, "bindings_ended_total", `cause="Swept"`, "1")
	_, path, content = s.requestFile("unknown")
	s.pull("unknown", true, map[string]string{path: content})
	s.Fail("GET", "/repos/acme/access/pulls/.*", -1, 403, `{"message":"Resource not accessible by integration"}`)
	if err := a.Once(t.Context()); err == nil {
		t.Error("no error")
	}
	s.shows(a, "decisions_total", `code="EvaluationError",decision="error"`, "1")
}

// TestLateness: the expiry loop says how late it deleted a binding; so does a pass that was faster.
func TestLateness(t *testing.T) {
	s := newStage(t)
	loop := &Agent{metrics: s.expiring().metrics}
	s.managed("late", requests.At(noon.Add(time.Minute)).String())
	s.until("the loop has synced", func() bool { ready, _ := loop.metrics.ready(); return ready })
	s.setClock(noon.Add(time.Minute + 3*time.Second))
	s.until("the loop says how late", func() bool { return s.series(loop, "expiry_lateness_seconds_sum", "") == "3" })
	s.shows(loop, "expiry_lateness_seconds_count", "", "1")
}

func TestLatenessOfAPass(t *testing.T) {
	s := newStage(t)
	s.ask("late")
	s.once(options{})
	s.setClock(noon.Add(time.Hour + 2*time.Second))
	a := s.agent(options{})
	s.must(a.Once(t.Context()))
	s.shows(a, "expiry_lateness_seconds_sum", "", "2")
}

// TestStagesOfErrors: however errors are joined and wrapped, they are counted for what they are about; and only what holds
// up all requests makes a pass incomplete.
func TestStagesOfErrors(t *testing.T) {
	plain := errors.New("plain")
	for name, c := range map[string]struct {
		err  error
		want []stageName
	}{
		"none":      {nil, nil},
		"unmarked":  {fmt.Errorf("settling: %w", plain), []stageName{stageApply}},
		"wrapped":   {fmt.Errorf("nothing is granted: %w", in(stageGit, plain)), []stageName{stageGit}},
		"joined":    {errors.Join(in(stageGit, plain), fmt.Errorf("settling: %w", ungranted{plain})), []stageName{stageGit, stageRequests}},
		"of nobody": {errors.Join(in(stageRequests, plain), plain), []stageName{stageApply, stageRequests}},
	} {
		if got := slices.Sorted(maps.Keys(stagesOf(c.err))); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
	now := noon
	m := newMetrics("prod", "", func() time.Time { return now }, func() int { return 0 })
	m.passed(nil, 0)
	now = noon.Add(time.Minute)
	for _, c := range []struct {
		err error
		at  time.Time
	}{{in(stageGit, plain), noon}, {errors.Join(ungranted{plain}, plain), noon}, {ungranted{plain}, now}} {
		if m.passed(c.err, 0); !m.complete.Equal(c.at) {
			t.Errorf("%v: complete at %s", stagesOf(c.err), m.complete)
		}
	}
}

// TestLabelsAreBounded: whatever happened, labels have words of closed lists only.
func TestLabelsAreBounded(t *testing.T) {
	s := newStage(t)
	a := s.agent(githubOnly)
	_, path, content := s.requestFile("direct")
	s.pushFiles("alice", "Ask", map[string]string{path: strings.Replace(content, "alice\n", "\"al}{ice\\\"\"\n", 1)})
	s.managed("swept", "never")
	if err := a.Once(t.Context()); err != nil {
		t.Log(err)
	}
	a.metrics.passed(in(stageGit, fmt.Errorf("%s", content)), 1)
	words := map[string]*regexp.Regexp{
		"cluster": regexp.MustCompile("^" + s.cluster + "$"), "version": regexp.MustCompile(`^v1\.2\.3$`), "le": regexp.MustCompile(`^[0-9.+Inf]+$`),
		"decision": regexp.MustCompile("^(allowed|pending|denied|error)$"), "code": regexp.MustCompile("^[A-Za-z]*$"),
		"cause": oneOf(append([]string{swept}, requests.Causes...)), "stage": oneOf(stageNames), "result": oneOf([]string{passComplete, passIncomplete,
			deliveryAccepted, deliveryIgnored, deliveryReplayed, deliveryRefused}),
		"reason": oneOf(stopCodes()),
	}
	_, text := get(a, "/metrics")
	labels := regexp.MustCompile(`(\w+)="((?:[^"\\]|\\.)*)"`).FindAllStringSubmatch(text, -1)
	if len(labels) < 50 {
		t.Fatalf("%d labels", len(labels))
	}
	for _, l := range labels {
		if known := words[l[1]]; known == nil || !known.MatchString(l[2]) {
			t.Errorf("label %s", l[0])
		}
	}
	if !strings.Contains(text, `code="`+string(policies.NoPullRequest)+`"`) {
		t.Errorf("the request was not refused:\n%s", text)
	}
}

func oneOf[T ~string](words []T) *regexp.Regexp {
	var all []string
	for _, w := range words {
		all = append(all, regexp.QuoteMeta(string(w)))
	}
	return regexp.MustCompile("^(" + strings.Join(all, "|") + ")$")
}

// TestMetricNames holds the names to Prometheus' conventions.
func TestMetricNames(t *testing.T) {
	m := newMetrics("prod", "", func() time.Time { return noon }, func() int { return 0 })
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if problems, err := promlint.NewWithMetricFamilies(families).Lint(); err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
}

// TestOverdue: a deadline counts from its very second on, and no longer than the binding is there.
func TestOverdue(t *testing.T) {
	now := noon
	e := newExpirer(nil, func() time.Time { return now }, nil)
	e.watch(plan.Live{UID: "a"}, noon.Add(time.Second))
	for _, want := range []int{0, 1} {
		if n := e.overdue(); n != want {
			t.Errorf("%d overdue, want %d", n, want)
		}
		now = now.Add(time.Second)
	}
	e.note(plan.Live{UID: "a"})
	if n := e.overdue(); n != 0 {
		t.Errorf("%d overdue of none", n)
	}
}

func stopCodes() (codes []policies.Code) {
	for _, s := range stopping {
		codes = append(codes, s.code)
	}
	return codes
}
