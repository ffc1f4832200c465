package sync

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/expiry"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/monitor"
	"github.com/pullgrant/pullgrant/sync/plan"
	"github.com/pullgrant/pullgrant/testdata/scene"
)

// TestSilentGitServer: what only needs the cluster goes on although a git server takes a connection
// and says nothing.
func TestSilentGitServer(t *testing.T) {
	s := newStage(t)
	name := s.ask("silent")
	calls, unbounded := 0, 0
	watch := func(next http.RoundTripper) http.RoundTripper {
		return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
			if strings.HasPrefix(r.URL.String(), s.URL) {
				calls++
				if _, bounded := r.Context().Deadline(); !bounded {
					unbounded++
				}
			}
			return next.RoundTrip(r)
		})
	}
	s.once(options{wire: watch})
	s.SetClock(noon.Add(time.Hour))
	s.once(options{wire: watch})
	s.over(name, requests.CauseExpired, "")
	if calls == 0 || unbounded > 0 {
		t.Errorf("%d of %d calls of the git server may take for ever", unbounded, calls)
	}
}

// TestSleepAfterClockWentBack: a pass that seems to have taken less than nothing does not make the
// next one late.
func TestSleepAfterClockWentBack(t *testing.T) {
	a := &Agent{poll: time.Millisecond, expirer: expiry.New(nil, nil, monitor.NewMetrics("prod", "",
		func() time.Time { return noon }), nil)}
	slept := make(chan struct{})
	go func() {
		a.sleep(t.Context(), nil, -time.Hour)
		close(slept)
	}()
	select {
	case <-slept:
	case <-time.After(10 * time.Second):
		t.Error("it sleeps longer than the poll")
	}
}

// TestRecordWithImpossibleNames: no call can be made for it, and that stops nobody else's
// revocation.
func TestRecordWithImpossibleNames(t *testing.T) {
	for slug, namespace := range map[string]string{"empty": "", "slash": "a/b", "dots": ".."} {
		t.Run(slug, func(t *testing.T) {
			s := newStage(t)
			broken, other := s.ask("broken"), s.ask("other")
			s.once(options{})
			record, err := s.Admin.CoreV1().ConfigMaps(kube.Namespace).Get(t.Context(),
				requests.ObjectName(broken, 0), metav1.GetOptions{})
			s.Must(err)
			for key := range record.Data {
				record.Data[key] = strings.ReplaceAll(record.Data[key], `"namespace":"`+s.Namespace+
					`"`, `"namespace":"`+namespace+`"`)
			}
			_, err = s.Admin.CoreV1().ConfigMaps(kube.Namespace).Update(t.Context(), record,
				metav1.UpdateOptions{})
			s.Must(err)
			s.pushFiles("root", "Take it",
				map[string]string{requests.Path(s.Cluster, "payments-debug", other): "\x00removed"})
			if err := s.agent(options{}).Once(t.Context()); err == nil {
				t.Error("no error")
			}
			if b := s.Bindings(); len(b) != 0 {
				t.Errorf("bindings: %v", b)
			}
			s.entry(other)
		})
	}
}

// TestProvingIsBounded: requests for which a pass has no time left are the first of the next one.
func TestProvingIsBounded(t *testing.T) {
	s := newStage(t)
	path := requests.Path(s.Cluster, "payments-debug", s.ask("late"))
	agent := s.agent(options{})
	main, err := agent.branch.fetch(t.Context())
	s.Must(err)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	proofs := agent.prover.prove(over, plan.World{Main: main})
	if wait, there := agent.prover.waiting[path]; !there || wait.again.next.After(noon) ||
		proofs[path].Decision.Outcome != policies.Failed {
		t.Errorf("waiting %+v, proof %+v", wait, proofs[path])
	}
	s.Must(agent.Once(t.Context()))
	s.allowed(true)
}

// TestWhatCannotEndHoldsUpNoOther: while one binding cannot be deleted and no entry can be written,
// others are judged and granted, and what waits is done once it can be.
func TestWhatCannotEndHoldsUpNoOther(t *testing.T) {
	s := newStage(t)
	kept, ended := s.ask("kept"), s.ask("ended")
	agent := s.agent(options{})
	s.Must(agent.Once(t.Context()))
	keep := func(finalizers string) {
		_, err := s.Admin.RbacV1().RoleBindings(s.Namespace).Patch(t.Context(),
			requests.ObjectName(kept, 0),
			"application/merge-patch+json", []byte(`{"metadata":{"finalizers":`+finalizers+`}}`),
			metav1.PatchOptions{})
		s.Must(err)
	}
	keep(`["example.com/keep"]`)
	s.Fail("POST", "/acme/access.git/git-receive-pack", -1, 500, "down")
	s.SetClock(noon.Add(time.Hour))
	other := s.ask("other")
	err := agent.Once(t.Context())
	if err == nil || !strings.Contains(err.Error(),
		`its finalizers "example.com/keep" keep it alive`) ||
		!strings.Contains(err.Error(), "writing the ledger") {
		t.Errorf("error: %v", err)
	}
	want := []string{requests.ObjectName(kept, 0), requests.ObjectName(other, 0)}
	if got := s.Names(); !slices.Equal(got, want) {
		t.Errorf("bindings %v, want %v", got, want)
	}
	s.Heal()
	keep("null")
	s.Must(agent.Once(t.Context()))
	for _, name := range []string{kept, ended} {
		if r := s.entry(name); r.Status.State != requests.StateRevoked &&
			r.Status.State != requests.StateExpired {
			t.Errorf("the entry of %s: %+v", name, r.Status)
		}
	}
	if got := s.Names(); !slices.Equal(got, want[1:]) {
		t.Errorf("bindings %v, want %v", got, want[1:])
	}
}

// TestStuckGrantHoldsUpNoOther: a grant whose binding the API server does not take leaves the
// others alone.
func TestStuckGrantHoldsUpNoOther(t *testing.T) {
	s := newStage(t)
	stuck := s.ask("stuck")
	agent := s.agent(options{wire: func(next http.RoundTripper) http.RoundTripper {
		return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/rolebindings") &&
				s.Clock().Equal(noon) {
				return nil, errors.New("this binding is not taken")
			}
			return next.RoundTrip(r)
		})
	}})
	if err := agent.Once(t.Context()); err == nil || !strings.Contains(err.Error(), "not taken") ||
		len(s.Records()) != 1 {
		t.Fatalf("error %v, records %v", err, s.Records())
	}
	good, gone := s.ask("good"), s.ask("gone")
	if err := agent.Once(t.Context()); err == nil || len(s.Records()) != 3 {
		t.Errorf("error %v, records %v", err, s.Records())
	}
	s.pushFiles("root", "Take it",
		map[string]string{requests.Path(s.Cluster, "payments-debug", gone): "\x00removed"})
	for range 2 { // the second one asks who removed it
		if err := agent.Once(t.Context()); err == nil {
			t.Error("no error")
		}
	}
	s.entry(gone)
	s.SetClock(noon.Add(time.Minute))
	s.Must(agent.Once(t.Context()))
	if names := s.Names(); len(names) != 2 || names[0] != requests.ObjectName(good, 0) ||
		names[1] != requests.ObjectName(stuck, 0) {
		t.Errorf("bindings: %v", names)
	}
}
