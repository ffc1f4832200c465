package sync

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// Who is in a team is asked about people with live access for as long as it lives, and that must not
// take from what judging has of GitHub's limits (docs/scale.md).
const (
	maxTeamQuestions = 2 // a minute, of at most two calls each
	teamEvery        = 10 * time.Minute
	teamTimeout      = 10 * time.Second
)

// teams are what GitHub said lately of who is in teams.
type teams struct {
	said  policies.Answers
	asked map[policies.Question]time.Time // when last, also in vain
	since time.Time                       // the minute whose questions are counted
	spent int
	told  map[string]string // what policies say against live access, as it was told last
}

// ask asks some of the questions, those that were asked longest ago first, and forgets what is not
// among them. What GitHub does not answer is not known.
func (t *teams) ask(ctx context.Context, questions []policies.Question, now time.Time,
	inTeam func(context.Context, policies.Question) (bool, error)) (failed error) {
	before, said := t.asked, t.said
	t.asked, t.said = map[policies.Question]time.Time{}, policies.Answers{}
	for _, q := range questions {
		if at, known := before[q]; known {
			t.asked[q] = at
		}
		if member, known := said[q]; known {
			t.said[q] = member
		}
	}
	if !within(t.since, now, time.Minute) {
		t.since, t.spent = now, 0
	}
	slices.SortStableFunc(questions, func(a, b policies.Question) int {
		return t.asked[a].Compare(t.asked[b])
	})
	for _, q := range questions {
		if at, known := t.asked[q]; known && within(at, now, teamEvery) || t.spent >= maxTeamQuestions {
			continue
		}
		t.spent++
		t.asked[q] = now
		member, err := inTeam(ctx, q)
		if err != nil {
			delete(t.said, q)
			failed = err
			continue
		}
		t.said[q] = member
	}
	return failed
}

// tightened tells what speaks against live access although its policy still gives it, by path.
func (a *Agent) tightened(ctx context.Context, trees map[string]policies.Tree,
	live map[string][]plan.Record, unknown func(string, error)) map[string]policies.Tightening {
	found := map[string]policies.Tightening{}
	var questions []policies.Question
	given := map[string][]policies.Given{}
	for _, policy := range slices.Sorted(maps.Keys(live)) {
		for _, r := range live[policy] {
			g, err := a.prover.given(ctx, r, trees[policy])
			if err != nil {
				unknown("the challenges of their policy", err)
			}
			given[policy] = append(given[policy], g)
		}
		questions = append(questions, policies.LiveQuestions(trees[policy], given[policy])...)
	}
	if a.github != nil && len(questions) > 0 {
		ctx, cancel := context.WithTimeout(ctx, teamTimeout)
		defer cancel()
		if err := a.teams.ask(ctx, inOrder(questions), a.clocks.wall(),
			a.github.InTeam); err != nil {
			unknown("who is in teams", err)
		}
	}
	now := a.clocks.now()
	for policy, all := range given {
		for i := range all {
			all[i].Now = a.teams.said
		}
		for path, t := range policies.Tightened(trees[policy], all, now) {
			found[path] = t
		}
	}
	return found
}

// inOrder are the questions, each once.
func inOrder(questions []policies.Question) []policies.Question {
	slices.SortFunc(questions, func(a, b policies.Question) int {
		return cmp.Or(cmp.Compare(a.Team, b.Team), cmp.Compare(a.User, b.User))
	})
	return slices.Compact(questions)
}

// given is live access with what is known of how it was given: the policy as it was then, and what
// GitHub said of teams.
func (v *prover) given(ctx context.Context, r plan.Record, tree policies.Tree) (policies.Given, error) {
	g := policies.Given{Grant: r.Grant}
	if len(r.Facts) == 0 {
		return g, nil
	}
	facts, err := policies.ParseFacts(r.Facts)
	if err != nil {
		return g, err
	}
	g.Then = facts.Answers
	path := policies.Path(r.Grant.Policy)
	file := facts.Base.Files[path]
	if now := tree.Files[path]; now.Blob == file.Blob {
		g.Under = now
		return g, nil
	}
	content, err := v.branch.repository.Blob(ctx, file.Blob)
	if err != nil {
		return g, err
	}
	g.Under = policies.NewTreeFile(file.Mode, file.Blob, content, int64(len(content)))
	return g, nil
}
