package github

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/go-github/v60/github"

	"github.com/pullgrant/pullgrant/policies"
)

// Supposing is f as it would be with one more review, by a person: with what they may do now and the
// answers that judging then asks for. f stays as it is.
func (c *Client) Supposing(ctx context.Context, f policies.Facts,
	r policies.Review) (policies.Facts, error) {
	ctx = reads(ctx, c.byREST)
	f.Reviews = append(slices.Clone(f.Reviews), r)
	f.Users, f.Answers = maps.Clone(f.Users), maps.Clone(f.Answers)
	user, err := c.userFacts(ctx, f.Repository, r.User)
	if err != nil {
		return f, fmt.Errorf("tell what your review would come to: %w", err)
	}
	f.Users[strings.ToLower(r.User.Login)] = user
	if err := c.answer(ctx, &f, questions(f)); err != nil {
		return f, fmt.Errorf("tell what your review would come to: %w", err)
	}
	return f, nil
}

// Review submits a review of a pull request's head as the token's user and returns its page. event is
// APPROVE or REQUEST_CHANGES, which needs a text. GitHub ties the review to the commit head, whatever
// was pushed meanwhile.
func (c *Client) Review(ctx context.Context, number int, head, event, text string) (string, error) {
	made, _, err := c.api.PullRequests.CreateReview(ctx, c.owner, c.repo, number,
		&github.PullRequestReviewRequest{CommitID: &head, Event: &event, Body: &text})
	if err != nil {
		return "", c.explain(err, "Pull requests: write", "submit the review of #%d", number)
	}
	if made.GetCommitID() != head || made.GetHTMLURL() == "" {
		return "", c.incomplete("the new review of #%d", number)
	}
	return made.GetHTMLURL(), nil
}
