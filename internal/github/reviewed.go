package github

import (
	"context"
	"fmt"

	"github.com/pullgrant/pullgrant/policies"
)

// Reviewed reads a pull request and its reviews, without what its people may do now: enough to hold
// a record of the past against it, also when they have left since.
func (c *Client) Reviewed(ctx context.Context, number int) (policies.PullRequest,
	[]policies.Review, error) {
	p, err := c.pull(ctx, number)
	if err != nil {
		return policies.PullRequest{}, nil, fmt.Errorf("read %s/%s#%d: %w", c.owner, c.repo,
			number, err)
	}
	var f policies.Facts
	if err := c.readReviews(ctx, &f, p); err != nil {
		return policies.PullRequest{}, nil, fmt.Errorf("read %s/%s#%d: %w", c.owner, c.repo,
			number, err)
	}
	return p.PullRequest, f.Reviews, nil
}
