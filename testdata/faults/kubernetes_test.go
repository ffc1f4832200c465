package faults

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/requests"
)

// TestAPIServerDown kills the API server for half a minute across the end of a grant and the whole
// of another window.
func TestAPIServerDown(t *testing.T) {
	t.Parallel()
	s := newStage(t, "branch", nil)
	r := s.startReplica()
	a := s.live("live", 8*time.Second)
	s.must(s.kube.APIServer.Kill())
	missed := s.ask("missed", 15*time.Second)
	waits := s.ask("waits", window)
	s.wait(30 * time.Second)
	s.must(s.kube.APIServer.Start(t.Context()))
	back := s.answers()
	s.gone(a)
	s.must(s.kube.ControllerManager.Kill()) // in a cluster it lost its own Lease over this, and ended
	s.must(s.kube.ControllerManager.Start(t.Context()))
	s.granted(waits)
	s.withdraw(waits)
	s.finish(r, back.Sub(a.end)+byAgent, a, missed, waits)
	s.ungranted(missed)
	s.row("kube-apiserver down", "SIGKILL for 30 s across the end of a grant",
		fmt.Sprintf("access went %s after the API server answered again; a window that passed "+
			"meanwhile was never granted, an open one was",
			s.late(a)-back.Sub(a.end).Round(time.Millisecond)))
}

// answers waits until the API server answers, and says when it did.
func (s *stage) answers() time.Time {
	s.Helper()
	s.until("the API server answers", func() bool {
		_, err := s.admin.CoreV1().Namespaces().Get(s.Context(), system, metav1.GetOptions{})
		return err == nil
	})
	return time.Now()
}

// TestEtcdRestart kills etcd across the end of a grant. The API server then answers, with errors.
func TestEtcdRestart(t *testing.T) {
	t.Parallel()
	s := newStage(t, "branch", nil)
	r := s.startReplica()
	a := s.live("live", 8*time.Second)
	s.must(s.kube.Etcd.Kill())
	waits := s.ask("waits", window)
	s.wait(time.Until(a.end.Add(3 * time.Second)))
	s.must(s.kube.Etcd.Start(t.Context()))
	back := s.answers()
	s.gone(a)
	s.must(repair(t.Context(), s.kube)) // a controller manager that ended over it is started again, as in a cluster
	s.granted(waits)
	s.withdraw(waits)
	s.finish(r, back.Sub(a.end)+byAgent, a, waits)
	s.row("etcd restart", "SIGKILL across the end of a grant, started 3 s after it",
		fmt.Sprintf("access went %s after the API server answered again; what was asked for "+
			"meanwhile was granted", s.late(a)-back.Sub(a.end).Round(time.Millisecond)))
}

// TestControllerManagerDown leaves the agent alone: it ends what is armed, and arms nothing.
func TestControllerManagerDown(t *testing.T) {
	t.Parallel()
	s := newStage(t, "branch", nil)
	r := s.startReplica()
	a := s.live("live", 8*time.Second)
	s.must(s.kube.ControllerManager.Kill())
	waits := s.ask("waits", window)
	s.gone(a)
	s.until("the agent says why it waits", s.said("is not complete yet; does "+
		"kube-controller-manager run?"))
	s.ungranted(waits)
	s.must(s.kube.ControllerManager.Start(t.Context()))
	s.granted(waits)
	s.withdraw(waits)
	s.finish(r, byAgent, a, waits)
	s.caused(a, requests.CauseExpired)
	s.row("kube-controller-manager down", "SIGKILL across the end of a grant and while another "+
		"request waits",
		fmt.Sprintf("the agent ended it %s after its end; the other one was granted only once "+
			"its backstop could be armed", s.late(a)))
}
