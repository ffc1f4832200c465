package github

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/go-github/v60/github"

	"github.com/pullgrant/pullgrant/policies"
)

// errListed is errMoved where the list of open pull requests shows it otherwise.
var errListed = fmt.Errorf("%w", errMoved)

// Withdrawal reads a pull request that a list shows as open; it is nil when that does anything but
// withdraw one request from the default branch. An error is a pull request that could not be read
// as the list shows it, at one moment.
func (c *Client) Withdrawal(ctx context.Context, listed OpenPull) (*policies.Withdrawal, error) {
	withdrawal, err := c.withdrawal(ctx, listed)
	// A comment, which may be the agent's own, is a change too. What the list shows otherwise is for
	// the next list.
	for reading := 1; reading < maxReadings && errors.Is(err, errMoved) &&
		!errors.Is(err, errListed); reading++ {
		withdrawal, err = c.withdrawal(ctx, listed)
	}
	if err != nil {
		return nil, fmt.Errorf("look at %s/%s#%d: %w", c.owner, c.repo, listed.Number, err)
	}
	return withdrawal, nil
}

func (c *Client) withdrawal(ctx context.Context, listed OpenPull) (*policies.Withdrawal, error) {
	number := listed.Number
	p, err := c.pull(ctx, number)
	if err != nil {
		return nil, err
	}
	if p.HeadSHA != listed.HeadSHA || p.BaseRef != listed.BaseRef || p.Draft != listed.Draft {
		return nil, errListed
	}
	// Most do more than remove one file, and this call was the only one.
	if p.files != 1 || p.additions > 0 || p.State != "open" || p.Draft {
		return nil, nil
	}
	repository, err := c.repository(ctx)
	if err != nil {
		return nil, err
	}
	var f policies.Facts
	if err := c.readFiles(ctx, &f, p); err != nil {
		return nil, err
	}
	after, err := c.pull(ctx, number)
	if err != nil {
		return nil, err
	}
	if !after.same(p) {
		return nil, errMoved
	}
	kind, path, _ := policies.KindOf(f.Files)
	if kind != policies.KindWithdrawal || p.BaseRepoID != repository.ID ||
		p.BaseRef != repository.DefaultBranch {
		return nil, nil
	}
	return &policies.Withdrawal{PullRequest: number, Author: p.Author, Path: path}, nil
}

// Withdrawing lists the withdrawals that an account has open, by number of the account, oldest
// first. It asks GitHub more for each pull request that the account has open, and for no other.
func (c *Client) Withdrawing(ctx context.Context, account int64) (all []policies.Withdrawal,
	err error) {
	open, err := c.OpenPulls(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range open {
		if p.Author.ID != account {
			continue
		}
		w, err := c.Withdrawal(ctx, p)
		if err != nil {
			return nil, err
		}
		if w != nil {
			all = append(all, *w)
		}
	}
	return all, nil
}

// Close closes a pull request without merging it; one that is closed stays so.
func (c *Client) Close(ctx context.Context, number int) error {
	closed, _, err := c.api.PullRequests.Edit(ctx, c.owner, c.repo, number,
		&github.PullRequest{State: github.String("closed")})
	if err != nil {
		return c.explain(err, "Pull requests: write", "close #%d", number)
	}
	if closed.GetState() != "closed" {
		return c.incomplete("the closed pull request #%d", number)
	}
	return nil
}
