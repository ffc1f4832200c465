package sync

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
	controlplane "github.com/pullgrant/pullgrant/testdata/kube"
	"github.com/pullgrant/pullgrant/testdata/scene"
)

// run runs an agent until the returned function is called, or the test ends.
func (s *stage) run(o options) (stop func()) {
	s.Helper()
	agent := s.agent(o)
	ctx, cancel := context.WithCancel(s.Context())
	ended := make(chan error, 1)
	go func() { ended <- agent.Run(ctx) }()
	var once atomic.Bool
	stop = func() {
		cancel()
		if once.CompareAndSwap(false, true) {
			s.Must(<-ended)
		}
	}
	s.Cleanup(stop)
	return stop
}

func (s *stage) leader() string {
	s.Helper()
	lease, err := s.Admin.CoordinationV1().Leases(kube.Namespace).Get(s.Context(), kube.LeaseName,
		metav1.GetOptions{})
	if err != nil || lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

func (s *stage) entered(name string) bool {
	s.Helper()
	return strings.Contains(s.git("ls-tree", "-r", "--name-only", "main"),
		requests.RevocationPath(s.Cluster, name))
}

// TestReplicaTakesOver: one replica grants; when it stops, another goes on where it was.
func TestReplicaTakesOver(t *testing.T) {
	s := newStage(t)
	stop := s.run(options{})
	s.Until("there is a leader", func() bool { return s.leader() != "" })
	first := s.leader()
	if served, err := kube.Serves(t.Context(), controlplane.ForTest(t).Admin()); err != nil || served != s.Cluster {
		t.Errorf("the Lease says that it serves %q, %v", served, err)
	}
	s.run(options{})
	one := s.ask("one")
	s.allowed(true)
	if now := s.leader(); now != first {
		t.Errorf("%s leads, want %s", now, first)
	}
	stop()
	s.Until("another one leads", func() bool { return s.leader() != "" && s.leader() != first })
	two := s.ask("two")
	s.Until("both are granted", func() bool { return len(s.Bindings()) == 2 })
	s.SetClock(noon.Add(time.Hour))
	s.Until("both are in the ledger", func() bool { return s.entered(one) && s.entered(two) })
	if head := s.git("log", "--format=%s", "main"); strings.Count(head, "Expired")+
		strings.Count(head, "Revoke 2 grants") == 0 {
		t.Errorf("the history: %s", head)
	}
}

// TestEveryReplicaExpires: the one that holds the Lease cannot delete, and access ends all the
// same, on time.
func TestEveryReplicaExpires(t *testing.T) {
	s := newStage(t)
	s.run(options{wire: func(next http.RoundTripper) http.RoundTripper {
		return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodDelete && strings.Contains(r.URL.Path, "/rolebindings/") {
				return nil, errCut
			}
			return next.RoundTrip(r)
		})
	}})
	s.Until("it leads", func() bool { return s.leader() != "" })
	leader := s.leader()
	s.run(options{})
	name := s.ask("both")
	s.allowed(true)
	s.SetClock(noon.Add(time.Hour))
	s.allowed(false)
	s.Until("the leader records it", func() bool { return s.entered(name) })
	if r := s.entry(name); r.Status.RevokedAt.String() != "2026-11-23T13:00:00Z" ||
		r.Status.Cause != requests.CauseExpired || s.leader() != leader {
		t.Errorf("%s leads, the entry: %+v", s.leader(), r.Status)
	}
}
