package sync

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
	"github.com/pullgrant/pullgrant/testdata/forge"
	"github.com/pullgrant/pullgrant/testdata/grants"
)

// TestClocksApart: with a clock that nobody can trust nothing is granted and nothing refused for
// good; when the clocks agree again it goes on (R54).
func TestClocksApart(t *testing.T) {
	for name, setAhead := range map[string]func(*stage, time.Duration){
		"cluster": func(s *stage, by time.Duration) { s.SetClusterAhead(by) },
		"github":  (*stage).setGitHubAhead,
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			request := s.request("one")
			agent := s.agent(githubOnly)
			for _, apart := range []time.Duration{31 * time.Second, -32 * time.Second,
				2 * time.Hour} {
				setAhead(s, apart)
				if err := agent.Once(t.Context()); err == nil || !strings.Contains(err.Error(),
					"apart, more than 30s") && !strings.Contains(err.Error(), "tried again") {
					t.Errorf("%s: error %v", apart, err)
				}
				if len(s.Bindings()) != 0 || len(s.Records()) != 0 {
					t.Errorf("%s: bindings %v, records %v", apart, s.Bindings(), s.Records())
				}
				s.pause()
			}
			setAhead(s, 29*time.Second)
			s.Must(agent.Once(t.Context()))
			s.granted(request)
			for _, told := range []string{`"msg":"nothing is granted"`,
				`"msg":"no longer a reason not to grant"`} {
				if n := strings.Count(s.Log.String(), told); n != 1 {
					t.Errorf("%d times in the log: %s", n, told)
				}
			}
		})
	}
}

// TestLaterClockEnds: when the clocks are apart, access ends by the one that is ahead.
func TestLaterClockEnds(t *testing.T) {
	for name, setAhead := range map[string]func(*stage, time.Duration){
		"cluster": func(s *stage, by time.Duration) { s.SetClusterAhead(by) },
		"github":  (*stage).setGitHubAhead,
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			request := s.request("one")
			agent := s.agent(githubOnly)
			s.Must(agent.Once(t.Context()))
			s.SetClock(noon.Add(58 * time.Minute))
			setAhead(s, 29*time.Second)
			s.Must(agent.github.ReadClock(t.Context()))
			s.Must(agent.Once(t.Context()))
			s.granted(request)
			setAhead(s, 2*time.Minute)
			// else it speaks to GitHub only when there is something to ask
			s.Must(agent.github.ReadClock(t.Context()))
			s.Must(agent.Once(t.Context()))
			s.Must(agent.Once(t.Context())) // the API server tells its time with the answers of the first
			s.over(request, requests.CauseExpired, "")
		})
	}
}

// TestOwnClockAhead: the own clock is the later one, and still nothing is granted by it or refused
// for good.
func TestOwnClockAhead(t *testing.T) {
	s := newStage(t)
	request := s.request("one")
	s.SetClusterAhead(-2 * time.Hour)
	s.setGitHubAhead(-2 * time.Hour)
	s.SetClock(noon.Add(2 * time.Hour)) // noon it is elsewhere
	agent := s.agent(githubOnly)
	if err := agent.Once(t.Context()); err == nil {
		t.Error("no error")
	}
	if len(s.Bindings()) != 0 || len(s.Records()) != 0 {
		t.Errorf("bindings %v, records %v", s.Bindings(), s.Records())
	}
	s.SetClusterAhead(0)
	s.setGitHubAhead(0)
	s.SetClock(noon.Add(time.Minute)) // it was set right
	s.once(githubOnly)
	s.granted(request)
}

// clockAhead has the own clock be ahead of all others, or behind them, while something happens that begins a
// minute past noon, and set right then, another one past.
func (s *stage) clockAhead(by time.Duration, meanwhile func()) {
	s.Helper()
	s.SetClusterAhead(-by)
	s.setGitHubAhead(-by)
	s.SetClock(noon.Add(by + time.Minute))
	meanwhile()
	s.SetClusterAhead(0)
	s.setGitHubAhead(0)
	s.SetClock(noon.Add(2 * time.Minute))
}

// TestClockSetRight: what was tried by a clock that was ahead, and is to be tried again, is not put off by
// how far it was: who approved a policy is asked again, a withdrawal is seen, and people are told what they
// were to be told.
func TestClockSetRight(t *testing.T) {
	t.Run("policies", func(t *testing.T) {
		s := newStage(t)
		agent := s.agent(githubOnly)
		s.Must(agent.Once(t.Context()))
		s.clockAhead(2*time.Hour, func() {
			s.change("policy", "root", s.longer(3))
			if agent.Once(t.Context()) == nil {
				t.Error("no error")
			}
		})
		s.pause()
		name := s.request("one")
		_ = agent.Once(t.Context()) // GitHub and the API server tell their time with their answers
		s.pause()
		s.Must(agent.Once(t.Context()))
		s.granted(name)
	})
	t.Run("comments", func(t *testing.T) {
		s := newStage(t)
		_, path, content := s.requestFile("one")
		number := s.pull("one", true, map[string]string{path: content})
		agent := s.agent(githubOnly)
		s.clockAhead(2*time.Hour, func() { agent.tell.gone(number, path) })
		if agent.tell.comments.write(t.Context()) {
			s.says(number, "its file is off the branch")
		} else {
			t.Error("nothing is due")
		}
	})
	t.Run("withdrawal", func(t *testing.T) {
		s := newStage(t)
		name, path, content := s.requestFile("one")
		s.pull("one", true, map[string]string{path: content})
		agent := s.agent(githubOnly)
		s.Must(agent.Once(t.Context()))
		s.granted(name)
		s.clockAhead(20*time.Minute, func() {
			s.open("alice", "back", map[string]string{path: forge.Removed, "README.md": "Mine\n"})
			_ = agent.Once(t.Context())
		})
		_, err := s.Push(forge.Change{User: "alice", Branch: "back", Message: "Only that",
			Files: map[string]string{"README.md": forge.Removed}})
		s.Must(err)
		for range 2 {
			s.pause()
			_ = agent.Once(t.Context())
		}
		s.over(name, requests.CauseRelinquished, "")
	})
}

// TestWrongClockRefusesNothing: how long nobody could judge a request, and GitHub knew of no pull request, is
// not told by a clock that was wrong, and is set right: neither a request nor a policy is refused for that.
func TestWrongClockRefusesNothing(t *testing.T) {
	t.Run("no answer", func(t *testing.T) {
		s := newStage(t)
		var name string
		agent := s.agent(githubOnly)
		s.clockAhead(-2*plan.MaxWait, func() {
			name, _ = s.unjudged()
			_ = agent.Once(t.Context())
		})
		_ = agent.Once(t.Context())
		s.Heal()
		s.pause()
		_ = agent.Once(t.Context())
		s.granted(name)
	})
	for slug, by := range map[string]time.Duration{"ahead": 2 * time.Hour, "behind": -2 * time.Hour} {
		t.Run(slug, func(t *testing.T) {
			s := newStage(t)
			s.SetManners(forge.Manners{AssociationLag: 9 * time.Minute, MergedLag: time.Hour})
			agent := s.agent(githubOnly)
			s.squash("policy", "root", s.longer(3))
			if by > 0 {
				_ = agent.Once(t.Context())
			}
			s.clockAhead(by, func() { _ = agent.Once(t.Context()) })
			for range 2 {
				_ = agent.Once(t.Context())
				s.pause()
			}
			if strings.Contains(s.Log.String(), "a change of policies is not proven") {
				t.Error("the policy is not proven for good")
			}
		})
	}
}

// TestPlanWithClocksApart: nothing begins, not even what was begun before, and what is over ends.
func TestPlanWithClocksApart(t *testing.T) {
	at := time.Date(2026, 11, 22, 10, 30, 0, 0, time.UTC)
	begun, over, asked := grants.Of("begun", 1, 1), grants.Of("over", 1, 1),
		grants.Of("asked", 1, 1)
	over.Window.End = requests.At(at)
	w := plan.World{Cluster: grants.Cluster, Namespaces: map[string]string{"payments": "ns"},
		Doers: map[string]requests.Person{},
		Main: &plan.Main{Tip: "tip", Requests: map[string]string{},
			Names: map[string][]string{}},
		Records: []plan.Record{
			{Phase: plan.Granting, Grant: begun,
				Objects: []plan.Object{{Kind: "RoleBinding", Namespace: "payments",
					Name:    begun.Items[0].Name,
					Content: "own"}}},
			{Phase: plan.Granted, Grant: over,
				Objects: []plan.Object{{Kind: "RoleBinding", Namespace: "payments",
					Name: over.Items[0].Name,
					UID:  "1", Content: "own"}}},
		},
		Live: []plan.Live{{Kind: "RoleBinding", Namespace: "payments", Name: over.Items[0].Name,
			UID:     "1",
			Managed: true, Content: "own"}},
		Proofs: map[string]plan.Proof{
			begun.Path: {Blob: "b1", Since: at,
				Decision: policies.Decision{Outcome: policies.Allowed, Grant: &begun}},
			asked.Path: {Blob: "b1", Since: at,
				Decision: policies.Decision{Outcome: policies.Allowed, Grant: &asked}},
		},
	}
	for _, g := range []requests.Grant{begun, over, asked} {
		w.Main.Requests[g.Path] = "b1"
		w.Main.Names[g.Name] = []string{g.Path}
	}
	actions := func() (all []string) {
		for _, step := range plan.Make(at, w) {
			all = append(all, string(step.Action)+" "+step.Record.Grant.Name)
		}
		return all
	}
	ends := []string{"end " + over.Name, "grant " + begun.Name, "grant " + asked.Name,
		"enter " + over.Name,
		"forget " + over.Name}
	if got := actions(); !slices.Equal(got, ends) {
		t.Errorf("together: %q, want %q", got, ends)
	}
	w.Stopped = []plan.Stop{{Code: policies.ClockSkew}}
	if got := actions(); !slices.Equal(got, slices.Delete(ends, 1, 3)) {
		t.Errorf("apart: %q", got)
	}
}

// TestGitHubsClockIsReadAgain: when nobody asks for anything, GitHub tells its time only when it is
// asked to.
func TestGitHubsClockIsReadAgain(t *testing.T) {
	s := newStage(t)
	agent := s.agent(githubOnly)
	s.setGitHubAhead(time.Hour)
	s.Must(agent.github.ReadClock(t.Context()))
	s.setGitHubAhead(0)
	if agent.clocks.problem() == "" {
		t.Error("no problem with an hour between the clocks")
	}
	s.Must(agent.Once(t.Context()))
	if problem := agent.clocks.problem(); problem != "" {
		t.Error(problem)
	}
}
