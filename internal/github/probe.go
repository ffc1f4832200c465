package github

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/pullgrant/pullgrant/policies"
)

// Merged is a pull request that was merged into the default branch, and what GitHub tells of it
// afterwards.
type Merged struct {
	Number     int
	Head       string // commit
	At         time.Time
	BranchGone bool
	Activity   bool // who pushed its head is told by the name of the branch
	Associated bool // the merge is among the pull requests of its commit
}

// Probe looks at the pull requests merged last, a few at most, for what a judgement of them would
// rest on. Those of other repositories, of which nothing would be told, are left out.
func (c *Client) Probe(ctx context.Context, most int) (all []Merged, err error) {
	repository, err := c.repository(ctx)
	if err != nil {
		return nil, err
	}
	seen, closed := 0, github.PullRequestListOptions{State: "closed", Sort: "updated",
		Direction: "desc"}
	recent, err := pagesUntil(func(page []*github.PullRequest) bool {
		seen += len(page)
		return seen >= 100
	}, func(o github.ListOptions) ([]*github.PullRequest, *github.Response, error) {
		closed.ListOptions = o
		return c.api.PullRequests.List(ctx, c.owner, c.repo, &closed)
	})
	if err != nil {
		return nil, c.explain(err, "Pull requests: read", "list the pull requests closed last")
	}
	for _, pull := range recent {
		p, err := c.list(ctx, pull)
		switch {
		case err != nil:
			return nil, err
		case len(all) == most:
			return all, nil
		case !p.mergedInto(repository) || pull.GetHead().GetRepo().GetID() != repository.ID:
			continue
		}
		m := Merged{Number: p.number, Head: p.head, At: p.mergedAt.Time}
		if err := c.probe(ctx, repository, p, pull.GetHead().GetRef(), &m); err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}

func (c *Client) probe(ctx context.Context, repository policies.Repository, p listed, branch string,
	m *Merged) error {
	pushes, err := c.pushesTo(ctx, branch, true)
	if err != nil {
		return err
	}
	m.Activity = slices.ContainsFunc(pushes, func(push policies.Push) bool {
		return push.After == p.head
	})
	ties, err := c.mergesOf(ctx, repository, p.mergeAt)
	if err != nil {
		return err
	}
	m.Associated = slices.ContainsFunc(ties, func(t listed) bool { return t.number == p.number })
	m.BranchGone, err = c.isGone(ctx, branch)
	return err
}

// isGone tells whether there is no branch of that name any more.
func (c *Client) isGone(ctx context.Context, branch string) (bool, error) {
	refs, _, err := c.api.Git.ListMatchingRefs(ctx, c.owner, c.repo,
		&github.ReferenceListOptions{Ref: "heads/" + branch})
	if err != nil {
		return false, c.explain(err, "Contents: read", "look for the branch of a pull request")
	}
	return !slices.ContainsFunc(refs, func(r *github.Reference) bool {
		return r.GetRef() == "refs/heads/"+branch
	}), nil
}

// permissionsOf are those of an App by name.
func permissionsOf(app *github.App) (given map[string]string, err error) {
	data, err := json.Marshal(app.GetPermissions())
	if err == nil {
		err = json.Unmarshal(data, &given)
	}
	return given, err
}
