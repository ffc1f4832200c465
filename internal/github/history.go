package github

import (
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
// is then the last commit that touched path. When one pull request was merged by the merge of another,
// both claim the path, and the one that GitHub ties to that merge commit is returned (R46). Whether
// the merge commit lies on the first-parent chain of the branch is for the caller, who has its
// history.
func (c *Client) Introduced(ctx context.Context, path, tip string) (number int, commit string,
	err error) {
	p, commit, err := c.changedBy(ctx, path, tip, true)
	return p.number, commit, err
}

// RemovedBy finds who removed path from the default branch: the author of the pull request whose
// merge did, as whom an author without an account has only that number. Nobody when GitHub knows of
// none: it was a direct push, or GitHub is late.
func (c *Client) RemovedBy(ctx context.Context, path, tip string) (requests.Person, error) {
	p, _, err := c.changedBy(ctx, path, tip, false)
	return p.by(), err
}

// MergedBy finds who changed the default branch by the commit: the author of the pull request that
// was merged as it. Nobody as of RemovedBy.
func (c *Client) MergedBy(ctx context.Context, commit string) (requests.Person, error) {
	repository, err := c.repository(ctx)
	if err != nil {
		return requests.Person{}, err
	}
	pulls, err := c.mergedAs(ctx, repository, commit)
	if err != nil || len(pulls) == 0 {
		return requests.Person{}, err
	}
	return pulls[0].by(), nil
}

// changedBy finds the pull request whose merge made path appear, or disappear.
func (c *Client) changedBy(ctx context.Context, path, tip string, appears bool) (listed,
	string, error) {
	ctx = reads(ctx, c.byREST)
	if err := c.readHistory(ctx, tip, []string{path}); err != nil {
		return listed{}, "", err
	}
	repository, err := c.repository(ctx)
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
	pulls, err := c.mergesOf(ctx, repository, last)
	if err != nil {
		return listed{}, "", err
	}
	p, err := c.didMerge(ctx, pulls, path, appears)
	if err == nil && p.number == 0 {
		pulls, err = c.mergedLately(ctx, repository, func(m merge) bool {
			return m.commit == last || m.touches(path)
		})
	}
	if err == nil && p.number == 0 {
		p, err = c.didMerge(ctx, pulls, path, appears)
	}
	if err != nil || p.number == 0 {
		return listed{}, last, err
	}
	return p, p.mergeAt, nil
}

// didMerge is the first of the pull requests whose merge made path appear, or disappear; the zero
// one when none did. Anybody may have an open one with the head of another: once that is merged, GitHub
// calls both merged.
func (c *Client) didMerge(ctx context.Context, pulls []listed, path string, appears bool) (listed,
	error) {
	var did []listed
	for _, p := range pulls {
		made, err := c.merged(ctx, p.mergeAt, path, appears)
		if err != nil {
			return listed{}, err
		}
		if made {
			did = append(did, p)
		}
	}
	isOwnHead := func(p listed) bool { return p.mergeAt == p.head } // which no merge or squash is
	if slices.ContainsFunc(did, func(p listed) bool { return !isOwnHead(p) }) {
		did = slices.DeleteFunc(did, isOwnHead)
	}
	if len(did) == 0 {
		return listed{}, nil
	}
	first := did[0]
	return c.oneOf(ctx, slices.DeleteFunc(did, func(p listed) bool { return p.mergeAt != first.mergeAt }))
}

// oneOf is the one of those merged as the same commit that GitHub ties to it; the zero one as long as
// it tells of none, which it can be late to do.
func (c *Client) oneOf(ctx context.Context, same []listed) (listed, error) {
	if len(same) == 1 {
		return same[0], nil
	}
	tied, err := c.pullsOf(ctx, same[0].mergeAt)
	for _, p := range same {
		if slices.ContainsFunc(tied, func(t listed) bool { return t.number == p.number }) {
			return p, err
		}
	}
	return listed{}, err
}

// lastTouched is the last commit before tip that touched path, empty when none did. GitHub walks
// the history as git log does: of a merge that took a file over as it was, it names the commit
// that was merged.
func (c *Client) lastTouched(ctx context.Context, path, tip string) (string, error) {
	return once(ctx, touched(path, tip), func() (string, error) {
		return c.readLastTouched(ctx, path, tip)
	})
}

func (c *Client) readLastTouched(ctx context.Context, path, tip string) (string, error) {
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
	tip, paths, ok := decided(f)
	if !ok {
		return nil
	}
	changes, err := gather(ctx, paths, func(ctx context.Context, path string) (policies.Change,
		error) {
		return c.changed(ctx, f, path, tip)
	})
	if err == nil {
		f.Changes = append(f.Changes, changes...)
	}
	return err
}

// decided are the files that the approvers of a request go by, and the commit before which they must
// not have changed since.
func decided(f *policies.Facts) (tip string, paths []string, ok bool) {
	kind, path, _ := policies.KindOf(f.Files)
	if kind != policies.KindRequest {
		return "", nil, false
	}
	tip, paths = f.Base.Commit, f.Base.Dated(path)
	if f.Merge != nil {
		tip, paths = f.Merge.FirstParent.Commit, append(paths,
			f.Merge.FirstParent.Dated(path)...)
	}
	slices.Sort(paths)
	return tip, slices.Compact(paths), true
}

// changed finds when path changed last before tip.
func (c *Client) changed(ctx context.Context, f *policies.Facts, path, tip string) (
	policies.Change, error) {
	change := policies.Change{Path: path}
	last, err := c.lastTouched(ctx, path, tip)
	if err != nil {
		return change, err
	}
	pulls, err := c.changing(ctx, f, last, path)
	for _, p := range pulls {
		if change.MergedAt == nil || change.MergedAt.Before(p.mergedAt.Time) {
			change.PullRequest, change.MergedAt = p.number, &p.mergedAt
		}
	}
	return change, err
}

// changing lists the merged pull requests behind the last change of path, as far as it was made
// before the merge of f. None are behind a commit without parents, and behind no commit.
func (c *Client) changing(ctx context.Context, f *policies.Facts, last, path string) ([]listed,
	error) {
	if last == "" {
		return nil, nil
	}
	pulls, err := c.mergesOf(ctx, f.Repository, last)
	if err != nil || len(pulls) > 0 {
		return pulls, err
	}
	if commit, err := c.commit(ctx, last); err != nil || len(commit.parents) == 0 {
		return nil, err
	}
	pulls, err = c.mergedLately(ctx, f.Repository, func(m merge) bool {
		return m.commit == last || m.touches(path)
	})
	return slices.DeleteFunc(pulls, func(p listed) bool {
		return f.Merge != nil && p.mergedAt.After(f.PullRequest.MergedAt.Time)
	}), err
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
	repository, err := c.repository(ctx)
	if err != nil {
		return 0, err
	}
	pulls, err := c.mergedAs(ctx, repository, commit)
	if err != nil || len(pulls) == 0 {
		return 0, err
	}
	return pulls[0].number, nil
}
