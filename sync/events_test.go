package sync

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	gosync "sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/testdata/scene"
)

// told lists the events as kubectl would, oldest first; of this test's cluster, whose number all
// its names have.
func (s *stage) told() (lines []string) {
	s.Helper()
	list, err := s.Admin.CoreV1().Events(kube.Namespace).List(s.Context(), metav1.ListOptions{})
	s.Must(err)
	slices.SortStableFunc(list.Items,
		func(a, b corev1.Event) int { return a.LastTimestamp.Compare(b.LastTimestamp.Time) })
	ours := regexp.MustCompile(s.Cluster[len("prod"):] + `($|[ :"])`) // not the third try of another stage
	for _, e := range list.Items {
		if line := strings.Join(
			[]string{e.Type, e.Reason, e.InvolvedObject.Kind + "/" + e.InvolvedObject.Name,
				e.Message}, " "); ours.MatchString(line) {
			lines = append(lines, line)
		}
	}
	return lines
}

// TestEvents: what became of each request, in the cluster's own list, with names and times only.
func TestEvents(t *testing.T) {
	s := newStage(t)
	granted := s.ask("event")
	s.once(options{})
	s.SetClock(noon.Add(time.Hour))
	s.once(options{})
	given := s.ask("given-back")
	s.SetClock(noon.Add(time.Hour + time.Minute))
	s.once(options{})
	_, path, _ := s.requestFile("given-back")
	s.pushFiles("alice", "Give it back", map[string]string{path: "\x00removed"})
	s.SetClock(noon.Add(time.Hour + 2*time.Minute))
	s.once(options{})
	denied, path, content := s.requestFile("denied")
	s.pushFiles("alice", "Ask",
		map[string]string{path: strings.Replace(content, "spec:", "spec:\n  duration: 3h", 1)})
	s.SetClock(noon.Add(time.Hour + 3*time.Minute))
	s.once(options{})
	s.Managed("forged"+s.Cluster[len("prod"):], requests.At(noon.Add(9*time.Hour)).String())
	s.SetClock(noon.Add(time.Hour + 4*time.Minute))
	s.once(options{})
	want := []string{
		"Normal Granted ConfigMap/" + requests.ObjectName(granted, 0) + " " + granted +
			": payments-debug until 2026-11-23T13:00:00Z",
		"Normal Expired ConfigMap/" + requests.ObjectName(granted, 0) + " " + granted,
		"Normal Granted ConfigMap/" + requests.ObjectName(given, 0) + " " + given +
			": payments-debug until 2026-11-23T14:00:00Z",
		"Normal Ended ConfigMap/" + requests.ObjectName(given, 0) + " " + given + ": Revoked",
		"Warning Refused ConfigMap/" + requests.ObjectName(denied, 0) + " " + denied +
			": DurationOutOfRange",
		`Warning Forged Lease/pullgrant-agent RoleBinding "forged` + s.Cluster[len("prod"):] +
			`" in ` + s.Namespace + " was no grant's and is deleted",
	}
	if got := s.told(); !slices.Equal(got, want) {
		t.Errorf("events\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestStoppedIsAnEvent: once when it begins, not with every pass.
func TestStoppedIsAnEvent(t *testing.T) {
	s := newStage(t)
	var mu gosync.Mutex
	var sent []string
	a := s.agent(options{wire: func(next http.RoundTripper) http.RoundTripper {
		return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
			response, err := next.RoundTrip(r)
			if err == nil && strings.HasSuffix(r.URL.Path, "/events") {
				mu.Lock()
				defer mu.Unlock()
				sent = append(sent, response.Status)
			}
			return response, err
		})
	}})
	s.SetClusterAhead(time.Hour)
	for range 3 {
		_ = a.Once(t.Context())
	}
	if !slices.Equal(sent, []string{"201 Created"}) {
		t.Errorf("sent: %v", sent)
	}
}

// TestEventsDoNotMatter: a cluster that takes no events gets the same grants and ends; and of very
// many the rest is left out.
func TestEventsDoNotMatter(t *testing.T) {
	s := newStage(t)
	refuse := func(next http.RoundTripper) http.RoundTripper {
		return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/events") {
				return nil, errBroken
			}
			return next.RoundTrip(r)
		})
	}
	name := s.ask("silent")
	a := s.agent(options{wire: refuse})
	s.Must(a.Once(t.Context()))
	s.allowed(true)
	s.SetClock(noon.Add(time.Hour))
	s.Must(a.Once(t.Context()))
	s.over(name, requests.CauseExpired, "")
	if n := strings.Count(s.Log.String(), `"an event is lost"`); n != 2 {
		t.Errorf("%d events lost", n)
	}
	const atOnce = 100 // that are sent
	for range 10 * atOnce {
		a.gate.paused = "for a test"
		a.tell.stops(a.gate.stops())
		a.gate.paused = ""
		a.tell.stops(a.gate.stops())
	}
	a.tell.events.Wait()
	if n := strings.Count(s.Log.String(), `"an event is lost"`); n > 5*atOnce {
		t.Errorf("%d events were sent", n)
	}
}
