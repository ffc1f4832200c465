package sync

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
	"github.com/pullgrant/pullgrant/testdata/kube"
)

// expiring runs an expirer alone until the test ends.
func (s *stage) expiring() *expirer {
	s.Helper()
	e := s.agent(options{}).expirer
	ctx, cancel := context.WithCancel(s.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.run(ctx) }()
	s.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			s.Error(err)
		}
	})
	return e
}

func (s *stage) managed(name, expires string) *rbacv1.RoleBinding {
	s.Helper()
	b := s.foreignBinding(name)
	b.Labels = map[string]string{"app.kubernetes.io/managed-by": "pullgrant", "pullgrant.dev/cluster": s.cluster}
	b.Annotations = map[string]string{"pullgrant.dev/expires-at": expires}
	b, err := s.admin.RbacV1().RoleBindings(s.namespace).Update(s.Context(), b, metav1.UpdateOptions{})
	s.must(err)
	return b
}

func (s *stage) names() (names []string) {
	s.Helper()
	for _, b := range s.bindings() {
		names = append(names, b.Name)
	}
	slices.Sort(names)
	return names
}

func TestExpirer(t *testing.T) {
	s := newStage(t)
	e := s.expiring()
	at := func(d time.Duration) string { return requests.At(noon.Add(d)).String() }
	s.managed("due-later", at(time.Hour))
	moved := s.managed("moved-later", at(10*time.Minute))
	s.managed("moved-earlier", at(time.Hour))
	s.managed("no-time", "tomorrow")
	s.until("what has no deadline is gone", func() bool {
		return slices.Equal(s.names(), []string{"due-later", "moved-earlier", "moved-later"})
	})
	annotate := func(name, expires string) {
		_, err := s.admin.RbacV1().RoleBindings(s.namespace).Patch(t.Context(), name, "application/merge-patch+json",
			[]byte(`{"metadata":{"annotations":{"pullgrant.dev/expires-at":"`+expires+`"}}}`), metav1.PatchOptions{})
		s.must(err)
	}
	s.until("the expirer has seen all", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return len(e.watched) == 3
	})
	annotate("moved-later", at(24*time.Hour))
	annotate("moved-earlier", at(5*time.Minute))
	s.until("the expirer has seen the changes", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return slices.ContainsFunc([]string{"moved-earlier"}, func(name string) bool {
			for _, d := range e.watched {
				if d.Name == name {
					return d.at.Equal(noon.Add(5 * time.Minute))
				}
			}
			return false
		})
	})
	s.setClock(noon.Add(10*time.Minute - time.Second))
	s.until("the earlier time counts", func() bool { return slices.Equal(s.names(), []string{"due-later", "moved-later"}) })
	s.setClock(noon.Add(10 * time.Minute))
	s.until("expiry does not move later", func() bool { return slices.Equal(s.names(), []string{"due-later"}) })
	s.until("it tells what it took", func() bool {
		return slices.ContainsFunc(e.gone(), func(g plan.Gone) bool {
			return g.UID == string(moved.UID) && g.Expired && g.At.Equal(noon.Add(10*time.Minute))
		})
	})
	s.must(s.admin.RbacV1().RoleBindings(s.namespace).Delete(t.Context(), "due-later", metav1.DeleteOptions{}))
	s.until("it tells what somebody else took", func() bool {
		return slices.ContainsFunc(e.gone(), func(g plan.Gone) bool { return g.Name == "due-later" && !g.Expired })
	})
}

// TestAPIServerDownAtExpiry: tries go on every second, and the first one that can work does.
func TestAPIServerDownAtExpiry(t *testing.T) {
	s := newStage(t)
	s.expiring()
	s.managed("due", requests.At(noon.Add(time.Minute)).String())
	s.until("it is there", func() bool { return len(s.names()) == 1 })
	cp := kube.ForTest(t)
	s.must(cp.APIServer.Stop())
	s.setClock(noon.Add(time.Minute))
	s.until("a try did not work", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return strings.Contains(s.log.String(), "expiring a binding did not work")
	})
	s.must(cp.APIServer.Start(t.Context()))
	// The clock stands at the second of the failed try until it moves on.
	s.setClock(noon.Add(time.Minute + 2*time.Second))
	s.until("it is gone", func() bool { return len(s.names()) == 0 })
}

// TestExpirerIsNotHeldUp: bindings that cannot be deleted do not delay the one that can.
func TestExpirerIsNotHeldUp(t *testing.T) {
	s := newStage(t)
	s.managed("good", requests.At(noon.Add(time.Minute)).String())
	var tried atomic.Int32
	hang := func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodDelete && strings.Contains(r.URL.Path, "/hung-") {
				tried.Add(1)
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			return next.RoundTrip(r)
		})
	}
	e := s.agent(options{wire: hang}).expirer
	for i := range 10 * deleters {
		name := fmt.Sprintf("hung-%d", i)
		e.watch(plan.Live{Namespace: s.namespace, Name: name, UID: name}, noon)
		e.watched[name].failed = true
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.run(ctx) }()
	defer func() {
		cancel()
		s.must(<-ended)
	}()
	s.until("the others are being tried", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return tried.Load() >= deleters && len(e.watched) == 10*deleters+1
	})
	s.setClock(noon.Add(time.Minute))
	s.until("the good one is gone", func() bool { return len(s.names()) == 0 })
}

// TestExpirerClockSetBack: a try that did not work while a clock was ahead does not put the next one off.
func TestExpirerClockSetBack(t *testing.T) {
	now := noon
	e := newExpirer(nil, func() time.Time { return now }, nil)
	e.watch(plan.Live{UID: "a"}, noon)
	e.watched["a"].next, e.watched["a"].failed = noon.Add(time.Hour), true
	if due, _ := e.due(); len(due) != 1 {
		t.Errorf("due: %v", due)
	}
}

// TestLabelTakenOffAndPutOn: the time the label was off is not taken for the end of access.
func TestLabelTakenOffAndPutOn(t *testing.T) {
	s := newStage(t)
	e := s.expiring()
	b := s.managed("relabelled", requests.At(noon.Add(time.Hour)).String())
	label := func(value string) {
		_, err := s.admin.RbacV1().RoleBindings(s.namespace).Patch(t.Context(), b.Name, "application/merge-patch+json",
			[]byte(`{"metadata":{"labels":{"app.kubernetes.io/managed-by":`+value+`}}}`), metav1.PatchOptions{})
		s.must(err)
	}
	watched := func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.watched[string(b.UID)] != nil
	}
	s.until("it is watched", watched)
	label("null")
	s.until("it is out of sight", func() bool { return !watched() })
	label(`"pullgrant"`)
	s.until("it is watched again", watched)
	s.setClock(noon.Add(time.Hour))
	s.until("it ended at its end", func() bool {
		gone := e.gone()
		return len(gone) == 1 && gone[0].Expired && gone[0].At.Equal(noon.Add(time.Hour))
	})
}
