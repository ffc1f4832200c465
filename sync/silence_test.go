package sync

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

// squash opens a pull request of alice's with the files, has it approved, and has it squashed: the
// commit on main is then one that no pull request ever had.
func (s *stage) squash(branch, approver string, files map[string]string) {
	s.Helper()
	_, err := s.Push(forge.Change{User: "alice", Branch: branch, Message: "Ask", Files: files})
	s.Must(err)
	number, err := s.Open("alice", branch, "Ask")
	s.Must(err)
	_, err = s.Review(approver, number, "APPROVE")
	s.Must(err)
	s.Must(s.Do(s.Token("root"), http.MethodPut,
		fmt.Sprintf("/repos/acme/access/pulls/%d/merge", number),
		map[string]any{"merge_method": "squash"}, nil))
}

// TestGrantedThoughTheAssociationLags: GitHub does not tell of a merge by its commit yet, but lists
// it among those that were merged: both what was asked for and what it is judged by are found at
// once.
func TestGrantedThoughTheAssociationLags(t *testing.T) {
	for method, land := range map[string]func(s *stage, branch, by string, files map[string]string){
		"merge": func(s *stage, branch, by string, files map[string]string) {
			s.change(branch, by, files)
		},
		"squash": func(s *stage, branch, by string, files map[string]string) {
			s.squash(branch, by, files)
			s.pause()
		},
	} {
		t.Run(method, func(t *testing.T) {
			s := newStage(t)
			s.SetManners(forge.Manners{AssociationLag: time.Hour})
			land(s, "policy", "root", s.longer(3))
			name, path, content := s.requestFile("lags")
			land(s, "lags", "bob", map[string]string{path: content})
			s.once(githubOnly)
			s.granted(name)
		})
	}
}

// TestNoneYetIsNotNone: while neither way tells of the pull request nothing is granted or refused,
// and as soon as one does the request is granted; that somebody asks again does not shorten it.
func TestNoneYetIsNotNone(t *testing.T) {
	s := newStage(t)
	s.SetManners(forge.Manners{AssociationLag: 9 * time.Minute, MergedLag: time.Hour})
	s.squash("policy", "root", s.longer(3))
	s.pause()
	name, path, content := s.requestFile("late")
	s.squash("late", "bob", map[string]string{path: content})
	agent := s.agent(githubOnly)
	for s.Clock().Before(noon.Add(9 * time.Minute)) {
		err := agent.Once(t.Context())
		if err == nil || !strings.Contains(err.Error(), "GitHub can be late to know") &&
			!strings.Contains(err.Error(), "it is tried again at") {
			t.Fatalf("at %s: %v", s.Clock(), err)
		}
		if len(s.Bindings())+len(s.Records()) > 0 {
			t.Fatalf("at %s: %v, %v", s.Clock(), s.Bindings(), s.Records())
		}
		s.pause()
	}
	for range 8 { // growing pauses have the agent ask every five minutes at last
		s.pause()
		_ = agent.Once(t.Context())
	}
	s.granted(name)
}

// TestNoneForTenMinutesIsNone: then it is refused, by whichever process asks; each of several
// commits without a pull request waits at the same time.
func TestNoneForTenMinutesIsNone(t *testing.T) {
	s := newStage(t)
	for i := range 3 {
		s.pushFiles("root", "Longer", s.longer(3+i))
	}
	name := s.ask("pushed")
	for _, after := range []time.Duration{0, patience - time.Second} {
		s.SetClock(noon.Add(after))
		if err := s.agent(githubOnly).Once(t.Context()); err == nil ||
			!strings.Contains(err.Error(), "only if that is still so at 2026-11-23T12:10:00Z") {
			t.Errorf("after %s: %v", after, err)
		}
	}
	s.SetClock(noon.Add(patience))
	s.once(githubOnly)
	if n := strings.Count(s.Log.String(), "a change of policies is not proven"); n != 3 {
		t.Errorf("%d of 3 pushes are refused", n)
	}
	s.over(name, requests.CauseDenied, "NoPullRequest")
}

// TestAnotherAnswerBeginsTheTenMinutesAnew: they are those in which both ways said none.
func TestAnotherAnswerBeginsTheTenMinutesAnew(t *testing.T) {
	s := newStage(t)
	name := s.ask("pushed")
	s.outlast(s.agent(githubOnly))
	s.Fail("GET", "/repos/acme/access/commits/.*/pulls", -1, 403, `{"message": "no"}`)
	s.outlast(s.agent(githubOnly))
	s.Heal()
	s.outlast(s.agent(githubOnly))
	if len(s.Records()) != 0 {
		t.Errorf("refused after one answer: %v", s.Records())
	}
	s.once(githubOnly)
	s.over(name, requests.CauseDenied, "NoPullRequest")
}
