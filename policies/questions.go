package policies

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/requests"
)

// Question is one thing that a judgement needs to know and that neither the repository nor the pull
// request tells: is the user an active member of the team? The pure part asks, whoever gathers
// facts answers all of it or fails (R1).
type Question struct {
	Team string // org/team in lower case
	User string // login in lower case
}

// Answers hold what was answered. A question that is not among them was never answered, which is no
// "no".
type Answers map[Question]bool

// AboutMember is the question whether a user is in a team; case does not matter.
func AboutMember(team, login string) Question {
	return Question{Team: strings.ToLower(team), User: strings.ToLower(login)}
}

// Questions lists what judging f under tree asks, each once, in order; f.Answers must hold an
// answer to every one. Answers itself is not read.
func Questions(tree Tree, f Facts) []Question {
	j := newJudge(tree, f, f.ObservedAt.Time)
	asked := map[Question]bool{}
	if j.decision.Kind == KindRequest {
		author, other := f.PullRequest.Author, j.behalf()
		all := append(teamQuestions(j.world.policy.Spec.Subjects, author),
			teamQuestions(j.world.policy.Spec.OnBehalfOf, other)...)
		place, _ := requests.SplitPath(j.decision.Path)
		for _, r := range tree.rulesAbout(place.Cluster) {
			all = append(all, teamQuestions(r.Spec.Deny.Subjects, author)...)
			all = append(all, teamQuestions(r.Spec.Deny.Subjects, other)...)
		}
		for _, q := range all {
			asked[q] = true
		}
	}
	said := tally{opinions: opinions(f)}
	for _, c := range against(f) {
		said.opinions = append(said.opinions, c.opinion)
	}
	for _, c := range j.conditions() {
		if kind, ok := c.kind(); ok {
			for _, q := range kind.asks(j.world, c, said) {
				asked[q] = true
			}
		}
	}
	return slices.SortedFunc(maps.Keys(asked), func(a, b Question) int {
		return cmp.Or(cmp.Compare(a.Team, b.Team), cmp.Compare(a.User, b.User))
	})
}

// teamQuestions are the questions whether a user is one of parties. Nobody asks about a bot or a
// deleted account: neither ever counts (R17, R18).
func teamQuestions(parties []Party, u User) (all []Question) {
	if u.IsBot() || u.Login == "" {
		return nil
	}
	for _, p := range parties {
		if strings.Contains(p.Name, "/") {
			all = append(all, AboutMember(p.Name, u.Login))
		}
	}
	return all
}

// isMember is the answer, and whether there is one.
func (f Facts) isMember(team, login string) (member, known bool) {
	member, known = f.Answers[AboutMember(team, login)]
	return member, known
}

// MarshalJSON writes the answers by team and then by user.
func (a Answers) MarshalJSON() ([]byte, error) {
	teams := map[string]map[string]bool{}
	for q, member := range a {
		if teams[q.Team] == nil {
			teams[q.Team] = map[string]bool{}
		}
		teams[q.Team][q.User] = member
	}
	return json.Marshal(teams)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (a *Answers) UnmarshalJSON(data []byte) error {
	var teams map[string]map[string]bool
	if err := json.Unmarshal(data, &teams); err != nil || teams == nil {
		return err
	}
	*a = Answers{}
	for team, users := range teams {
		for user, member := range users {
			(*a)[Question{team, user}] = member
		}
	}
	return nil
}
