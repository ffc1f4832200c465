package sync

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// onChange has the policy be for a team, and end or leave alone what becomes stricter.
func (s *stage) onChange(what string) {
	s.Helper()
	s.AddTeam("squad-a", 11, "", "alice")
	files := s.edited(policyPath, "  target:\n", "  onChange: "+what+"\n  target:\n")
	files[policyPath] = strings.Replace(files[policyPath], "{kind: User, name: alice}",
		"{kind: Group, name: acme/squad-a}", 1)
	s.change("on-change", "root", files)
	s.pause()
}

// TestLiveAccessOfAStricterPolicy: more reviews, a shorter maximum and a team that was left end live
// access where its policy says so, with whose change that was, and are told once where it does not
// (R84).
func TestLiveAccessOfAStricterPolicy(t *testing.T) {
	for slug, test := range map[string]struct {
		change func(s *stage) (number int)
		told   string
		cause  string
		after  time.Duration // when it ends, after it was given; none: at once
	}{
		"stricter": {func(s *stage) int {
			return s.change("stricter", "root", s.edited(policyPath, "{kind: CodeOwnerReview, count: 1}",
				"{kind: PeerReview, reviewers: [{kind: User, name: root}]}"))
		}, "PeerReview needs 1 of @root by now, and @bob approved", requests.CausePolicyChanged, 0},
		"shorter": {func(s *stage) int {
			return s.change("shorter", "root", s.edited(policyPath, "maxDuration: 2h", "maxDuration: 30m"+
				" # and no more"))
		}, "access lasts at most 30m by now", requests.CausePolicyChanged, 30 * time.Minute},
		"left": {func(s *stage) int {
			s.SetTeamMember("squad-a", "alice", "")
			return 0
		}, "@alice is not in @acme/squad-a", requests.CauseSubjectRemoved, 0},
	} {
		for _, what := range []string{policies.OnChangeTell, policies.OnChangeEnd} {
			t.Run(slug+what, func(t *testing.T) {
				s := newStage(t)
				s.onChange(what)
				if slug == "shorter" { // nor is what it is without a duration of its own
					s.change("default", "root", s.edited(policyPath, "    defaultDuration: 1h\n", ""))
					s.pause()
				}
				name, path, content := s.requestFile(slug)
				s.pull(slug, true, map[string]string{path: strings.Replace(content, "  reason:",
					"  duration: 1h\n  reason:", 1)})
				agent := s.agent(githubOnly)
				s.Must(agent.Once(t.Context()))
				s.granted(name)
				given := s.expiry().Add(-time.Hour)
				number := test.change(s)
				if test.after > 0 {
					s.SetClock(given.Add(test.after - time.Second))
					s.Must(agent.Once(t.Context()))
					s.allowed(true)
					s.SetClock(given.Add(test.after))
				} else {
					s.SetClock(s.Clock().Add(teamEvery + time.Second))
				}
				for range 2 {
					s.Must(agent.Once(t.Context()))
				}
				if what == policies.OnChangeTell {
					s.allowed(true)
				} else if r := s.over(name, test.cause, ""); number > 0 {
					s.endedBy(r, "alice", number)
				}
				words := strings.Count(s.Log.String(), test.told)
				if words == 0 || what == policies.OnChangeTell && words != 1 {
					t.Errorf("%q is told %d times", test.told, words)
				}
			})
		}
	}
}

// TestTeamsInDoubtEndNothing: a GitHub that is down, and a team that is gone, end no access; it is
// told, and asked again.
func TestTeamsInDoubtEndNothing(t *testing.T) {
	s := newStage(t)
	s.onChange(policies.OnChangeEnd)
	name := s.request("doubt")
	agent := s.agent(githubOnly)
	s.Must(agent.Once(t.Context()))
	s.granted(name)
	for _, down := range []func(){
		func() { s.Fail("GET", ".*/teams/.*", -1, 502, "") },
		func() { s.Fail("GET", ".*/teams/.*/memberships/.*", -1, 403, `{"message":"no"}`) },
		func() { s.DeleteTeam("squad-a") },
	} {
		down()
		before := strings.Count(s.Log.String(), "go with who is in teams is not known")
		s.SetClock(s.Clock().Add(teamEvery + time.Second))
		s.Must(agent.Once(t.Context()))
		s.Must(agent.Once(t.Context()))
		s.allowed(true)
		if after := strings.Count(s.Log.String(), "go with who is in teams is not known"); after != before+1 {
			t.Errorf("it is told %d times", after-before)
		}
		s.Heal()
	}
	s.AddTeam("squad-a", 12, "", "bob")
	s.SetClock(s.Clock().Add(teamEvery + time.Second))
	s.Must(agent.Once(t.Context()))
	s.over(name, requests.CauseSubjectRemoved, "")
}

// TestTeamQuestionsAreFew: however many people have live access and however often it is looked, no
// more is asked of GitHub than the limit, each comes to its turn, and no answer outlives the access.
func TestTeamQuestionsAreFew(t *testing.T) {
	var known teams
	var questions []policies.Question
	for n := range 40 {
		questions = append(questions, policies.AboutMember("acme/a", fmt.Sprint("user", n)))
	}
	asked, total := map[policies.Question]int{}, 0
	down := false
	inTeam := func(_ context.Context, q policies.Question) (bool, error) {
		asked[q]++
		total++
		if down {
			return false, errors.New("down")
		}
		return true, nil
	}
	now := noon
	for range 6 * 60 { // an hour of passes
		if err := known.ask(t.Context(), questions, now, inTeam); err != nil {
			t.Fatal(err)
		}
		now = now.Add(10 * time.Second)
	}
	if most := maxTeamQuestions * 60; total > most || len(asked) != len(questions) {
		t.Errorf("in an hour %d questions, of %d people; the most is %d", total, len(asked), most)
	}
	total = 0
	few := questions[:3]
	for range 6 * 60 {
		_ = known.ask(t.Context(), few, now, inTeam)
		now = now.Add(10 * time.Second)
	}
	if total > 3*7 || len(known.said) != 3 || len(known.asked) != 3 {
		t.Errorf("three people took %d questions in an hour, and %d answers are kept", total, len(known.said))
	}
	down = true
	now = now.Add(teamEvery + time.Second)
	if err := known.ask(t.Context(), few, now, inTeam); err == nil || len(known.said) != 1 {
		t.Errorf("%v, and %d answers are kept when nobody answered two", err, len(known.said))
	}
}
