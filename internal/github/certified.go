package github

import (
	"context"
	"fmt"

	"github.com/pullgrant/pullgrant/policies"
)

// Changed tells when each of paths changed last before a commit of the default branch, and by which
// merged pull request, as facts tell it of what decides.
func (c *Client) Changed(ctx context.Context, tip string, paths []string) ([]policies.Change, error) {
	ctx = reads(ctx, c.byREST)
	if err := c.readHistory(ctx, tip, paths); err != nil {
		return nil, err
	}
	repository, err := c.repository(ctx)
	if err != nil {
		return nil, err
	}
	f := policies.Facts{Repository: repository}
	changes, err := gather(ctx, paths, func(ctx context.Context, path string) (policies.Change, error) {
		return c.changed(ctx, &f, path, tip)
	})
	if err != nil {
		return nil, err
	}
	return changes, nil
}

// PullsChanging are the open pull requests that add or change files at wanted paths: the oldest by
// path. It asks GitHub once for each open pull request.
func (c *Client) PullsChanging(ctx context.Context, wanted func(path string) bool) (
	map[string]int, error) {
	open, err := c.OpenPulls(ctx)
	if err != nil {
		return nil, err
	}
	found := map[string]int{}
	for _, p := range open {
		files, err := c.filesOf(ctx, p.Number)
		if err != nil {
			return nil, fmt.Errorf("read %s/%s#%d: %w", c.owner, c.repo, p.Number, err)
		}
		for _, f := range files {
			if _, older := found[f.Path]; !older && f.Status != "removed" && wanted(f.Path) {
				found[f.Path] = p.Number
			}
		}
	}
	return found, nil
}
