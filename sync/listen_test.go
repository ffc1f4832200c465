package sync

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/testdata/scene"
)

// running has an agent run until the test ends, or until stop is called.
func (s *stage) running(a *Agent) (stop func()) {
	s.Helper()
	ctx, cancel := context.WithCancel(s.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	done := false
	stop = func() {
		if cancel(); !done {
			done = true
			s.Must(<-ended)
		}
	}
	s.Cleanup(stop)
	return stop
}

// get asks what the agent serves.
func get(a *Agent, path string) (status int, text string) {
	w := httptest.NewRecorder()
	a.server.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

// series reads one series of /metrics, with its labels but the cluster; labels is `name="value"` or
// empty.
func (s *stage) series(a *Agent, name, labels string) string {
	s.Helper()
	_, text := get(a, "/metrics")
	for line := range strings.Lines(text) {
		series, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		found, _, _ := strings.Cut(series, "{")
		series = strings.NewReplacer(`,cluster="`+s.Cluster+`"`, "", `cluster="`+s.Cluster+`",`,
			"", `{cluster="`+s.Cluster+`"}`, "").Replace(series)
		if want := "pullgrant_" + name; found == want && (series == want && labels == "" ||
			series == want+"{"+labels+"}") {
			return value
		}
	}
	return "none"
}

func (s *stage) shows(a *Agent, name, labels, want string) {
	s.Helper()
	if got := s.series(a, name, labels); got != want {
		s.Errorf("%s{%s} is %s, want %s", name, labels, got, want)
	}
}

// broken is a line to the cluster and to git that can be cut and mended, each for itself.
type broken struct{ cluster, git atomic.Bool }

var errBroken = errors.New("the line is broken")

func (b *broken) wrap(next http.RoundTripper) http.RoundTripper {
	return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
		git := strings.Contains(r.URL.Path, ".git/")
		if git && b.git.Load() || !git && b.cluster.Load() {
			return nil, errBroken
		}
		return next.RoundTrip(r)
	})
}

// TestHealth: the agent is dead when its expiry loop stands still, and for nothing else.
func TestHealth(t *testing.T) {
	s := newStage(t)
	line := &broken{}
	line.git.Store(true)
	a := s.agent(options{wire: line.wrap})
	s.running(a)
	health := func() int { status, _ := get(a, "/healthz"); return status }
	s.Until("a pass did not work",
		func() bool { return s.series(a, "passes_total", `result="incomplete"`) != "0" })
	if health() != http.StatusOK {
		t.Error("dead without git")
	}
	line.cluster.Store(true)
	s.Until("the cluster is missed",
		func() bool { return s.series(a, "last_error_timestamp_seconds", `stage="read"`) != "0" })
	s.SetClock(noon.Add(time.Hour))
	s.Until("the loop goes on", func() bool { return health() == http.StatusOK })
}

// TestReadyOnceTheBranchWasRead: an agent that never reached the branch is not ready, one that lost
// it is.
func TestReadyOnceTheBranchWasRead(t *testing.T) {
	s := newStage(t)
	line := &broken{}
	line.git.Store(true)
	a := s.agent(options{wire: line.wrap})
	is := func(want int, lines ...string) func() bool {
		return func() bool {
			status, text := get(a, "/readyz")
			return status == want && text == strings.Join(lines, "\n")+"\n"
		}
	}
	if status, text := get(a, "/readyz"); status != http.StatusServiceUnavailable ||
		!strings.HasPrefix(text, "not ready: the bindings are not all read yet\n") {
		t.Errorf("before it runs: %d %s", status, text)
	}
	s.running(a)
	s.Until("not ready without the branch",
		is(http.StatusServiceUnavailable, "every deadline is known",
			"not ready: no pass has read the cluster, the branch and its policies yet; the last "+
				"one had trouble with [git]"))
	line.git.Store(false)
	s.Until("ready with the branch",
		is(http.StatusOK, "every deadline is known", "the last pass had no trouble"))
	line.git.Store(true)
	s.Until("ready when git is lost", is(http.StatusOK, "every deadline is known",
		"the last pass had trouble with [git]"))
	line.git.Store(false)
	line.cluster.Store(true)
	s.Until("not ready when the cluster is lost",
		is(http.StatusServiceUnavailable, "every deadline is known",
			"not ready: the last pass had trouble with [read] and could not read the cluster"))
	line.cluster.Store(false)
	s.Until("ready again",
		is(http.StatusOK, "every deadline is known", "the last pass had no trouble"))
	a.metrics.Lead(false)
	s.Until("ready without passes",
		is(http.StatusOK, "every deadline is known", "another replica grants and records"))
	s.shows(a, "leader", "", "0")
}

// TestReadyThoughNothingIsGranted: why nothing is granted is told, and a request that does not work
// counts for nothing.
func TestReadyThoughNothingIsGranted(t *testing.T) {
	s := newStage(t)
	s.Must(s.Admin.CoreV1().Namespaces().Delete(t.Context(), s.Namespace, metav1.DeleteOptions{}))
	s.Until("the namespace is gone", func() bool {
		_, err := s.Admin.CoreV1().Namespaces().Get(t.Context(), s.Namespace, metav1.GetOptions{})
		return err != nil
	})
	s.ask("nowhere")
	a := s.agent(options{})
	s.running(a)
	s.Until("a request waits", func() bool { return s.series(a, "requests_waiting", "") == "1" })
	s.Until("it is ready all the same", func() bool {
		status, text := get(a, "/readyz")
		return status == http.StatusOK &&
			text == "every deadline is known\nthe last pass had trouble with [requests]\n"
	})
	s.shows(a, "passes_total", `result="incomplete"`, "0")
	s.SetClusterAhead(time.Hour)
	s.git("update-ref", "refs/heads/main", s.git("commit-tree", "-m", "Rewritten", "main^{tree}"))
	told := "nothing is granted, ClockSkew: its clock is too far from GitHub's or the API server's; " +
		"set the wrong one\n" +
		"nothing is granted, NonFastForward: the branch does not continue from the commit " +
		"accepted last; look at what happened to it, then accept a commit as the log says\n"
	s.Until("both reasons are told", func() bool {
		status, text := get(a, "/readyz")
		return status == http.StatusOK && strings.HasSuffix(text, told)
	})
	s.shows(a, "granting_stopped", `reason="ClockSkew"`, "1")
	s.shows(a, "granting_stopped", `reason="NonFastForward"`, "1")
	s.SetClusterAhead(0)
	s.Must(a.cluster.Note(t.Context(), kube.AnnotationHead, s.Branch("main")))
	s.Until("neither is told",
		func() bool {
			_, text := get(a, "/readyz")
			return !strings.Contains(text,
				"nothing is granted")
		})
	s.shows(a, "granting_stopped", `reason="NonFastForward"`, "0")
}

// TestServe is the server itself: its limits, and that it ends with the agent.
func TestServe(t *testing.T) {
	s := newStage(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	s.Must(err)
	stop := s.running(s.agent(options{listen: listener}))
	url := "http://" + listener.Addr().String()
	ask := func(method, path string, header http.Header) (int, string) {
		request, err := http.NewRequestWithContext(t.Context(), method, url+path, nil)
		s.Must(err)
		request.Header = header
		response, err := http.DefaultClient.Do(request)
		s.Must(err)
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		s.Must(err)
		return response.StatusCode, string(body)
	}
	for _, c := range []struct {
		method, path string
		header       http.Header
		want         int
	}{
		{"GET", "/healthz", nil, 200},
		{"GET", "/metrics", nil, 200},
		{"HEAD", "/healthz", nil, 200},
		{"POST", "/healthz", nil, 405},
		{"GET", "/", nil, 404},
		{"POST", "/webhook", nil, 404}, // there is no secret
		{"GET", "/debug/pprof/", nil, 404},
		{"GET", "/healthz", http.Header{"X-Long": {strings.Repeat("a", 2*16<<10)}}, 431},
	} {
		if got, text := ask(c.method, c.path, c.header); got != c.want {
			t.Errorf("%s %s: %d %s", c.method, c.path, got, text)
		}
	}
	if _, text := ask("GET", "/metrics", nil); !strings.Contains(text, fmt.Sprintf(
		`pullgrant_build_info{cluster="%s",version="v1.2.3"} 1`, s.Cluster)) {
		t.Errorf("no build_info in\n%s", text)
	}
	stop()
	if _, err := net.Dial("tcp", listener.Addr().String()); err == nil {
		t.Error("somebody still listens")
	}
}
