package github

import (
	"context"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// OpenRequest is an open pull request that asks for access.
type OpenRequest struct {
	Number int
	Path   string // of the request
	Author policies.User
	Asked  []string // for a review and have not answered: logins and org/teams
}

// OpenRequests lists the open pull requests that ask for access, oldest first. It asks GitHub once
// for each open pull request: only its files tell what it is about.
func (c *Client) OpenRequests(ctx context.Context) ([]OpenRequest, error) {
	open, err := c.openPulls(ctx)
	if err != nil {
		return nil, err
	}
	files, err := gather(ctx, open, func(ctx context.Context, p listed) ([]policies.File, error) {
		return c.filesOf(ctx, p.number)
	})
	if err != nil {
		return nil, err
	}
	var found []OpenRequest
	for n, p := range open {
		kind, path, _ := policies.KindOf(files[n])
		if _, ok := requests.SplitPath(path); ok && kind == policies.KindRequest {
			found = append(found, OpenRequest{p.number, path, p.author, p.asked})
		}
	}
	return found, nil
}
