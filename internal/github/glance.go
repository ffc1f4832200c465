package github

import (
	"context"
	"time"
)

// Glance is what tells that something may have happened to a pull request.
type Glance struct {
	UpdatedAt time.Time // by GitHub's clock
	HeadSHA   string
	State     string // open or closed
	Merged    bool
	Said      string // by the agent, as of AgentSaid; only once it is merged
}

// Glance looks whether anything happened to a pull request. What is as it was at the last glance
// costs nothing of the rate limit. What the agent says is asked for where app, the number of its
// App, is not 0.
func (c *Client) Glance(ctx context.Context, number int, app int64) (Glance, error) {
	ctx = keeping(ctx)
	found, _, err := c.api.PullRequests.Get(ctx, c.owner, c.repo, number)
	if err != nil {
		return Glance{}, c.explain(err, "Pull requests: read", "read the pull request #%d", number)
	}
	g := Glance{UpdatedAt: found.GetUpdatedAt().Time, HeadSHA: found.GetHead().GetSHA(),
		State: found.GetState(), Merged: found.GetMerged()}
	if g.UpdatedAt.IsZero() || g.State == "" || !isName(g.HeadSHA) || found.Merged == nil {
		return Glance{}, c.incomplete("the pull request #%d", number)
	}
	if g.Merged && app != 0 {
		g.Said, err = c.AgentSaid(ctx, number, app)
	}
	return g, err
}
