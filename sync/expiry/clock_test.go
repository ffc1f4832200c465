package expiry

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/monitor"
	"github.com/pullgrant/pullgrant/sync/plan"
	"github.com/pullgrant/pullgrant/testdata/scene"
)

// TestEndedByAnotherClock: what a replica ends whose clock is two seconds ahead has expired for the
// others too, at the time it went by theirs; what is deleted earlier than any clock could say has
// not.
func TestEndedByAnotherClock(t *testing.T) {
	s := scene.New(t)
	ahead, err := kube.NewCluster(s.Expirer, s.Cluster, 0, nil)
	s.Must(err)
	numbers := monitor.NewMetrics(s.Cluster, "", s.Clock)
	e := expirerOf(s, nil)
	s.Managed("pullgrant-due", stamp(noon.Add(time.Hour)))
	s.Managed("pullgrant-deleted", stamp(noon.Add(time.Hour)))
	running(s, e)
	s.Until("it knows both", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return len(e.watched) == 2
	})
	running(s, New(ahead, func() time.Time { return s.Clock().Add(2 * time.Second) }, numbers,
		slog.New(slog.NewJSONHandler(s.Log, nil))))
	gone := func(name string) (g plan.Gone) {
		for _, g := range e.Gone() {
			if g.Name == name {
				return g
			}
		}
		return g
	}
	s.SetClock(noon.Add(time.Hour - 31*time.Second))
	s.Must(s.Admin.RbacV1().RoleBindings(s.Namespace).Delete(t.Context(), "pullgrant-deleted",
		metav1.DeleteOptions{}))
	s.Until("the deleted one is missed", func() bool { return gone("pullgrant-deleted").UID != "" })
	if gone("pullgrant-deleted").Expired {
		t.Error("what was deleted 31 s early counts as expired")
	}
	early := noon.Add(time.Hour - 2*time.Second)
	s.SetClock(early.Add(-time.Second))
	select { // longer than the other one sleeps
	case <-t.Context().Done():
	case <-time.After(1500 * time.Millisecond):
	}
	if len(s.Names()) != 1 {
		t.Fatal("ended before the end by the later clock")
	}
	s.SetClock(early)
	s.Until("the other one is missed", func() bool { return gone("pullgrant-due").UID != "" })
	if g := gone("pullgrant-due"); !g.Expired || !g.At.Equal(early) {
		t.Errorf("it went at %s, expired: %t", g.At, g.Expired)
	}
}

// TestLaterClock: access ends by the API server's clock where that is ahead of the own one by more
// than is tolerated, and never before the end by the later of the two.
func TestLaterClock(t *testing.T) {
	s := scene.New(t)
	clock := &kube.Clock{Wall: s.Clock}
	cluster, err := kube.NewCluster(s.Expirer, s.Cluster, 0, clock.Watch)
	s.Must(err)
	e := New(cluster, clock.Now, monitor.NewMetrics(s.Cluster, "", s.Clock),
		slog.New(slog.NewJSONHandler(s.Log, nil)))
	s.Managed("pullgrant-by-theirs", stamp(noon.Add(time.Hour)))
	s.Managed("pullgrant-by-ours", stamp(noon.Add(2*time.Hour)))
	running(s, e)
	s.Until("it knows both", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return len(e.watched) == 2
	})
	ask := func(ahead time.Duration) {
		t.Helper()
		s.SetClusterAhead(ahead)
		s.Must(e.look(t.Context()))
		select { // longer than it sleeps
		case <-t.Context().Done():
		case <-time.After(1500 * time.Millisecond):
		}
	}
	ask(time.Hour - time.Second)
	ask(-time.Hour)
	if names := s.Names(); len(names) != 2 {
		t.Errorf("a second before the end, %v are left", names)
	}
	ask(time.Hour)
	s.Until("theirs ended one", func() bool {
		return slices.Equal(s.Names(), []string{"pullgrant-by-ours"})
	})
	ask(-time.Hour)
	s.SetClock(noon.Add(2 * time.Hour))
	s.Until("ours ended the other", func() bool { return len(s.Names()) == 0 })
}
