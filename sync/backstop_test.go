package sync

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/grants"
	"github.com/pullgrant/pullgrant/testdata/kube"
	"github.com/pullgrant/pullgrant/testdata/scene"
)

// TestBackstopEndsAccessWithoutAnAgent: no agent runs any more, and access ends all the same (G3),
// also when the controllers that see to it were down in between. The next agent records it.
func TestBackstopEndsAccessWithoutAnAgent(t *testing.T) {
	s := newStage(t)
	name := s.ask("dead")
	s.SetClock(noon.Add(time.Hour - 3*time.Second)) // so that the test takes seconds
	s.once(options{})
	s.allowed(true)
	if ttl := *s.Jobs()[0].Spec.TTLSecondsAfterFinished; ttl != 3+int32(render.Grace/time.Second) {
		t.Errorf("the TTL is %d s", ttl)
	}
	manager := kube.ForTest(t).ControllerManager
	s.Must(manager.Kill())
	s.Must(manager.Start(t.Context()))
	s.Until("the binding is gone", func() bool { return len(s.Bindings()) == 0 })
	s.SetClock(noon.Add(2 * time.Hour))
	s.once(options{})
	s.over(name, requests.CauseExpired, "")
}

// TestLongGrant: the TTL of a grant of weeks is in seconds as well.
func TestLongGrant(t *testing.T) {
	g := grants.Of("long", 1, 24*40)
	job, err := render.Backstop(g, "payments", g.Window.Start.Time)
	if err != nil || *job.Spec.TTLSecondsAfterFinished != 40*24*3600+
		int32(render.Grace/time.Second) {
		t.Errorf("TTL %d, %v", *job.Spec.TTLSecondsAfterFinished, err)
	}
}

// TestControllerManagerDown: what cannot be armed is not granted, and is once the controllers are
// back.
func TestControllerManagerDown(t *testing.T) {
	s := newStage(t)
	name := s.ask("unarmed")
	manager := kube.ForTest(t).ControllerManager
	s.Must(manager.Kill())
	agent := s.agent(options{})
	err := agent.Once(t.Context())
	if err == nil || !strings.Contains(err.Error(),
		"is not complete yet; does kube-controller-manager run?") || len(s.Bindings()) != 0 {
		t.Errorf("bindings %v, error %v", s.Bindings(), err)
	}
	s.Must(manager.Start(t.Context()))
	s.Until("it is granted", func() bool { return agent.Once(t.Context()) == nil })
	if b := s.Bindings(); len(b) != 1 || b[0].Name != requests.ObjectName(name, 0) {
		t.Errorf("bindings: %v", b)
	}
}

// TestArmedTooLate: a Job that was complete a minute after it was made would end access a minute
// too late; another one takes its place, also after the agent dies as it deletes the first.
func TestArmedTooLate(t *testing.T) {
	for slug, dies := range map[string]bool{"late": false, "late-and-dead": true} {
		t.Run(slug, func(t *testing.T) { armedTooLate(t, slug, dies) })
	}
}

// changedJob is the answer to a call; a complete Job that is read is another one in it.
func changedJob(next http.RoundTripper, r *http.Request, change func(*batchv1.Job)) (*http.Response, error) {
	r.Header.Set("Accept", "application/json") // client-go asks for protobuf
	response, err := next.RoundTrip(r)
	if err != nil || r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/jobs/") {
		return response, err
	}
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	var job batchv1.Job
	if json.Unmarshal(data, &job) == nil && job.Status.CompletionTime != nil {
		change(&job)
		if data, err = json.Marshal(job); err != nil {
			return nil, err
		}
	}
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(data)), int64(len(data))
	return response, nil
}

// complete has a Job be complete that long after it was made.
func complete(job *batchv1.Job, after time.Duration) {
	job.CreationTimestamp = metav1.NewTime(job.Status.CompletionTime.Add(-after))
}

func armedTooLate(t *testing.T, slug string, dies bool) {
	s := newStage(t)
	s.ask(slug)
	var hidden, backdated, dead atomic.Bool
	older := func(next http.RoundTripper) http.RoundTripper {
		return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
			if dead.Load() {
				return nil, errCut
			}
			response, err := changedJob(next, r, func(job *batchv1.Job) {
				switch {
				case hidden.Load():
					job.Status.CompletionTime = nil
				case backdated.CompareAndSwap(false, true):
					complete(job, time.Minute)
				}
			})
			if dies && r.Method == http.MethodDelete && strings.Contains(r.URL.Path, "/jobs/") {
				dead.Store(true)
			}
			return response, err
		})
	}
	agent := s.agent(options{wire: older})
	if dies { // what a try before noted is known to whoever comes next
		hidden.Store(true)
		if err := agent.Once(t.Context()); err == nil || !strings.Contains(err.Error(), "is not complete yet") {
			t.Errorf("error %v", err)
		}
		hidden.Store(false)
	}
	if err := agent.Once(t.Context()); err == nil || !strings.Contains(err.Error(),
		"was complete only after 1m0s") || len(s.Bindings()) != 0 {
		t.Errorf("bindings %v, error %v", s.Bindings(), err)
	}
	dead.Store(false)
	s.Must(agent.Once(t.Context()))
	if j := s.Jobs(); len(j) != 1 || len(s.Bindings()) != 1 ||
		s.Bindings()[0].OwnerReferences[0].UID != j[0].UID {
		t.Errorf("jobs %v, bindings %v", j, s.Bindings())
	}
}

// TestBackstopNotedLate: a Job whose time was computed long before it could be made, as its record was slow to
// be written, is not made so.
func TestBackstopNotedLate(t *testing.T) {
	s := newStage(t)
	s.ask("slow")
	slow := true
	agent := s.agent(options{wire: func(next http.RoundTripper) http.RoundTripper {
		return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
			if isCreate(r, "configmaps") && slow {
				s.SetClock(s.Clock().Add(20 * time.Second))
			}
			return next.RoundTrip(r)
		})
	}})
	if err := agent.Once(t.Context()); err == nil || !strings.Contains(err.Error(),
		"could be made only after 20s") || len(s.Jobs()) != 0 {
		t.Errorf("Jobs %v, error %v", s.Jobs(), err)
	}
	slow = false
	s.SetClock(s.Clock().Add(time.Minute))
	s.Must(agent.Once(t.Context()))
	if len(s.Jobs()) != 1 || len(s.Bindings()) != 1 {
		t.Errorf("Jobs %v, bindings %v", s.Jobs(), s.Bindings())
	}
}

// TestQuotaOnJobs: without a backstop nothing is granted, and after a while it is refused, unless
// the policy lets it be; then the binding says so.
func TestQuotaOnJobs(t *testing.T) {
	for slug, optional := range map[string]bool{"required": false, "optional": true} {
		t.Run(slug, func(t *testing.T) {
			s := newStage(t)
			quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "no-jobs"},
				Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{
					"count/jobs.batch": resource.MustParse("0")}}}
			_, err := s.Admin.CoreV1().ResourceQuotas(s.Namespace).Create(t.Context(), quota,
				metav1.CreateOptions{})
			s.Must(err)
			s.Until("the quota is known", func() bool {
				q, err := s.Admin.CoreV1().ResourceQuotas(s.Namespace).Get(t.Context(), "no-jobs",
					metav1.GetOptions{})
				return err == nil && len(q.Status.Hard) == 1
			})
			if optional {
				path := policies.Path("payments-debug")
				s.pushFiles("root", "Optional",
					map[string]string{path: strings.Replace(s.git("show", "main:"+path)+"\n",
						"  target:\n", "  target:\n    backstop: optional\n", 1)})
			}
			name := s.ask(slug)
			if !optional {
				if s.agent(options{}).Once(t.Context()) == nil {
					t.Error("no error")
				}
				s.SetClock(noon.Add(5 * time.Minute))
				s.once(options{})
				s.over(name, requests.CauseDenied, "NoBackstop")
				return
			}
			s.once(options{})
			if b := s.Bindings(); len(b) != 1 ||
				b[0].Annotations["pullgrant.dev/backstop"] != "none" ||
				len(b[0].OwnerReferences) != 0 {
				t.Fatalf("bindings: %v", b)
			}
			s.once(options{})
			s.allowed(true)
			s.SetClock(noon.Add(time.Hour))
			s.once(options{})
			s.over(name, requests.CauseExpired, "")
		})
	}
}

// TestFailureIsNoMissingBackstop: a policy that can do without a backstop can where the namespace
// takes none. A call that did not work and a right that the agent lacks are no such thing: nothing
// is granted until the Job is made.
func TestFailureIsNoMissingBackstop(t *testing.T) {
	s := newStage(t)
	s.edit(policies.Path("payments-debug"), "  target:\n", "  target:\n    backstop: optional\n")
	s.ask("optional")
	var fail func() (*http.Response, error)
	refusing := func(code int, reason metav1.StatusReason, message string) func() (*http.Response,
		error) {
		return func() (*http.Response, error) {
			body, err := json.Marshal(metav1.Status{
				TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
				Status:   metav1.StatusFailure, Code: int32(code), Reason: reason,
				Message: message})
			return &http.Response{StatusCode: code, Header: http.Header{
					"Content-Type": {"application/json"}},
					Body: io.NopCloser(bytes.NewReader(body))},
				err
		}
	}
	agent := s.agent(options{wire: func(next http.RoundTripper) http.RoundTripper {
		return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
			if fail != nil && r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path,
				"/jobs") &&
				!r.URL.Query().Has("dryRun") {
				return fail()
			}
			return next.RoundTrip(r)
		})
	}})
	for name, failure := range map[string]func() (*http.Response, error){
		"the connection broke": func() (*http.Response, error) { return nil, io.ErrUnexpectedEOF },
		"the server is down": refusing(http.StatusServiceUnavailable,
			metav1.StatusReasonServiceUnavailable, "etcd is down"),
		"no right": refusing(http.StatusForbidden, metav1.StatusReasonForbidden,
			`jobs.batch is forbidden: User "agent" cannot create resource "jobs"`),
	} {
		fail = failure
		if err := agent.Once(t.Context()); err == nil || len(s.Bindings()) != 0 {
			t.Errorf("%s: bindings %v, error %v", name, s.Bindings(), err)
		}
	}
	fail = nil
	s.Until("it is granted", func() bool { return agent.Once(t.Context()) == nil })
	if b := s.Bindings(); len(b) != 1 || len(b[0].OwnerReferences) != 1 || len(s.Jobs()) != 1 {
		t.Errorf("bindings %v, Jobs %v", b, s.Jobs())
	}
}

// TestJobDeletedByHand ends access early, as deleting the binding does.
func TestJobDeletedByHand(t *testing.T) {
	s := newStage(t)
	name := s.ask("job")
	agent := s.agent(options{})
	s.Must(agent.Once(t.Context()))
	background := metav1.DeletePropagationBackground
	s.Must(s.Admin.BatchV1().Jobs(s.Namespace).Delete(t.Context(), requests.ObjectName(name, 0),
		metav1.DeleteOptions{PropagationPolicy: &background}))
	s.Must(agent.Once(t.Context()))
	s.over(name, requests.CauseBindingDeleted, "")
}

// TestEditedJob: a backstop that was put off ends the grant.
func TestEditedJob(t *testing.T) {
	s := newStage(t)
	name := s.ask("stretched")
	s.once(options{})
	s.allowed(true)
	_, err := s.Admin.BatchV1().Jobs(s.Namespace).Patch(t.Context(), requests.ObjectName(name, 0),
		"application/merge-patch+json",
		[]byte(`{"spec":{"ttlSecondsAfterFinished":86400}}`), metav1.PatchOptions{})
	s.Must(err)
	s.once(options{})
	s.over(name, requests.CauseRevoked, "")
}

// TestJobUnderTheName: a Job that stands under the reserved name is not adopted, and left alone.
func TestJobUnderTheName(t *testing.T) {
	s := newStage(t)
	name := s.ask("taken-job")
	foreign, err := render.Backstop(grants.Of("x", 1, 1), "payments", grants.Of(
		"x", 1, 1).Window.Start.Time)
	s.Must(err)
	foreign.ObjectMeta = metav1.ObjectMeta{Name: requests.ObjectName(name, 0)}
	_, err = s.Admin.BatchV1().Jobs(s.Namespace).Create(context.Background(), &foreign,
		metav1.CreateOptions{})
	s.Must(err)
	s.once(options{})
	s.over(name, requests.CauseDenied, "BindingConflict")
	if _, err := s.Admin.BatchV1().Jobs(s.Namespace).Get(
		t.Context(), foreign.Name, metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
}
