package github

import (
	"context"

	"github.com/google/go-github/v60/github"
)

// OpenPulls lists the open pull requests of the repository, oldest first.
func (c *Client) OpenPulls(ctx context.Context) ([]int, error) {
	found, err := pages(func(o github.ListOptions) ([]*github.PullRequest, *github.Response, error) {
		return c.api.PullRequests.List(ctx, c.owner, c.repo,
			&github.PullRequestListOptions{State: "open", Sort: "created", Direction: "asc", ListOptions: o})
	})
	if err != nil {
		return nil, c.explain(err, "Pull requests: read", "list the open pull requests")
	}
	var numbers []int
	for _, f := range found {
		if f.GetNumber() == 0 {
			return nil, c.incomplete("the open pull requests")
		}
		numbers = append(numbers, f.GetNumber())
	}
	return numbers, nil
}
