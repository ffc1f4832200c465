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
			s.must(<-ended)
		}
	}
	s.Cleanup(stop)
	return stop
}

func (s *stage) leader() string {
	s.Helper()
	lease, err := s.admin.CoordinationV1().Leases(kube.Namespace).Get(s.Context(), kube.LeaseName, metav1.GetOptions{})
	if err != nil || lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

func (s *stage) entered(name string) bool {
	s.Helper()
	return strings.Contains(s.git("ls-tree", "-r", "--name-only", "main"), requests.RevocationPath(s.cluster, name))
}

// TestReplicaTakesOver: one replica grants; when it stops, another goes on where it was.
func TestReplicaTakesOver(t *testing.T) {
	s := newStage(t)
	stop := s.run(options{})
	s.until("there is a leader", func() bool { return s.leader() != "" })
	first := s.leader()
	s.run(options{})
	one := s.ask("one")
	s.allowed(true)
	if now := s.leader(); now != first {
		t.Errorf("%s leads, want %s", now, first)
	}
	stop()
	s.until("another one leads", func() bool { return s.leader() != "" && s.leader() != first })
	two := s.ask("two")
	s.until("both are granted", func() bool { return len(s.bindings()) == 2 })
	s.setClock(noon.Add(time.Hour))
	s.until("both are in the ledger", func() bool { return s.entered(one) && s.entered(two) })
	if head := s.git("log", "--format=%s", "main"); strings.Count(head, "Expired")+strings.Count(head, "Revoke 2 grants") == 0 {
		t.Errorf("the history: %s", head)
	}
}

// TestEveryReplicaExpires: the one that holds the Lease cannot delete, and access ends all the same, on time.
func TestEveryReplicaExpires(t *testing.T) {
	s := newStage(t)
	s.run(options{wire: func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodDelete && strings.Contains(r.URL.Path, "/rolebindings/") {
				return nil, errCut
			}
			return next.RoundTrip(r)
		})
	}})
	s.until("it leads", func() bool { return s.leader() != "" })
	leader := s.leader()
	s.run(options{})
	name := s.ask("both")
	s.allowed(true)
	s.setClock(noon.Add(time.Hour))
	s.allowed(false)
	s.until("the leader records it", func() bool { return s.entered(name) })
	if r := s.entry(name); r.Status.RevokedAt.String() != "2026-11-23T13:00:00Z" || r.Status.Cause != requests.CauseExpired || s.leader() != leader {
		t.Errorf("%s leads, the entry: %+v", s.leader(), r.Status)
	}
}

// TestLook: a deadline that no watch told of is known after all bindings were listed.
func TestLook(t *testing.T) {
	s := newStage(t)
	b := s.managed("unseen", requests.At(noon.Add(time.Hour)).String())
	e := s.agent(options{}).expirer
	s.must(e.look(t.Context()))
	if d := e.watched[string(b.UID)]; d == nil || !d.at.Equal(noon.Add(time.Hour)) {
		t.Errorf("watched: %v", e.watched)
	}
}
