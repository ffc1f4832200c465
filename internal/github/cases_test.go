package github

import (
	"cmp"
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/storage/memory"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/testdata/answers"
	"github.com/pullgrant/pullgrant/testdata/cases"
)

// both gathers the facts of a pull request by REST and by GraphQL; what could not be gathered is
// told as an error.
func both(t *testing.T, client *Client, number int, now time.Time) (byREST, byGraphQL any) {
	t.Helper()
	gather := func(rest bool) any {
		c := &Client{api: client.api, owner: client.owner, repo: client.repo,
			wire: client.wire, byREST: rest}
		facts, err := c.Facts(t.Context(), number, now)
		if err != nil {
			return err.Error()
		}
		return facts
	}
	return gather(true), gather(false)
}

// TestFactsOfTheScenarios has GitHub tell each scenario, and judges what was gathered: the decision
// is the same to the last word, or what the scenario says of the wire.
func TestFactsOfTheScenarios(t *testing.T) {
	for _, c := range cases.All(t) {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			s := answers.Start(t, c, memory.NewStorage())
			told := s.Scenario.Facts
			client, err := New(Config{APIURL: s.URL, Owner: told.Repository.Owner,
				Repo:  told.Repository.Name,
				Token: func(context.Context) (string, error) { return "token", nil }})
			if err != nil {
				t.Fatal(err)
			}
			client.wire.pause = time.Millisecond
			var d policies.Decision
			byREST, facts := both(t, client, told.PullRequest.Number, c.Now)
			if !reflect.DeepEqual(facts, byREST) {
				t.Errorf("GraphQL tells %+v\nREST tells %+v", facts, byREST)
			}
			if facts, err := client.Facts(t.Context(), told.PullRequest.Number, c.Now); err != nil {
				d = policies.Refuse(policies.EvaluationError, "%v", err)
			} else {
				facts.Replies = told.Replies // of others than GitHub
				d = s.Scenario.Judge(facts)
			}
			want := cmp.Or(c.Wire, c.Want)
			if got := s.Describe(d, want); got != want {
				t.Errorf("got:\n%swant:\n%s", got, want)
			}
			same := reflect.DeepEqual(d, s.Scenario.Judge(told))
			switch {
			case c.Wire == "" && !same:
				t.Errorf("judged from what was gathered: %+v\njudged from what is told:      %+v",
					d, s.Scenario.Judge(told))
			case c.Wire != "" && same:
				t.Error("the wire section says the same as want; remove it")
			case c.Wire != "" && d.Outcome == policies.Allowed:
				t.Error("facts that cannot be gathered are allowed")
			}
		})
	}
}
