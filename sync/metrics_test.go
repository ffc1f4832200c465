package sync

import (
	"context"
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

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/monitor"
	"github.com/pullgrant/pullgrant/testdata/scene"
)

// TestMetrics follows one grant from its request to the ledger, with everything that can go wrong
// on the way.
func TestMetrics(t *testing.T) {
	s := newStage(t)
	keep := make(chan struct{}) // closed: bindings can be deleted
	a := s.agent(options{wire: func(next http.RoundTripper) http.RoundTripper {
		return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
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
		s.Until(fmt.Sprintf("%s{%s} is %s", name, labels, want),
			func() bool { return s.series(a, name, labels) == want })
	}
	s.running(a)
	s.ask("metrics")
	is("grants_active", "", "1")
	is("leader", "", "1")
	is("decisions_total", `code="",decision="allowed"`, "1")
	is("past_expiry", "", "0")
	is("bindings_ended_total", `cause="Expired"`, "0")
	s.Fail("POST", "/acme/access.git/git-receive-pack", -1, 500, "down")
	s.SetClock(noon.Add(time.Hour))
	is("past_expiry", "", "1")
	is("last_error_timestamp_seconds", `stage="expire"`, stamp(noon.Add(time.Hour)))
	s.shows(a, "expiry_lateness_seconds_count", "", "0")
	s.SetClock(noon.Add(time.Hour + 40*time.Second))
	is("expiry_heartbeat_timestamp_seconds", "", stamp(noon.Add(time.Hour+40*time.Second)))
	// a pass may have been under way at noon
	if age := s.series(a, "sync_age_seconds", ""); age != "40" && age != "3640" {
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

// TestMetricsOfRefusals: what is refused, cannot be judged or was no grant's is counted with its
// reason.
func TestMetricsOfRefusals(t *testing.T) {
	s := newStage(t)
	a := s.agent(githubOnly)
	_, path, content := s.requestFile("direct")
	s.pushFiles("alice", "Ask", map[string]string{path: content})
	s.Managed("pullgrant-swept", requests.At(noon.Add(time.Hour)).String())
	s.outlast(a)
	s.shows(a, "decisions_total", `code="EvaluationError",decision="error"`, "1") // it waits
	s.Must(a.Once(t.Context()))
	s.shows(a, "decisions_total", `code="NoPullRequest",decision="denied"`, "1")
	s.shows(a, "bindings_ended_total", `cause="Swept"`, "1")
	_, path, content = s.requestFile("unknown")
	s.pull("unknown", true, map[string]string{path: content})
	s.Fail("GET", "/repos/acme/access/pulls/.*", -1, 403,
		`{"message":"Resource not accessible by integration"}`)
	if err := a.Once(t.Context()); err == nil {
		t.Error("no error")
	}
	s.shows(a, "decisions_total", `code="EvaluationError",decision="error"`, "2")
}

// TestLateness: the expiry loop says how late it deleted a binding; so does a pass that was faster.
func TestLateness(t *testing.T) {
	s := newStage(t)
	loop := s.agent(options{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- loop.expirer.Run(ctx) }()
	defer func() {
		cancel()
		s.Must(<-ended)
	}()
	s.Managed("pullgrant-late", requests.At(noon.Add(time.Minute)).String())
	s.Until("the loop has synced",
		func() bool { status, _ := get(loop, "/readyz"); return status == http.StatusOK })
	s.SetClock(noon.Add(time.Minute + 3*time.Second))
	s.Until("the loop says how late",
		func() bool { return s.series(loop, "expiry_lateness_seconds_sum", "") == "3" })
	s.shows(loop, "expiry_lateness_seconds_count", "", "1")
}

func TestLatenessOfAPass(t *testing.T) {
	s := newStage(t)
	s.ask("late")
	s.once(options{})
	s.SetClock(noon.Add(time.Hour + 2*time.Second))
	a := s.agent(options{})
	s.Must(a.Once(t.Context()))
	s.shows(a, "expiry_lateness_seconds_sum", "", "2")
}

// TestFailuresByStage: each error counts for the stage it is of, no error for none, and all of them
// are told in order.
func TestFailuresByStage(t *testing.T) {
	var failed failures
	failed.add(monitor.StageGit, nil)
	if failed.err() != nil || len(failed.stages()) != 0 {
		t.Errorf("of no error: %v %v", failed.err(), failed.stages())
	}
	failed.add(monitor.StageRequests, errors.New("one"))
	failed.add(monitor.StageApply, fmt.Errorf("two: %w", errBroken))
	failed.add(monitor.StageRequests, errors.New("three"))
	want := []monitor.Stage{monitor.StageApply, monitor.StageRequests}
	if got := slices.Sorted(maps.Keys(failed.stages())); !slices.Equal(got, want) {
		t.Errorf("stages %v, want %v", got, want)
	}
	if err := failed.err(); !errors.Is(err, errBroken) ||
		err.Error() != "one\ntwo: the line is broken\nthree" {
		t.Errorf("all of them: %v", err)
	}
}

// TestLabelsAreBounded: whatever happened, labels have words of closed lists only.
func TestLabelsAreBounded(t *testing.T) {
	s := newStage(t)
	a := s.agent(githubOnly)
	_, path, content := s.requestFile("direct")
	s.pushFiles("alice", "Ask", map[string]string{path: strings.Replace(content, "alice\n",
		"\"al}{ice\\\"\"\n", 1)})
	s.Managed("pullgrant-swept", "never")
	s.outlast(a)
	if err := a.Once(t.Context()); err != nil {
		t.Log(err)
	}
	a.metrics.Passed(map[monitor.Stage]bool{monitor.StageGit: true}, 1)
	words := map[string]*regexp.Regexp{
		"cluster": regexp.MustCompile("^" + s.Cluster + "$"), "version": regexp.MustCompile(
			`^v1\.2\.3$`), "le": regexp.MustCompile(`^[0-9.+Inf]+$`),
		"decision": regexp.MustCompile("^(allowed|pending|denied|error)$"),
		"code":     regexp.MustCompile("^[A-Za-z]*$"),
		"api":      regexp.MustCompile("^(rest|graphql)$"),
		"cause":    oneOf(append([]string{"Swept"}, requests.Causes...)),
		"stage": regexp.MustCompile(
			"^(read|apply|clock|git|policies|requests|ledger|watch|expire)$"),
		"result": oneOf(slices.Concat(monitor.CallResults, monitor.EventResults,
			monitor.MessageResults, []string{"complete", "incomplete", "accepted", "ignored", "replayed",
				"refused", "allowed"})),
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

func stopCodes() (codes []policies.Code) {
	for _, s := range monitor.Stopping {
		codes = append(codes, s.Code)
	}
	return codes
}
