package github

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/google/go-github/v60/github"
)

// Issue is an issue to open, known again by the marker at the beginning of its body.
type Issue struct {
	Marker string // of one line, unlike that of any other issue
	Title  string
	Body   string
}

// issuesWrite is what the agent's App needs for issues that are no pull requests.
const issuesWrite = "Issues: write"

// OpenIssue opens an issue, unless author, the account behind the token, has opened it before: after a
// crash it is found again by its marker, whatever has become of it since. from is a moment before
// which it cannot have been opened.
func (c *Client) OpenIssue(ctx context.Context, author string, from time.Time, issue Issue) (number int,
	err error) {
	body := cut(issue.Marker+"\n"+issue.Body, maxComment)
	found, err := pages(func(o github.ListOptions) ([]*github.Issue, *github.Response, error) {
		return c.api.Issues.ListByRepo(ctx, c.owner, c.repo, &github.IssueListByRepoOptions{
			Creator: author, State: "all", Sort: "created", Direction: "desc", Since: from, ListOptions: o})
	})
	if err != nil {
		return 0, c.explain(err, issuesWrite, "look for the issue of what is owed")
	}
	for _, i := range found {
		if i.GetUser().GetLogin() == author && !i.IsPullRequest() && i.GetNumber() != 0 &&
			strings.HasPrefix(i.GetBody(), issue.Marker+"\n") {
			return i.GetNumber(), nil
		}
	}
	made, _, err := c.api.Issues.Create(ctx, c.owner, c.repo,
		&github.IssueRequest{Title: &issue.Title, Body: &body})
	if err != nil {
		return 0, c.explain(err, issuesWrite, "open an issue for what is owed")
	}
	if made.GetNumber() == 0 {
		return 0, c.incomplete("the issue that was opened")
	}
	return made.GetNumber(), nil
}

// CommentIssue writes a comment on an issue, as Comment does on a pull request. One that is gone, was
// transferred or cannot be changed by anybody is left: whatever stands in GitHub's list decides nothing.
func (c *Client) CommentIssue(ctx context.Context, number int, author, marker, text string) error {
	if _, err := c.Comment(ctx, number, author, marker, text); err != nil && !isGone(err) {
		return err
	}
	return nil
}

// CloseIssue writes a comment on an issue, as CommentIssue does, and closes it.
func (c *Client) CloseIssue(ctx context.Context, number int, author, marker, text string) error {
	if err := c.CommentIssue(ctx, number, author, marker, text); err != nil {
		return err
	}
	_, _, err := c.api.Issues.Edit(ctx, c.owner, c.repo, number, &github.IssueRequest{
		State: github.String("closed"), StateReason: github.String("completed")})
	if err != nil && !isGone(err) {
		return c.explain(err, issuesWrite, "close the issue #%d", number)
	}
	return nil
}

// isGone tells an answer about an issue that no later one will be unlike: it was deleted (410, or 404
// where that is not told), transferred (301), or the repository has issues no more.
// https://docs.github.com/rest/issues/issues#get-an-issue
func isGone(err error) bool {
	return is(err, http.StatusNotFound) || is(err, http.StatusGone) || is(err, http.StatusMovedPermanently)
}
