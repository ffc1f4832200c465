package github

import (
	"context"
	"strings"

	"github.com/google/go-github/v60/github"
)

// maxComment bounds a comment, in characters of its UTF-8 form; GitHub refuses longer ones.
const maxComment = 65536

// Comment writes the one comment on a pull request that begins with marker, in place when it is
// there already and is author's; somebody else's with the same beginning is left alone. author is
// the login of the account behind the token, of an App its slug and [bot]. It reports whether
// anything was written: a comment that says the same already is not touched. An answer that lacks
// whose a comment is, or what it says, is an error: the comment may be there.
func (c *Client) Comment(ctx context.Context, number int, author, marker,
	body string) (written bool,
	err error) {
	const permission = "Pull requests: write"
	body = cut(marker+"\n"+body, maxComment)
	found, err := pages(func(o github.ListOptions) ([]*github.IssueComment,
		*github.Response, error) {
		return c.api.Issues.ListComments(ctx, c.owner, c.repo, number,
			&github.IssueListCommentsOptions{ListOptions: o})
	})
	if err != nil {
		return false, c.explain(err, "Pull requests: read", "list the comments on #%d", number)
	}
	for _, comment := range found {
		mine := author != "" && comment.GetUser().GetLogin() == author
		if mine && comment.Body == nil || comment.GetUser().GetLogin() == "" &&
			strings.HasPrefix(comment.GetBody(), marker) { // it may be this one, and there is to be no other
			return false, c.incomplete("the comments on #%d", number)
		}
		if !mine || !strings.HasPrefix(comment.GetBody(), marker) {
			continue
		}
		if comment.GetID() == 0 {
			return false, c.incomplete("the comments on #%d", number)
		}
		if comment.GetBody() == body {
			return false, nil
		}
		_, _, err := c.api.Issues.EditComment(ctx, c.owner, c.repo, comment.GetID(),
			&github.IssueComment{Body: &body})
		if err != nil {
			return false, c.explain(err, permission, "change the comment on #%d", number)
		}
		return true, nil
	}
	if _, _, err := c.api.Issues.CreateComment(ctx, c.owner, c.repo, number,
		&github.IssueComment{Body: &body}); err != nil {
		return false, c.explain(err, permission, "comment on #%d", number)
	}
	return true, nil
}

// Self is the login of the account behind the token, of an App with [bot] at its end. Only GraphQL
// tells it to Apps too.
func (c *Client) Self(ctx context.Context) (string, error) {
	var answer struct {
		Viewer struct {
			Login string `json:"login"`
		} `json:"viewer"`
	}
	err := c.query(reading(ctx), "query { viewer { login } }", nil, &answer)
	if err != nil {
		return "", c.explain(err, "none beside being valid", "read whose token it is")
	}
	if answer.Viewer.Login == "" {
		return "", c.incomplete("whose token it is")
	}
	return answer.Viewer.Login, nil
}
