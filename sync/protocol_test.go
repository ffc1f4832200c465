package sync

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/plan"
	"github.com/pullgrant/pullgrant/testdata/scene"
)

// isCreate tells a call that makes an object of a kind, and does not only try to.
func isCreate(r *http.Request, resource string) bool {
	return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/"+resource) &&
		r.URL.Query().Get("dryRun") == ""
}

// TestOldPlanGrantsNothing: a replica that read the branch long ago comes to its first save when
// another one has granted, ended and entered the same request: its record is there, or was taken.
func TestOldPlanGrantsNothing(t *testing.T) {
	for what, test := range map[string]struct {
		taken bool
		want  string
	}{"its record holds the name": {false, "already exists"}, "its record is gone": {true, "the branch moved on"}} {
		t.Run(what, func(t *testing.T) {
			s := newStage(t)
			s.once(options{}) // what is kept of the policies is there
			name, path, content := s.requestFile("twice")
			s.pushFiles("alice", "Ask", map[string]string{path: content})
			var done atomic.Bool
			late := s.agent(options{wire: func(next http.RoundTripper) http.RoundTripper {
				return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
					if isCreate(r, "configmaps") && done.CompareAndSwap(false, true) {
						s.once(options{})
						if len(s.Bindings()) != 1 {
							t.Error("the other one did not grant it")
						}
						s.pushFiles("alice", "Give back", map[string]string{path: "\x00removed"})
						s.once(options{})
						s.over(name, requests.CauseRevoked, "")
						if test.taken {
							s.Must(s.Admin.CoreV1().ConfigMaps(kube.Namespace).Delete(t.Context(),
								requests.ObjectName(name, 0), metav1.DeleteOptions{}))
						}
					}
					if isCreate(r, "rolebindings") || isCreate(r, "jobs") {
						t.Errorf("%s %s", r.Method, r.URL)
					}
					return next.RoundTrip(r)
				})
			}})
			if err := late.Once(t.Context()); err == nil || !strings.Contains(err.Error(), test.want) ||
				!done.Load() {
				t.Errorf("error: %v", err)
			}
			s.once(options{})
			s.over(name, requests.CauseRevoked, "")
		})
	}
}

// TestOnceRespectsTheLease: while a replica that runs holds it, a single pass does nothing.
func TestOnceRespectsTheLease(t *testing.T) {
	s := newStage(t)
	s.ask("lease")
	s.held()
	s.SetClock(noon.Add(14 * time.Second))
	err := s.agent(options{}).Once(t.Context())
	if err == nil || !strings.Contains(err.Error(), `"replica-a" holds Lease`) ||
		len(s.Records()) != 0 {
		t.Errorf("records %v, error %v", s.Records(), err)
	}
	s.SetClock(noon.Add(15 * time.Second))
	s.once(options{})
	if len(s.Bindings()) != 1 {
		t.Errorf("bindings %v", s.Bindings())
	}
}

// held has replica-a hold the Lease for 15 s.
func (s *stage) held() {
	s.Helper()
	holder, seconds, renewed := "replica-a", int32(15), metav1.NewMicroTime(s.Clock())
	leases := s.Admin.CoordinationV1().Leases(kube.Namespace)
	lease, err := leases.Get(s.Context(), kube.LeaseName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		lease, err = leases.Create(s.Context(), &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{
			Name: kube.LeaseName}}, metav1.CreateOptions{})
	}
	s.Must(err)
	lease.Spec = coordinationv1.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: &seconds,
		RenewTime: &renewed}
	_, err = leases.Update(s.Context(), lease, metav1.UpdateOptions{})
	s.Must(err)
}

// TestOnceLeavesToTheLeader: a replica that takes the Lease while a single pass goes on may by now have
// judged what waits for that, so the pass tells only what it entered itself.
func TestOnceLeavesToTheLeader(t *testing.T) {
	s := newStage(t)
	_, waits := s.unjudged()
	var taken atomic.Bool
	agent := s.agent(options{github: true, wire: func(next http.RoundTripper) http.RoundTripper {
		return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/git-receive-pack") && taken.CompareAndSwap(false, true) {
				s.held()
			}
			return next.RoundTrip(r)
		})
	}})
	if agent.Once(t.Context()) == nil {
		t.Fatal("nothing waits")
	}
	s.pause()
	_, path, content := s.requestFile("refused")
	refused := s.pull("refused", false, map[string]string{path: content})
	if agent.Once(t.Context()) == nil || !taken.Load() {
		t.Fatalf("nothing waits, or nobody took the Lease: %t", taken.Load())
	}
	s.says(refused, "### Refused: InsufficientApprovals")
	if said := s.said(waits); said != "" {
		t.Errorf("it is the leader's to tell: %s", said)
	}
	agent = s.agent(githubOnly) // another one, once the Lease is over
	for range 2 {
		s.pause()
		if agent.Once(t.Context()) == nil {
			t.Fatal("nothing waits any more")
		}
	}
	s.says(waits, "### Merged, not granted yet")
}

// TestRepeatedPost: client-go repeats a call after an answer that says so, and the first was done.
func TestRepeatedPost(t *testing.T) {
	for _, resource := range []string{"jobs", "rolebindings"} {
		t.Run(resource, func(t *testing.T) {
			s := newStage(t)
			name := s.ask(resource)
			var done atomic.Bool
			agent := s.agent(options{wire: func(next http.RoundTripper) http.RoundTripper {
				return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
					answer, err := next.RoundTrip(r)
					if err == nil && isCreate(r, resource) && done.CompareAndSwap(false, true) {
						answer.Body.Close()
						answer.StatusCode, answer.Status = 503, "503 Service Unavailable"
						answer.Header.Set("Retry-After", "1")
						answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(nil)), 0
					}
					return answer, err
				})
			}})
			s.Must(agent.Once(t.Context()))
			if len(s.Bindings()) != 1 || !done.Load() {
				t.Errorf("bindings %v", s.Bindings())
			}
			s.SetClock(noon.Add(time.Hour))
			s.Must(agent.Once(t.Context()))
			s.over(name, requests.CauseExpired, "")
		})
	}
}

// killedBeforeNoted has an agent make a binding and die before it notes so, and somebody delete
// that.
func (s *stage) killedBeforeNoted() {
	s.Helper()
	var made atomic.Bool
	agent := s.agent(options{wire: func(next http.RoundTripper) http.RoundTripper {
		return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
			if made.Load() {
				return nil, errCut
			}
			answer, err := next.RoundTrip(r)
			if isCreate(r, "rolebindings") {
				made.Store(true)
			}
			return answer, err
		})
	}})
	if err := agent.Once(s.Context()); err == nil || len(s.Bindings()) != 1 {
		s.Fatalf("bindings %v, error %v", s.Bindings(), err)
	}
	s.Must(s.Admin.RbacV1().RoleBindings(s.Namespace).Delete(s.Context(), s.Bindings()[0].Name,
		metav1.DeleteOptions{}))
}

// TestDeletedBeforeItWasNoted: what was announced and existed is in the ledger as granted.
func TestDeletedBeforeItWasNoted(t *testing.T) {
	s := newStage(t)
	name, path, content := s.requestFile("gap")
	s.pushFiles("alice", "Ask", map[string]string{path: content})
	s.killedBeforeNoted()
	s.pushFiles("alice", "Give back", map[string]string{path: "\x00removed"})
	s.once(options{})
	if r := s.over(name, requests.CauseRevoked, ""); r.Status.GrantedAt == nil {
		t.Errorf("never granted: %+v", r.Status)
	}
}

// TestRefusedAfterAnUncertainTry: a refusal of a later try says nothing of what an earlier one
// announced.
func TestRefusedAfterAnUncertainTry(t *testing.T) {
	s := newStage(t)
	name := s.ask("uncertain")
	s.killedBeforeNoted()
	s.quota("count/rolebindings.rbac.authorization.k8s.io")
	if err := s.agent(options{}).Once(t.Context()); err == nil || !strings.Contains(err.Error(),
		"exceeded quota") {
		t.Fatalf("error: %v", err)
	}
	s.SetClock(noon.Add(time.Hour))
	s.once(options{})
	if r := s.over(name, requests.CauseExpired, ""); r.Status.GrantedAt == nil {
		t.Errorf("never granted: %+v", r.Status)
	}
}

// TestRestoredRecord: a name that the ledger has is over, whatever a record says that came back.
// Here the entry comes to a record that is as good as new, which is the same to the agent.
func TestRestoredRecord(t *testing.T) {
	s := newStage(t)
	name := s.ask("restored")
	agent := s.agent(options{})
	s.Must(agent.Once(t.Context()))
	s.allowed(true)
	s.pushFiles("root", "Enter", map[string]string{requests.RevocationPath(s.Cluster,
		name): "over\n"})
	s.Must(agent.Once(t.Context()))
	s.allowed(false)
	if len(s.Bindings())+len(s.Jobs())+len(s.Records()) != 0 {
		t.Errorf("bindings %v, Jobs %v, records %v", s.Bindings(), s.Jobs(), s.Records())
	}
	entry := requests.RevocationPath(s.Cluster, name)
	if n := s.git("rev-list", "--count", "main", "--", entry); n != "1" {
		t.Errorf("%s commits touch the entry", n)
	}
}

// TestSecondSweepIsNoForgery: of two replicas that sweep the same, one tells.
func TestSecondSweepIsNoForgery(t *testing.T) {
	s := newStage(t)
	stray := s.Managed("pullgrant-stray", "2026-11-23T13:00:00Z")
	l := plan.Live{Kind: render.KindRoleBinding, Namespace: s.Namespace, Name: stray.Name,
		UID: string(stray.UID), Managed: true}
	for range 2 {
		_, err := s.agent(options{}).step(t.Context(), plan.Step{Action: plan.Sweep,
			Delete: []plan.Live{l}})
		s.Must(err)
	}
	if n := strings.Count(s.Log.String(), `"msg":"deleted"`); n != 1 {
		t.Errorf("told %d times", n)
	}
}

// TestJobThatStays: while only the Job of what is over cannot be deleted nobody has access, and nobody
// is told so.
func TestJobThatStays(t *testing.T) {
	s := newStage(t)
	name, path, content := s.requestFile("stays")
	number := s.pull("stays", true, map[string]string{path: content})
	var broken atomic.Bool
	cut := githubOnly
	cut.wire = func(next http.RoundTripper) http.RoundTripper {
		return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
			if broken.Load() && r.Method == http.MethodDelete && strings.Contains(r.URL.Path, "/jobs/") {
				return nil, errors.New("the line is broken")
			}
			return next.RoundTrip(r)
		})
	}
	agent := s.agent(cut)
	s.Must(agent.Once(t.Context()))
	s.pull("take", false, map[string]string{path: "\x00removed"})
	broken.Store(true)
	for range 3 {
		if err := agent.Once(t.Context()); err == nil || !strings.Contains(err.Error(), "only a Job is left") {
			t.Errorf("error: %v", err)
		}
		s.pause()
	}
	if said := s.said(number); len(s.Names()) != 0 || strings.Contains(said, "should be over") {
		t.Errorf("bindings %v; said: %s", s.Names(), said)
	}
	broken.Store(false)
	s.Must(agent.Once(t.Context()))
	s.entry(name)
}

// TestEndThatDoesNotWork: one binding that cannot be deleted holds up nothing else, is tried ever
// more seldom, and is told.
func TestEndThatDoesNotWork(t *testing.T) {
	s := newStage(t)
	stuck, stuckPath, content := s.requestFile("stuck")
	number := s.pull("stuck", true, map[string]string{stuckPath: content})
	other, otherPath, content := s.requestFile("other")
	s.pull("other", true, map[string]string{otherPath: content})
	var tries atomic.Int32
	counted := githubOnly
	counted.wire = func(next http.RoundTripper) http.RoundTripper {
		return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodDelete && strings.HasSuffix(r.URL.Path,
				"/"+requests.ObjectName(stuck, 0)) {
				tries.Add(1)
			}
			return next.RoundTrip(r)
		})
	}
	agent := s.agent(counted)
	s.Must(agent.Once(t.Context()))
	_, err := s.Admin.RbacV1().RoleBindings(s.Namespace).Patch(t.Context(),
		requests.ObjectName(stuck, 0),
		"application/merge-patch+json", []byte(`{"metadata":{"finalizers":["example.com/stay"]}}`),
		metav1.PatchOptions{})
	s.Must(err)
	third, thirdPath, content := s.requestFile("third")
	s.pull("third", true, map[string]string{thirdPath: content})
	s.pull("take", false, map[string]string{otherPath: "\x00removed"})
	if err := agent.Once(t.Context()); err == nil || !strings.Contains(err.Error(),
		"its finalizers") {
		t.Errorf("error: %v", err)
	}
	if names := s.Names(); len(names) != 2 || names[0] != requests.ObjectName(stuck, 0) ||
		names[1] != requests.ObjectName(third, 0) {
		t.Errorf("bindings %v", names)
	}
	s.entry(other)
	s.says(number, "### Access should be over, and is not", "finalizers")
	for at := 10 * time.Second; at < 5*time.Minute; at += 10 * time.Second {
		s.SetClock(noon.Add(at))
		_ = agent.Once(t.Context())
	}
	if n := tries.Load(); n < 8 || n > 16 {
		t.Errorf("tried %d times in five minutes", n)
	}
	_, err = s.Admin.RbacV1().RoleBindings(s.Namespace).Patch(t.Context(),
		requests.ObjectName(stuck, 0),
		"application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`),
		metav1.PatchOptions{})
	s.Must(err)
	s.SetClock(noon.Add(11 * time.Minute))
	s.Until("it ends", func() bool { return agent.Once(t.Context()) == nil })
	s.entry(stuck)
	s.says(number, "### Access ended: Revoked")
}
