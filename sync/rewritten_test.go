package sync

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
)

// setBack has main be an earlier commit, which a person accepts.
func (s *stage) setBack(agent *Agent, to string) {
	s.Helper()
	s.Must(s.SetBranch("root", "main", to))
	if err := agent.Once(s.Context()); err == nil {
		s.Error("the agent goes on with a branch that was rewritten")
	}
	s.Must(agent.cluster.Note(s.Context(), kube.AnnotationHead, to))
	s.pause()
}

// TestRequestLostByRewriting: access whose merge is off the branch, which a person accepted, ends and is
// recorded in that pass: nobody's pull request removed it, so none is waited for.
func TestRequestLostByRewriting(t *testing.T) {
	s := newStage(t)
	before := s.Branch("main")
	agent, name, _ := s.live("lost")
	s.setBack(agent, before)
	s.Must(agent.Once(t.Context()))
	if r := s.over(name, requests.CauseRevoked, ""); r.Status.EndedBy != nil {
		t.Errorf("ended by %v", r.Status.EndedBy)
	}
}

// TestEntryLostByRewriting: what was ended while its window is open is never granted again, and its
// entry is written again, when a person accepts a branch from before that.
func TestEntryLostByRewriting(t *testing.T) {
	s := newStage(t)
	agent, name, path := s.live("again")
	before := s.Branch("main")
	s.open("alice", "drop", removed(path))
	s.Must(agent.Once(t.Context()))
	s.over(name, requests.CauseRelinquished, "")
	s.setBack(agent, before)
	for range 2 {
		s.Must(agent.Once(t.Context()))
		s.pause()
		s.over(name, requests.CauseRelinquished, "")
	}
}

// TestNotedBeforeTheFirstFetch: what a person accepts while the branch cannot be read counts, and not
// what the Lease had when the agent began.
func TestNotedBeforeTheFirstFetch(t *testing.T) {
	s := newStage(t)
	s.live("earlier")
	before := s.Branch("main")
	agent := s.agent(githubOnly)
	s.Fail("", ".*/(info/refs|git-upload-pack)", -1, 503, "")
	if err := agent.Once(t.Context()); err == nil {
		t.Error("the branch was to be out of reach")
	}
	s.pushFiles("root", "More", map[string]string{"docs/more.md": "more\n"})
	s.Must(agent.cluster.Note(t.Context(), kube.AnnotationHead, s.Branch("main")))
	s.Must(s.SetBranch("root", "main", before))
	s.Heal()
	s.pause()
	if err := agent.Once(t.Context()); err == nil || !strings.Contains(err.Error(), "does not continue") {
		t.Errorf("a branch that lost what a person accepted: %v", err)
	}
}

// TestRewrittenWhileSomethingWaits: that the branch lost a commit which an agent had gone on to is seen by the
// next one too, although a request that waits kept the former from accepting that commit.
func TestRewrittenWhileSomethingWaits(t *testing.T) {
	s := newStage(t)
	agent, ended, path := s.live("ended")
	s.Must(agent.Once(t.Context()))
	name, asks, content := s.requestFile("waits")
	number := s.open("alice", "waits", map[string]string{asks: content})
	_, err := s.Review("bob", number, "APPROVE")
	s.Must(err)
	_, err = s.Merge("root", number)
	s.Must(err)
	s.Fail(http.MethodGet, fmt.Sprintf("/repos/acme/access/pulls/%d/reviews", number), -1,
		http.StatusInternalServerError, "{}")
	waits := func(agent *Agent) {
		t.Helper()
		s.pause()
		if err := agent.Once(t.Context()); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s was to wait: %v", name, err)
		}
	}
	waits(agent)
	before := s.Branch("main")
	s.open("alice", "drop", removed(path))
	waits(agent)
	s.over(ended, requests.CauseRelinquished, "")
	lost := s.Branch("main")
	s.Must(s.SetBranch("root", "main", before))
	s.pause()
	next := s.agent(githubOnly)
	if err := next.Once(t.Context()); err == nil || !strings.Contains(err.Error(), "does not continue") ||
		!strings.Contains(err.Error(), "pullgrant.dev/head=COMMIT pullgrant.dev/seen-") {
		t.Errorf("a branch that lost what the agent before went on to: %v", err)
	}
	s.Must(s.SetBranch("root", "main", lost))
	waits(next)
	s.Must(s.SetBranch("root", "main", before))
	next = s.agent(githubOnly)
	if err := next.Once(t.Context()); err == nil || !strings.Contains(err.Error(), "does not continue") {
		t.Errorf("the same again: %v", err)
	}
	s.Must(next.cluster.Note(t.Context(), kube.AnnotationSeen, ""))
	waits(next)
	s.Heal()
	s.pause()
	s.Must(next.Once(t.Context()))
	s.granted(name)
}

// TestFilePutBackWhileItsWindowIsOpen: the file of what ended leaves the branch again, as a name that
// is used, and its pull request goes on naming the commit that entered it into the ledger.
func TestFilePutBackWhileItsWindowIsOpen(t *testing.T) {
	s := newStage(t)
	agent, name, path := s.live("back")
	content := s.read(path)
	drop := s.open("alice", "drop", removed(path))
	s.Must(agent.Once(t.Context()))
	s.over(name, requests.CauseRelinquished, "")
	entered := "commit " + s.Branch("main")
	s.pushFiles("root", "Put it back", map[string]string{path: content})
	s.Must(agent.Once(t.Context()))
	s.over(name, requests.CauseRelinquished, "")
	if subject := s.git("log", "-1", "--format=%s", "main"); subject != "Discard "+path+
		": the name is used" {
		t.Errorf("the last commit is %q", subject)
	}
	s.says(drop-1, entered)
}
