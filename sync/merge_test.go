package sync

import (
	"fmt"
	"net/http"
	"strings"
	gosync "sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

// unreviewed is an agent under a policy that asks for nobody's review, and what it trusts.
func (s *stage) unreviewed() (agent *Agent, root string) {
	s.Helper()
	s.edit(policies.Path("payments-debug"), "challenges: [{kind: CodeOwnerReview, count: 1}]",
		"challenges: []\n  allowWithoutReview: true")
	root = s.git("rev-parse", "main")
	return s.agent(options{github: true, root: root}), root
}

// green opens a pull request of somebody's and has the Action's check say yes.
func (s *stage) green(login, slug string) (name string, number int) {
	s.Helper()
	name, path, content := s.requestFile(slug)
	number = s.open(login, slug, map[string]string{path: content})
	s.Must(s.Pass("pullgrant", "pullgrant", s.Branch(slug)))
	return name, number
}

// alone has the agent merge and grant what alice asks for, with nobody's review.
func (s *stage) alone(agent *Agent, slug string) (name string) {
	s.Helper()
	s.Must(agent.Once(s.Context()))
	name, number := s.green("alice", slug)
	s.Must(agent.Once(s.Context()))
	if state := s.pullState(number); state != "merged" {
		s.Fatalf("it is %s:\n%s", state, s.Log)
	}
	s.Must(agent.Once(s.Context()))
	s.granted(name)
	return name
}

// TestMergedByTheAgent: where the policy asks for no review, the agent merges what it allows itself,
// grants it, ends it, and the ledger has nobody's approval.
func TestMergedByTheAgent(t *testing.T) {
	s := newStage(t)
	agent, _ := s.unreviewed()
	name, path, content := s.requestFile("alone")
	number := s.open("alice", "alone", map[string]string{path: content})
	s.Must(agent.Once(t.Context()))
	if state := s.pullState(number); state != "open" {
		t.Fatalf("%s before the check is green", state)
	}
	s.Must(s.Pass("pullgrant", "pullgrant", s.Branch("alone")))
	s.Must(agent.Once(t.Context()))
	if state := s.pullState(number); state != "merged" {
		t.Fatalf("%s although the check is green:\n%s", state, s.Log)
	}
	s.Must(agent.Once(t.Context()))
	s.granted(name)
	s.SetClock(s.Clock().Add(time.Hour + time.Minute))
	s.Must(agent.Once(t.Context()))
	if r := s.entry(name); r.Status.Cause != requests.CauseExpired || len(r.Status.Approvers) > 0 {
		t.Errorf("%s ended by %s, approved by %v", name, r.Status.Cause, r.Status.Approvers)
	}
}

// TestDueIsJudgedAgain: what waits for a moment that its check names, and would be merged by the agent,
// is judged by the Action at that moment: one event for all, and none before, after, or for the same
// moment again, also where the branch moves.
func TestDueIsJudgedAgain(t *testing.T) {
	s := newStage(t)
	agent, _ := s.unreviewed()
	due := s.Clock().Add(10 * time.Minute)
	for _, slug := range []string{"first", "second"} {
		_, path, content := s.requestFile(slug)
		s.open("alice", slug, map[string]string{path: content})
		s.Must(s.Do(s.AppToken("pullgrant"), http.MethodPost, "/repos/acme/access/check-runs",
			map[string]any{"name": "pullgrant", "head_sha": s.Branch(slug), "status": "completed",
				"conclusion": "failure", "external_id": "judge again at " + due.Format(time.RFC3339)}, nil))
	}
	for _, try := range []struct {
		at    time.Time
		moves bool
		sent  int
	}{{due.Add(-time.Second), false, 0}, {due, true, 1}, {due.Add(time.Minute), false, 1},
		{due.Add(2 * time.Minute), true, 1}} {
		if s.SetClock(try.at); try.moves {
			s.pushFiles("root", "Move", map[string]string{"docs/tip.md": try.at.String()})
		}
		s.Must(agent.Once(t.Context()))
		if all := s.Dispatched(); len(all) != try.sent || len(all) > 0 && all[0] != github.DueEvent {
			t.Errorf("at %s it sent %q, want %d", try.at, all, try.sent)
		}
	}
}

// TestNobodyLooksAtWhatIsNotLookedAt: a draft, and what somebody opened who could end no grant, costs
// the agent that merges neither a call nor a turn.
func TestNobodyLooksAtWhatIsNotLookedAt(t *testing.T) {
	s := newStage(t)
	agent, _ := s.unreviewed()
	docs := map[string]string{"docs/a.md": "x\n"}
	s.open("root", "stranger", docs)
	_, err := s.Push(forge.Change{User: "alice", Branch: "draft", Message: "Change", Files: docs})
	s.Must(err)
	s.Must(s.Do(s.Token("alice"), http.MethodPost, "/repos/acme/access/pulls", map[string]any{
		"title": "Change", "head": "draft", "base": "main", "draft": true}, nil))
	before := len(s.Requests())
	s.Must(agent.Once(t.Context()))
	for _, r := range s.Requests()[before:] {
		if number, ok := strings.CutPrefix(r.Path, "/repos/acme/access/pulls/"); ok {
			t.Errorf("it looked at #%s", number)
		}
	}
	s.alone(agent, "alone")
}

// TestMergedThoughTheBranchMoves: however often the branch moves, what the agent may merge has its turn
// beside older pull requests that are none of its business, also where it remembers nothing.
func TestMergedThoughTheBranchMoves(t *testing.T) {
	for slug, newer := range map[string]int{"lives": maxMerging, "once": 0} {
		t.Run(slug, func(t *testing.T) {
			s := newStage(t)
			agent, root := s.unreviewed()
			for n := range maxMerging + 1 {
				s.open("alice", fmt.Sprint("older-", n), map[string]string{"docs/a.md": "x\n"})
			}
			_, number := s.green("alice", "urgent")
			for n := range newer {
				s.open("alice", fmt.Sprint("newer-", n), map[string]string{"docs/a.md": "x\n"})
			}
			for n := 0; n < 10 && s.pullState(number) == "open"; n++ {
				s.pushFiles("root", "Move", map[string]string{"docs/tip.md": fmt.Sprint(n)})
				s.SetClock(s.Clock().Add(10 * time.Second))
				if slug == "once" {
					agent = s.agent(options{github: true, root: root})
				}
				s.Must(agent.Once(t.Context()))
			}
			if state := s.pullState(number); state != "merged" {
				t.Errorf("it is %s:\n%s", state, s.Log)
			}
		})
	}
}

// TestNotMergedWhileWithdrawalsAreUnknown: what would not begin is not merged either.
func TestNotMergedWhileWithdrawalsAreUnknown(t *testing.T) {
	s := newStage(t)
	agent, _ := s.unreviewed()
	_, path, content := s.requestFile("alone")
	number := s.open("alice", "alone", map[string]string{path: content})
	s.Must(agent.Once(t.Context()))
	s.Must(s.Pass("pullgrant", "pullgrant", s.Branch("alone")))
	s.Fail(http.MethodGet, "/repos/acme/access/pulls", -1, http.StatusBadGateway, "{}")
	if err := agent.Once(t.Context()); err == nil {
		t.Error("no error")
	}
	s.wantPull(number, "open")
	s.Heal()
	s.Must(agent.Once(t.Context()))
	s.wantPull(number, "merged")
}

// TestMergedByOneOfTwo: of two agents that look at once, one merges, and neither gives it twice.
func TestMergedByOneOfTwo(t *testing.T) {
	s := newStage(t)
	one, root := s.unreviewed()
	other := s.agent(options{github: true, root: root})
	s.Must(one.Once(t.Context()))
	s.Must(other.Once(t.Context()))
	name, number := s.green("alice", "twice")
	var both gosync.WaitGroup
	for _, agent := range []*Agent{one, other} {
		both.Go(func() { _ = agent.Once(t.Context()) }) // the one that comes late is told that it is merged
	}
	both.Wait()
	if state := s.pullState(number); state != "merged" {
		t.Fatalf("it is %s:\n%s", state, s.Log)
	}
	s.Must(one.Once(t.Context()))
	s.granted(name)
	if names := s.Names(); len(names) != 1 {
		t.Errorf("bindings %v", names)
	}
}

// TestNotMergedByTheAgent: a green check is no evidence (R63), and what stops the agent from granting
// stops it from merging.
func TestNotMergedByTheAgent(t *testing.T) {
	annotate := func(s *stage, patch string) {
		t.Helper()
		_, err := s.Admin.CoordinationV1().Leases(kube.Namespace).Patch(t.Context(), kube.LeaseName,
			types.MergePatchType, []byte(`{"metadata": {"annotations": {"`+kube.AnnotationPaused+
				`": `+patch+`}}}`), metav1.PatchOptions{})
		s.Must(err)
	}
	for name, try := range map[string]struct {
		login, logged string
		before        func(s *stage)
	}{
		"of another person": {"bob", string(policies.RequesterNotAllowed), func(*stage) {}},
		"while paused":      {"alice", "", func(s *stage) { annotate(s, `"by hand"`) }},
		"policy asks for a review": {"alice", "", func(s *stage) {
			s.edit(policies.Path("payments-debug"), "challenges: []\n  allowWithoutReview: true",
				"challenges: [{kind: CodeOwnerReview, count: 1}]")
		}},
		"policy that nobody approved": {"alice", string(policies.PolicyUnproven), func(s *stage) {
			s.edit(policies.Path("payments-debug"), "maxDuration: 2h", "maxDuration: 3h")
		}},
		"changes requested": {"alice", string(policies.ChangesRequested), func(s *stage) {
			_, err := s.Review("bob", 1, "REQUEST_CHANGES")
			s.Must(err)
		}},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			s := newStage(t)
			agent, _ := s.unreviewed()
			s.Must(agent.Once(t.Context()))
			_, number := s.green(try.login, "alone")
			try.before(s)
			s.outlast(agent)
			_ = agent.Once(t.Context()) // what is not proven is an error to be told
			if state := s.pullState(number); state != "open" {
				t.Errorf("it is %s", state)
			}
			if try.logged != "" && !strings.Contains(s.Log.String(), try.logged) {
				t.Errorf("nothing says %s:\n%s", try.logged, s.Log)
			}
			if names := s.Names(); len(names) > 0 {
				t.Errorf("bindings %v", names)
			}
		})
	}
}
