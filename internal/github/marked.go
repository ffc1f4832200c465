package github

import (
	"context"
	"net/http"

	"github.com/google/go-github/v60/github"
)

// told is the reaction by which an account marks what it told channels of: of each kind it has one,
// GitHub says whether it is new, and nobody else can make it.
// https://docs.github.com/rest/reactions/reactions
const told = "eyes"

// MarkTold marks a pull request with 👀; first tells that the account had not before. Of several who
// mark at a time, one is first.
func (c *Client) MarkTold(ctx context.Context, number int) (first bool, err error) {
	_, answer, err := c.api.Reactions.CreateIssueReaction(ctx, c.owner, c.repo, number, told)
	return c.marked(answer, err, "#%d", number)
}

// MarkEscalationTold is MarkTold for a comment.
func (c *Client) MarkEscalationTold(ctx context.Context, comment int64) (first bool, err error) {
	_, answer, err := c.api.Reactions.CreateIssueCommentReaction(ctx, c.owner, c.repo, comment, told)
	return c.marked(answer, err, "the comment %d", comment)
}

func (c *Client) marked(answer *github.Response, err error, what string, args ...any) (bool, error) {
	if err != nil {
		return false, c.explain(err, "Pull requests: write", "mark "+what+" as told", args...)
	}
	return answer.StatusCode == http.StatusCreated, nil
}
