package faults

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

// refused waits until a replica says that the branch was rewritten, however often it was started
// since.
const rewritten = "the branch does not continue from the last accepted commit"

// TestMainRolledBack: main loses the request of a live grant and gets another one instead; later
// somebody puts it back.
func TestMainRolledBack(t *testing.T) {
	t.Parallel()
	s := newStage(t, "branch", nil)
	r := s.startReplica()
	before := s.forge.Branch("main")
	a := s.live("live", 10*time.Second)
	s.until("the head is noted", func() bool { return s.noted() == s.forge.Branch("main") })
	good := s.forge.Branch("main")
	s.must(s.forge.SetBranch("dave", "main", before))
	lost := s.ask("lost", window)
	s.until("the agent refuses", s.said(rewritten))
	s.restart(r)
	s.log.reset()
	r.start()
	s.until("the agent refuses after a restart", s.said(rewritten))
	s.gone(a)
	if s.entered(a) {
		t.Error("it was entered on a branch that was rewritten")
	}
	s.must(s.forge.SetBranch("dave", "main", good))
	s.finish(r, byAgent, a)
	s.caused(a, requests.CauseExpired)
	s.ungranted(lost)
	s.row("Git rolled back", "main set back to before a live grant's request, another request "+
		"on top, the agent restarted",
		fmt.Sprintf("neither withdrawn nor granted by it; ended %s after its end, and recorded "+
			"once main was put back", s.late(a)))
}

// TestMainForcePushed: main is replaced by another history, with a request that ended long ago and
// with a new one. Nothing is granted until a person accepts it, and the old one not even then.
func TestMainForcePushed(t *testing.T) {
	t.Parallel()
	s := newStage(t, "branch", nil)
	r := s.startReplica()
	first := s.forge.Branch("main")
	old := s.live("old", 8*time.Second)
	file := s.git("show", "main:"+requests.Path(cluster, policy, old.name)) + "\n"
	s.until("it is in the ledger", func() bool { return s.entered(old) && s.left() == "" })
	a := s.live("live", 8*time.Second)
	s.until("the head is noted", func() bool { return s.noted() == s.forge.Branch("main") })
	_, err := s.forge.Push(forge.Change{User: "dave", From: first, Message: "Another history",
		Files: map[string]string{
			requests.Path(cluster, policy, old.name): file},
		Committer: &forge.Identity{Name: "dave", Email: "dave@example.com",
			When: old.end.Add(-window)}})
	s.must(err)
	waits := s.ask("waits", window)
	s.until("the agent refuses", s.said(rewritten))
	s.gone(a)
	s.ungranted(waits)
	_, err = s.admin.CoordinationV1().Leases(system).Patch(t.Context(), lease, types.MergePatchType,
		fmt.Appendf(nil, `{"metadata":{"annotations":{"pullgrant.dev/head":%q}}}`,
			s.forge.Branch("main")), metav1.PatchOptions{})
	s.must(err)
	s.granted(waits)
	s.withdraw(waits)
	for _, b := range []asked{a, waits} {
		s.until(b.name+" is in the ledger", func() bool { return s.entered(b) })
		s.check(b, byAgent)
	}
	s.until("the one of old is in the ledger", func() bool {
		return s.entered(old) &&
			s.left() == ""
	})
	if n := len(s.bindings.of(old.name)); n != 1 {
		t.Errorf("%s was granted %d times", old.name, n)
	}
	s.planIsEmpty(r)
	s.row("Git force-pushed", "main replaced by another history with a replayed request and a new one",
		fmt.Sprintf("nothing granted until a person accepted it, the replayed one never; what "+
			"was live ended %s after its end and is in the ledger", s.late(a)))
}

// noted is the accepted head on the Lease.
func (s *stage) noted() string {
	s.Helper()
	l, err := s.admin.CoordinationV1().Leases(system).Get(s.Context(), lease, metav1.GetOptions{})
	s.must(err)
	return l.Annotations["pullgrant.dev/head"]
}
