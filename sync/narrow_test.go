package sync

import (
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

// narrowing has the policy let reviews narrow.
func (s *stage) narrowing() {
	s.Helper()
	s.change("narrowing", "root", s.edited(policyPath, "  target:\n", "  allowNarrowing: true\n  target:\n"))
}

// TestNarrowed is the whole way of a request for an hour that bob approves for ten minutes: the binding
// ends then, the requester reads who left what and what he said, and the ledger has it, which follows
// from the facts that are kept with it.
func TestNarrowed(t *testing.T) {
	s := newStage(t)
	s.narrowing()
	name, path, content := s.requestFile("narrowed")
	_, err := s.Push(forge.Change{User: "alice", Branch: "ask", Message: "Ask",
		Files: map[string]string{path: content}})
	s.Must(err)
	number, err := s.Open("alice", "ask", "Ask")
	s.Must(err)
	_, err = s.Review("bob", number, "APPROVE", "Be quick, <b>please</b>", "", "pullgrant: at most 10m")
	s.Must(err)
	_, err = s.Merge("root", number)
	s.Must(err)
	end := s.Clock().Add(10 * time.Minute)
	signer := newSigner(t)
	a := s.agent(options{github: true, signer: signer})
	s.Must(a.Once(t.Context()))
	s.allowed(true)
	if b := s.Bindings(); len(b) != 1 ||
		b[0].Annotations["pullgrant.dev/expires-at"] != requests.At(end).String() {
		t.Errorf("bindings: %+v", b)
	}
	for _, words := range []string{"bob approved at most 10m", "bob: Be quick, &#60;b&#62;please&#60;"} {
		if said := plainText(s.said(number)); !strings.Contains(said, words) {
			t.Errorf("%q is not in\n%s", words, said)
		}
	}
	s.SetClock(end)
	s.Must(a.Once(t.Context()))
	s.allowed(false)
	status := s.over(name, requests.CauseExpired, "").Status
	if len(status.Approvers) != 1 || status.Approvers[0].Narrowed != "at most 10m" ||
		status.Approvers[0].Words != "Be quick, <b>please</b>" || !status.ExpiresAt.Equal(end) {
		t.Errorf("the entry: %+v", status)
	}
	if rules := s.rules(signersOf(t, signer.AllowedSigner(s.Cluster)), s.Clock()); rules != "" {
		t.Errorf("the audit finds %s", rules)
	}
}

// TestNarrowingEditedAway: after the merge alice, who may write, edits bob's line away and gets
// nothing.
func TestNarrowingEditedAway(t *testing.T) {
	s := newStage(t)
	s.narrowing()
	name, path, content := s.requestFile("edited")
	_, err := s.Push(forge.Change{User: "alice", Branch: "ask", Message: "Ask",
		Files: map[string]string{path: content}})
	s.Must(err)
	number, err := s.Open("alice", "ask", "Ask")
	s.Must(err)
	id, err := s.Review("bob", number, "APPROVE", "pullgrant: at most 10m")
	s.Must(err)
	_, err = s.Merge("root", number)
	s.Must(err)
	s.Must(s.Edit("alice", number, id, "OK"))
	signer := newSigner(t)
	s.once(options{github: true, signer: signer})
	s.allowed(false)
	s.over(name, requests.CauseDenied, string(policies.ApprovalStale))
	s.says(number, "Refused: ApprovalStale", "the review was edited")
	if rules := s.rules(signersOf(t, signer.AllowedSigner(s.Cluster)), s.Clock()); rules != "" {
		t.Errorf("the audit finds %s", rules)
	}
}
