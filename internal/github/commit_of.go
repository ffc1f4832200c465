package github

import (
	"context"
	"strings"

	"github.com/google/go-github/v60/github"

	"github.com/pullgrant/pullgrant/requests"
)

// CommitOf is the full name of the commit that a tag, a branch or the first digits of a commit stand
// for now. Where these are digits, what GitHub answers must begin with them.
func (c *Client) CommitOf(ctx context.Context, ref string) (string, error) {
	found, _, err := c.api.Repositories.GetCommit(ctx, c.owner, c.repo, ref,
		&github.ListOptions{PerPage: 1}) // of its files, which are not wanted
	if err != nil {
		return "", c.explain(err, "Contents: read", "look up the commit %s", requests.Quote(ref))
	}
	name := found.GetSHA()
	if digits := strings.Trim(ref, "0123456789abcdef") == ""; !isName(name) ||
		digits && !strings.HasPrefix(name, ref) {
		return "", c.incomplete("the commit %s", requests.Quote(ref))
	}
	return name, nil
}
