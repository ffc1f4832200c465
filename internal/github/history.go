package github

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/google/go-github/v60/github"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// Introduced finds the pull request, merged or squashed (R45), that brought path onto the default
// branch, looking back from the commit tip, and its merge commit: the one that has path while its
// first parent does not. number is 0 when no pull request did, so it was pushed directly; commit
// is then the last commit that touched path. When one pull request was merged inside another,
// both claim the path and the older is returned: the facts of either are refused (R46). Whether
// the merge commit lies on the first-parent chain of the branch is for the caller, who has its
// history.
func (c *Client) Introduced(ctx context.Context, path, tip string) (number int, commit string,
	err error) {
	p, commit, err := c.changedBy(ctx, path, tip, true)
	return p.number, commit, err
}

// RemovedBy finds the pull request whose merge removed path from the default branch, and its
// author; an author without an account is empty. Both are zero when path was removed by a direct
// push.
func (c *Client) RemovedBy(ctx context.Context, path, tip string) (login string, number int,
	err error) {
	p, _, err := c.changedBy(ctx, path, tip, false)
	return p.author.Login, p.number, err
}

// changedBy finds the pull request whose merge made path appear, or disappear.
func (c *Client) changedBy(ctx context.Context, path, tip string, appears bool) (listed,
	string, error) {
	repository, _, err := c.repository(ctx)
	if err != nil {
		return listed{}, "", err
	}
	last, err := c.lastTouched(ctx, path, tip)
	if err != nil {
		return listed{}, "", err
	}
	if last == "" {
		return listed{}, "", fmt.Errorf("find the last commit that touched %s: none did before "+
			"%s; try again", requests.Quote(path), tip)
	}
	pulls, err := c.pullsOf(ctx, last)
	if err != nil {
		return listed{}, "", err
	}
	slices.SortFunc(pulls, func(a, b listed) int { return cmp.Compare(a.number, b.number) })
	for _, p := range pulls {
		if !p.mergedInto(repository) {
			continue
		}
		did, err := c.merged(ctx, p.mergeAt, path, appears)
		if err != nil {
			return listed{}, "", err
		}
		if did {
			return p, p.mergeAt, nil
		}
	}
	return listed{}, last, nil
}

// lastTouched is the last commit before tip that touched path, empty when none did. GitHub walks
// the history as git log does: of a merge that took a file over as it was, it names the commit
// that was merged.
func (c *Client) lastTouched(ctx context.Context, path, tip string) (string, error) {
	found, _, err := c.api.Repositories.ListCommits(ctx, c.owner, c.repo,
		&github.CommitsListOptions{SHA: tip, Path: path, ListOptions: github.ListOptions{
			PerPage: 1}})
	if err != nil {
		return "", c.explain(err, "Contents: read", "find the last commit that touched %s",
			requests.Quote(path))
	}
	if len(found) == 0 {
		return "", nil
	}
	if !isName(found[0].GetSHA()) {
		return "", c.incomplete("the last commit that touched %s", requests.Quote(path))
	}
	return found[0].GetSHA(), nil
}

// readChanges finds when what the approvers of a request go by changed last, before the merge or
// before now (R56). When several pull requests brought the change, the latest merge counts.
func (c *Client) readChanges(ctx context.Context, f *policies.Facts, _ snapshot) error {
	kind, path, _ := policies.KindOf(f.Files)
	if kind != policies.KindRequest {
		return nil
	}
	tip, paths := f.Base.Commit, f.Base.Reviewed(path)
	if f.Merge != nil {
		tip, paths = f.Merge.FirstParent.Commit, append(paths,
			f.Merge.FirstParent.Reviewed(path)...)
	}
	slices.Sort(paths)
	for _, path := range slices.Compact(paths) {
		change := policies.Change{Path: path}
		last, err := c.lastTouched(ctx, path, tip)
		if err != nil {
			return err
		}
		var pulls []listed
		if last != "" {
			if pulls, err = c.pullsOf(ctx, last); err != nil {
				return err
			}
		}
		for _, p := range pulls {
			if p.mergedInto(f.Repository) && (change.MergedAt == nil ||
				change.MergedAt.Before(p.mergedAt.Time)) {
				change.PullRequest, change.MergedAt = p.number, &p.mergedAt
			}
		}
		f.Changes = append(f.Changes, change)
	}
	return nil
}

// merged tells whether path appears, or disappears, between a merge commit's first parent and the
// commit itself.
func (c *Client) merged(ctx context.Context, name, path string, appears bool) (bool, error) {
	merge, err := c.commit(ctx, name)
	if err != nil || len(merge.parents) == 0 {
		return false, err
	}
	_, before, err := c.entry(ctx, merge.parents[0], path)
	if err != nil {
		return false, err
	}
	_, after, err := c.entry(ctx, name, path)
	return before != after && after == appears, err
}

// MergedAs finds the pull request that was merged into the default branch as exactly this commit;
// 0 when there is none, so it was pushed directly. When GitHub tells of several, the oldest is
// returned: its facts are refused (R46).
func (c *Client) MergedAs(ctx context.Context, commit string) (number int, err error) {
	repository, _, err := c.repository(ctx)
	if err != nil {
		return 0, err
	}
	pulls, err := c.pullsOf(ctx, commit)
	if err != nil {
		return 0, err
	}
	for _, p := range pulls {
		if p.mergedInto(repository) && p.mergeAt == commit && (number == 0 || p.number < number) {
			number = p.number
		}
	}
	return number, nil
}
