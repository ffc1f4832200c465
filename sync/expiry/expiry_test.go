package expiry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/monitor"
	"github.com/pullgrant/pullgrant/sync/plan"
	controlplane "github.com/pullgrant/pullgrant/testdata/kube"
	"github.com/pullgrant/pullgrant/testdata/scene"
)

func TestMain(m *testing.M) { controlplane.Main(m) }

var noon = scene.Noon

// stamp is a time as an annotation says it.
func stamp(at time.Time) string { return at.Format(time.RFC3339) }

// expirerOf is one that nobody runs, with wire around its calls unless that is nil.
func expirerOf(s *scene.Scene, wire func(http.RoundTripper) http.RoundTripper) *Expirer {
	s.Helper()
	cluster, err := kube.NewCluster(s.Agent, s.Cluster, 0, wire)
	s.Must(err)
	return New(cluster, s.Clock, monitor.NewMetrics(s.Cluster, "", s.Clock),
		slog.New(slog.NewJSONHandler(s.Log, nil)))
}

// running runs it until the test ends.
func running(s *scene.Scene, e *Expirer) *Expirer {
	s.Helper()
	ctx, cancel := context.WithCancel(s.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	s.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			s.Error(err)
		}
	})
	return e
}

func TestExpirer(t *testing.T) {
	s := scene.New(t)
	e := running(s, expirerOf(s, nil))
	at := func(d time.Duration) string { return stamp(noon.Add(d)) }
	s.Managed("pullgrant-due-later", at(time.Hour))
	moved := s.Managed("pullgrant-moved-later", at(10*time.Minute))
	s.Managed("pullgrant-moved-earlier", at(time.Hour))
	s.Managed("pullgrant-no-time", "tomorrow")
	s.Until("what has no deadline is gone", func() bool {
		return slices.Equal(s.Names(), []string{"pullgrant-due-later", "pullgrant-moved-earlier",
			"pullgrant-moved-later"})
	})
	annotate := func(name, expires string) {
		_, err := s.Admin.RbacV1().RoleBindings(s.Namespace).Patch(t.Context(), name,
			"application/merge-patch+json",
			[]byte(`{"metadata":{"annotations":{"pullgrant.dev/expires-at":"`+expires+`"}}}`),
			metav1.PatchOptions{})
		s.Must(err)
	}
	s.Until("the expirer has seen all", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return len(e.watched) == 3
	})
	annotate("pullgrant-moved-later", at(24*time.Hour))
	annotate("pullgrant-moved-earlier", at(5*time.Minute))
	s.Until("the expirer has seen the changes", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return slices.ContainsFunc([]string{"pullgrant-moved-earlier"}, func(name string) bool {
			for _, d := range e.watched {
				if d.Name == name {
					return d.at.Equal(noon.Add(5 * time.Minute))
				}
			}
			return false
		})
	})
	s.SetClock(noon.Add(10*time.Minute - time.Second))
	s.Until("the earlier time counts",
		func() bool {
			return slices.Equal(s.Names(), []string{"pullgrant-due-later",
				"pullgrant-moved-later"})
		})
	s.SetClock(noon.Add(10 * time.Minute))
	s.Until("expiry does not move later",
		func() bool { return slices.Equal(s.Names(), []string{"pullgrant-due-later"}) })
	s.Until("it tells what it took", func() bool {
		return slices.ContainsFunc(e.Gone(), func(g plan.Gone) bool {
			return g.UID == string(moved.UID) && g.Expired && g.At.Equal(noon.Add(10*time.Minute))
		})
	})
	s.Must(s.Admin.RbacV1().RoleBindings(s.Namespace).Delete(
		t.Context(), "pullgrant-due-later", metav1.DeleteOptions{}))
	s.Until("it tells what somebody else took", func() bool {
		return slices.ContainsFunc(e.Gone(),
			func(g plan.Gone) bool { return g.Name == "pullgrant-due-later" && !g.Expired })
	})
}

// TestAPIServerDownAtExpiry: tries go on every second, and the first one that can work does.
func TestAPIServerDownAtExpiry(t *testing.T) {
	s := scene.New(t)
	running(s, expirerOf(s, nil))
	s.Managed("pullgrant-due", stamp(noon.Add(time.Minute)))
	s.Until("it is there", func() bool { return len(s.Names()) == 1 })
	cp := controlplane.ForTest(t)
	s.Must(cp.APIServer.Stop())
	s.SetClock(noon.Add(time.Minute))
	s.Until("a try did not work", func() bool {
		return strings.Contains(s.Log.String(), "expiring a binding did not work")
	})
	s.Must(cp.APIServer.Start(t.Context()))
	// The clock stands at the second of the failed try until it moves on.
	s.SetClock(noon.Add(time.Minute + 2*time.Second))
	s.Until("it is gone", func() bool { return len(s.Names()) == 0 })
}

// TestExpirerIsNotHeldUp: bindings that cannot be deleted do not delay the one that can.
func TestExpirerIsNotHeldUp(t *testing.T) {
	s := scene.New(t)
	s.Managed("pullgrant-good", stamp(noon.Add(time.Minute)))
	var tried atomic.Int32
	hang := func(next http.RoundTripper) http.RoundTripper {
		return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodDelete && strings.Contains(r.URL.Path, "/hung-") {
				tried.Add(1)
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			return next.RoundTrip(r)
		})
	}
	e := expirerOf(s, hang)
	for i := range 10 * deleters {
		name := fmt.Sprintf("hung-%d", i)
		e.Watch(plan.Live{Kind: "RoleBinding", Namespace: s.Namespace, Name: name, UID: name}, noon)
		e.watched[name].failed = true
	}
	running(s, e)
	s.Until("the others are being tried", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return tried.Load() >= deleters && len(e.watched) == 10*deleters+1
	})
	s.SetClock(noon.Add(time.Minute))
	s.Until("the good one is gone", func() bool { return len(s.Names()) == 0 })
}

// TestExpirerClockSetBack: a try that did not work while a clock was ahead does not put the next
// one off.
func TestExpirerClockSetBack(t *testing.T) {
	now := noon
	e := New(nil, func() time.Time { return now }, monitor.NewMetrics(
		"prod", "", func() time.Time { return now }), nil)
	e.Watch(plan.Live{UID: "a"}, noon)
	e.watched["a"].next, e.watched["a"].failed = noon.Add(time.Hour), true
	if due, _ := e.due(); len(due) != 1 {
		t.Errorf("due: %v", due)
	}
}

// TestLabelTakenOffAndPutOn: the time the label was off is not taken for the end of access.
func TestLabelTakenOffAndPutOn(t *testing.T) {
	s := scene.New(t)
	e := running(s, expirerOf(s, nil))
	b := s.Managed("pullgrant-relabelled", stamp(noon.Add(time.Hour)))
	label := func(value string) {
		_, err := s.Admin.RbacV1().RoleBindings(s.Namespace).Patch(t.Context(), b.Name,
			"application/merge-patch+json",
			[]byte(`{"metadata":{"labels":{"app.kubernetes.io/managed-by":`+value+`}}}`),
			metav1.PatchOptions{})
		s.Must(err)
	}
	watched := func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.watched[string(b.UID)] != nil
	}
	s.Until("it is watched", watched)
	label("null")
	s.Until("it is out of sight", func() bool { return !watched() })
	label(`"pullgrant"`)
	s.Until("it is watched again", watched)
	s.SetClock(noon.Add(time.Hour))
	s.Until("it ended at its end", func() bool {
		gone := e.Gone()
		return len(gone) == 1 && gone[0].Expired && gone[0].At.Equal(noon.Add(time.Hour))
	})
}

// TestOverdue: a deadline counts from its very second on, and no longer than the binding is there.
func TestOverdue(t *testing.T) {
	now := noon
	e := New(nil, func() time.Time { return now }, monitor.NewMetrics(
		"prod", "", func() time.Time { return now }), nil)
	e.Watch(plan.Live{Kind: "RoleBinding", UID: "a"}, noon.Add(time.Second))
	for _, want := range []int{0, 1} {
		if n := e.overdue(); n != want {
			t.Errorf("%d overdue, want %d", n, want)
		}
		now = now.Add(time.Second)
	}
	e.disappeared(plan.Live{UID: "a"})
	if n := e.overdue(); n != 0 {
		t.Errorf("%d overdue of none", n)
	}
}

// TestLook: a deadline that no watch told of is known after all bindings were listed.
func TestLook(t *testing.T) {
	s := scene.New(t)
	b := s.Managed("pullgrant-unseen", stamp(noon.Add(time.Hour)))
	e := expirerOf(s, nil)
	s.Must(e.look(t.Context()))
	if d := e.watched[string(b.UID)]; d == nil || !d.at.Equal(noon.Add(time.Hour)) {
		t.Errorf("watched: %v", e.watched)
	}
}

// TestLookTells: a list that cannot be had is an error, of whichever kind of objects it is.
func TestLookTells(t *testing.T) {
	s := scene.New(t)
	for _, kind := range []string{"rolebindings", "jobs"} {
		e := expirerOf(s, func(next http.RoundTripper) http.RoundTripper {
			return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
				if strings.HasSuffix(r.URL.Path, "/"+kind) {
					return nil, errors.New("cut")
				}
				return next.RoundTrip(r)
			})
		})
		if err := e.look(t.Context()); err == nil || !strings.Contains(err.Error(), "cut") {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// TestOthersAreIgnored: an informer may tell of what is no object of ours, and nothing follows.
func TestOthersAreIgnored(t *testing.T) {
	e := New(nil, func() time.Time { return noon }, monitor.NewMetrics(
		"prod", "", func() time.Time { return noon }), nil)
	for _, object := range []any{nil, "text", &corev1.Pod{}} {
		e.back(object)
		e.seen(object)
		e.missed(object)
	}
	if len(e.watched)+len(e.vanished) > 0 {
		t.Errorf("watched %v, vanished %v", e.watched, e.vanished)
	}
}

// relabel gives an object of the scene labels and an end, as administrator.
func relabel(s *scene.Scene, b *rbacv1.RoleBinding, labels map[string]string) {
	s.Helper()
	b.Labels = labels
	_, err := s.Admin.RbacV1().RoleBindings(s.Namespace).Update(s.Context(), b,
		metav1.UpdateOptions{})
	s.Must(err)
}

// TestWhateverTheCluster: a copy that names another cluster, or none, ends like the original; what
// has the label under a name that the agent never gives is told of once and left alone.
func TestWhateverTheCluster(t *testing.T) {
	s := scene.New(t)
	at := stamp(noon.Add(time.Minute))
	mine := map[string]string{"app.kubernetes.io/managed-by": "pullgrant"}
	relabel(s, s.Managed("pullgrant-none", at), mine)
	relabel(s, s.Managed("pullgrant-other", at), map[string]string{
		"app.kubernetes.io/managed-by": "pullgrant", "pullgrant.dev/cluster": "another"})
	s.Managed("pullgrant:theirs", at)
	s.Managed("theirs", at)
	zero := int32(0)
	_, err := s.Admin.BatchV1().Jobs(s.Namespace).Create(t.Context(), &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: "pullgrant-job", Labels: mine,
			Annotations: map[string]string{"pullgrant.dev/expires-at": at}},
		Spec: batchv1.JobSpec{Completions: &zero, Parallelism: &zero,
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{RestartPolicy: "Never",
				Containers: []corev1.Container{{Name: "none", Image: "none"}}}}},
	}, metav1.CreateOptions{})
	s.Must(err)
	e := running(s, expirerOf(s, nil))
	s.Until("it knows all", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return len(e.watched) == 3 && len(e.misnamed) == 2
	})
	s.Must(e.look(t.Context()))
	s.SetClock(noon.Add(2*time.Minute - time.Second))
	s.Until("the copies are gone", func() bool {
		return slices.Equal(s.Names(), []string{"pullgrant:theirs", "theirs"})
	})
	if len(s.Jobs()) != 1 {
		t.Error("it took the Job before Kubernetes could")
	}
	s.SetClock(noon.Add(2 * time.Minute))
	s.Until("so is the Job", func() bool { return len(s.Jobs()) == 0 })
	if n := strings.Count(s.Log.String(), `"event":"misnamed"`); n != 2 {
		t.Errorf("it told %d times of two", n)
	}
	if names := s.Names(); !slices.Equal(names, []string{"pullgrant:theirs", "theirs"}) {
		t.Errorf("left: %v", names)
	}
	s.Must(s.Admin.RbacV1().RoleBindings(s.Namespace).Delete(t.Context(), "theirs",
		metav1.DeleteOptions{}))
	s.Until("what is gone is no mistake any more", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return len(e.misnamed) == 1
	})
}

// TestGoneAlready: what another replica deleted a moment before, or deleted so that something else
// took its place, has expired, and is not tried again.
func TestGoneAlready(t *testing.T) {
	s := scene.New(t)
	cluster, err := kube.NewCluster(s.Expirer, s.Cluster, 0, nil)
	s.Must(err)
	e := New(cluster, s.Clock, monitor.NewMetrics(s.Cluster, "", s.Clock),
		slog.New(slog.NewJSONHandler(s.Log, nil)))
	s.Managed("pullgrant-replaced", stamp(noon.Add(time.Hour)))
	for _, name := range []string{"pullgrant-gone", "pullgrant-replaced"} {
		e.Watch(plan.Live{Kind: "RoleBinding", Namespace: s.Namespace, Name: name, UID: name}, noon)
	}
	due, _ := e.due()
	for _, d := range due {
		e.expire(t.Context(), d)
	}
	gone := e.Gone()
	if len(due) != 2 || len(gone) != 2 || !gone[0].Expired || !gone[1].Expired || e.overdue() != 0 {
		t.Errorf("due %d, gone %+v, overdue %d", len(due), gone, e.overdue())
	}
	if names := s.Names(); len(names) != 1 {
		t.Errorf("left: %v", names)
	}
}
