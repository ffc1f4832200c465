package github

import (
	"cmp"
	"context"
	"slices"

	"github.com/google/go-github/v60/github"

	"github.com/pullgrant/pullgrant/policies"
)

// merge is a merged pull request as far as it takes to find it.
type merge struct {
	number int
	commit string   // as which it was merged
	files  []string // that it changed
	more   bool     // it changed more of them
}

func (m merge) touches(path string) bool { return m.more || slices.Contains(m.files, path) }

const mergedQuery = `query($owner: String!, $repo: String!) {
  repository(owner: $owner, name: $repo) {
    pullRequests(states: MERGED, orderBy: {field: UPDATED_AT, direction: DESC}, first: 100) {
      nodes { number mergeCommit { oid } files(first: 100) { totalCount nodes { path } } }
    }
  }
}`

// oid is a git object as GraphQL names it; nil when there is none.
type oid *struct {
	OID string `json:"oid"`
}

// recentlyMerged lists the hundred merged pull requests that were updated last. A merge is in it at
// once, while the list of a commit's pull requests can lack it for minutes (docs/github.md).
func (c *Client) recentlyMerged(ctx context.Context) ([]merge, error) {
	var answer struct {
		Repository *struct {
			PullRequests struct {
				Nodes []struct {
					Number      int `json:"number"`
					MergeCommit oid `json:"mergeCommit"`
					Files       *struct {
						TotalCount int `json:"totalCount"`
						Nodes      []struct {
							Path string `json:"path"`
						} `json:"nodes"`
					} `json:"files"`
				} `json:"nodes"`
			} `json:"pullRequests"`
		} `json:"repository"`
	}
	err := c.query(reading(ctx), mergedQuery, map[string]any{"owner": c.owner, "repo": c.repo},
		&answer)
	if err != nil {
		return nil, c.explain(err, "Pull requests: read", "list the merged pull requests")
	}
	if answer.Repository == nil || answer.Repository.PullRequests.Nodes == nil {
		return nil, c.incomplete("the merged pull requests")
	}
	var all []merge
	for _, node := range answer.Repository.PullRequests.Nodes {
		if node.Number == 0 {
			return nil, c.incomplete("the merged pull requests")
		}
		m := merge{number: node.Number, more: node.Files == nil}
		if node.MergeCommit != nil {
			m.commit = node.MergeCommit.OID
		}
		if node.Files != nil {
			m.more = node.Files.TotalCount > len(node.Files.Nodes)
			for _, f := range node.Files.Nodes {
				m.files = append(m.files, f.Path)
			}
		}
		all = append(all, m)
	}
	return all, nil
}

// mergesOf lists the pull requests that were merged into the default branch and that GitHub ties to
// a commit; the oldest first.
func (c *Client) mergesOf(ctx context.Context, r policies.Repository, commit string) ([]listed,
	error) {
	found, err := c.pullsOf(ctx, commit)
	found = slices.DeleteFunc(found, func(p listed) bool { return !p.mergedInto(r) })
	slices.SortFunc(found, func(a, b listed) int { return cmp.Compare(a.number, b.number) })
	return found, err
}

// mergedLately is the second way, for when that tells of none: those of the merges to look for that
// are among recent ones, the latest first.
func (c *Client) mergedLately(ctx context.Context, r policies.Repository,
	wanted func(merge) bool) ([]listed, error) {
	recent, err := c.recentlyMerged(ctx)
	if err != nil {
		return nil, err
	}
	var found []listed
	for _, m := range recent {
		if !wanted(m) {
			continue
		}
		whole, _, err := c.api.PullRequests.Get(ctx, c.owner, c.repo, m.number)
		if err != nil {
			return nil, c.explain(err, "Pull requests: read", "read the pull request #%d", m.number)
		}
		p, err := c.list(ctx, whole)
		if err != nil {
			return nil, err
		}
		if p.mergedInto(r) {
			found = append(found, p)
		}
	}
	slices.SortFunc(found, func(a, b listed) int {
		return cmp.Or(b.mergedAt.Compare(a.mergedAt.Time), cmp.Compare(a.number, b.number))
	})
	return found, nil
}

// mergedAs lists the pull requests merged into the default branch as exactly a commit, by the one
// way or else by the other; the oldest first.
func (c *Client) mergedAs(ctx context.Context, r policies.Repository, commit string) ([]listed,
	error) {
	found, err := c.mergesOf(ctx, r, commit)
	found = slices.DeleteFunc(found, func(p listed) bool { return p.mergeAt != commit })
	if err != nil || len(found) > 0 {
		return found, err
	}
	return c.mergedLately(ctx, r, func(m merge) bool { return m.commit == commit })
}

const mergeCommitQuery = `query($owner: String!, $repo: String!, $number: Int!) {
  repository(owner: $owner, name: $repo) { pullRequest(number: $number) { mergeCommit { oid } } }
}`

// mergeCommit tells as which commit a pull request was merged; empty when it was not. The REST
// version of 2026-03-10 has no field for it any more, GraphQL has
// (https://docs.github.com/rest/about-the-rest-api/breaking-changes).
func (c *Client) mergeCommit(ctx context.Context, p *github.PullRequest) (string, error) {
	if p.GetMergedAt().IsZero() {
		return "", nil
	}
	commit := p.GetMergeCommitSHA()
	if commit == "" {
		var answer struct {
			Repository *struct {
				PullRequest *struct {
					MergeCommit oid `json:"mergeCommit"`
				} `json:"pullRequest"`
			} `json:"repository"`
		}
		err := c.query(reading(ctx), mergeCommitQuery, map[string]any{"owner": c.owner,
			"repo": c.repo, "number": p.GetNumber()}, &answer)
		if err != nil {
			return "", c.explain(err, "Pull requests: read", "read the merge of the pull request")
		}
		if r := answer.Repository; r != nil && r.PullRequest != nil &&
			r.PullRequest.MergeCommit != nil {
			commit = r.PullRequest.MergeCommit.OID
		}
	}
	if !isName(commit) {
		return "", c.incomplete("the merge of the pull request")
	}
	return commit, nil
}
