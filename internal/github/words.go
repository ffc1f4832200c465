package github

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/pullgrant/pullgrant/policies"
)

const wordsQuery = `query($owner: String!, $repo: String!, $number: Int!, $after: String) {
  repository(owner: $owner, name: $repo) { pullRequest(number: $number) {
    reviews(first: 100, after: $after) {
      pageInfo { hasNextPage endCursor }
      nodes { fullDatabaseId body includesCreatedEdit lastEditedAt editor { login } }
    }
  } }
}`

// said is a review with what it says, as GraphQL has it.
type said struct {
	ID       string  `json:"fullDatabaseId"`
	Body     *string `json:"body"`
	Created  *bool   `json:"includesCreatedEdit"`
	EditedAt *string `json:"lastEditedAt"`
	Editor   *struct {
		Login string `json:"login"`
	} `json:"editor"`
}

// readWords reads what the wanted reviews say, and whether that was edited: whoever may write can edit
// another's words (R71). Only GraphQL tells. Where it does not have that to tell, the words stay
// unknown, and the reviews do not count; where it fails, the reading does.
func (c *Client) readWords(ctx context.Context, number int, wanted []int64) (map[int64]policies.Words,
	error) {
	if len(wanted) == 0 {
		return nil, nil
	}
	told, err := c.words(ctx, number)
	maps.DeleteFunc(told, func(id int64, _ policies.Words) bool { return !slices.Contains(wanted, id) })
	return told, err
}

// worded are reviews with what they say, as far as it is told.
func worded(reviews []policies.Review, told map[int64]policies.Words) []policies.Review {
	reviews = slices.Clone(reviews)
	for i, r := range reviews {
		if words, ok := told[r.ID]; ok {
			reviews[i].Words = &words
		}
	}
	return reviews
}

// words are what reviews say, by their numbers.
func (c *Client) words(ctx context.Context, number int) (map[int64]policies.Words, error) {
	all := map[int64]policies.Words{}
	variables := map[string]any{"owner": c.owner, "repo": c.repo, "number": number}
	for {
		var answer struct {
			Data struct {
				Repository *struct {
					PullRequest *struct {
						Reviews struct {
							PageInfo struct {
								HasNextPage bool   `json:"hasNextPage"`
								EndCursor   string `json:"endCursor"`
							} `json:"pageInfo"`
							Nodes []said `json:"nodes"`
						} `json:"reviews"`
					} `json:"pullRequest"`
				} `json:"repository"`
			} `json:"data"`
			Errors []struct {
				Type       string `json:"type"`
				Message    string `json:"message"`
				Extensions struct {
					Code string `json:"code"`
				} `json:"extensions"`
			} `json:"errors"`
		}
		err := c.ask(reading(ctx), wordsQuery, variables, &answer)
		for _, e := range answer.Errors {
			if slices.Contains([]string{"FORBIDDEN", "INSUFFICIENT_SCOPES"}, e.Type) ||
				e.Extensions.Code == "undefinedField" {
				return nil, nil // it is not for this token, or not with this server, however often asked
			}
			err = errors.Join(err, errors.New(e.Message))
		}
		switch {
		case is(err, http.StatusNotFound): // a server without GraphQL
			return nil, nil
		case err != nil:
			return nil, c.explain(err, "Pull requests: read", "read what the reviews say")
		case answer.Data.Repository == nil || answer.Data.Repository.PullRequest == nil:
			return nil, c.incomplete("what the reviews say")
		}
		reviews := answer.Data.Repository.PullRequest.Reviews
		for _, r := range reviews.Nodes {
			id, err := strconv.ParseInt(r.ID, 10, 64)
			if err != nil || r.Body == nil || r.Created == nil {
				return nil, c.incomplete("what the reviews say")
			}
			all[id] = policies.Words{Text: beginning(*r.Body), Cut: len(*r.Body) > policies.MaxWords,
				Edited: *r.Created || r.EditedAt != nil || r.Editor != nil}
		}
		if !reviews.PageInfo.HasNextPage {
			return all, nil
		}
		if next := reviews.PageInfo.EndCursor; next == "" || next == variables["after"] {
			return nil, fmt.Errorf("read what the reviews say: the list of pages runs in a circle")
		}
		variables["after"] = reviews.PageInfo.EndCursor
	}
}

// beginning is the first bytes of a text, as whole characters.
func beginning(text string) string {
	end := min(len(text), policies.MaxWords)
	for end < len(text) && end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}
