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

// listed is a pull request as lists show it.
type listed struct {
	number              int
	author              policies.User
	head, base, mergeAt string // mergeAt: the merge commit; of an open one GitHub's trial merge
	baseID              int64
	draft, open         bool
	merged              bool
	mergedAt            requests.Time
}

// mergedInto tells whether the pull request was merged into the repository's default branch.
func (p listed) mergedInto(r policies.Repository) bool {
	return p.merged && p.baseID == r.ID && p.base == r.DefaultBranch
}

// pullsOf lists the pull requests GitHub ties to a commit: the merged one that introduced it, or, for a commit outside
// the default branch, every one that holds it (R44).
func (c *Client) pullsOf(ctx context.Context, commit string) ([]listed, error) {
	if !isName(commit) {
		return nil, fmt.Errorf("list the pull requests of commit %s: it must be 40 hexadecimal digits", requests.Quote(commit))
	}
	found, err := pages(func(o github.ListOptions) ([]*github.PullRequest, *github.Response, error) {
		return c.api.PullRequests.ListPullRequestsWithCommit(ctx, c.owner, c.repo, commit, &o)
	})
	if err != nil {
		return nil, c.explain(err, "Pull requests: read", "list the pull requests of commit %s", commit)
	}
	var all []listed
	for _, f := range found {
		p, err := c.list(f)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// list converts a pull request of a list, which lacks some of what a single one has.
func (c *Client) list(f *github.PullRequest) (listed, error) {
	author, err := c.user(f.User, "the author of a pull request")
	p := listed{number: f.GetNumber(), author: author, head: f.GetHead().GetSHA(), base: f.GetBase().GetRef(), mergeAt: f.GetMergeCommitSHA(),
		baseID: f.GetBase().GetRepo().GetID(), draft: f.GetDraft(), open: f.GetState() == "open", merged: !f.GetMergedAt().IsZero(),
		mergedAt: requests.At(f.GetMergedAt().Time)}
	if err == nil && (p.number == 0 || !isName(p.head) || p.base == "" || p.baseID == 0 || f.GetState() == "" || p.merged && !isName(p.mergeAt)) {
		err = c.incomplete("a list of pull requests")
	}
	return p, err
}

// OpenPull is an open pull request as lists show it.
type OpenPull struct {
	Number  int
	HeadSHA string
	BaseRef string
	Draft   bool
	Author  policies.User
}

func (p listed) openPull() OpenPull { return OpenPull{p.number, p.head, p.base, p.draft, p.author} }

// OpenPulls lists all open pull requests, oldest first: what must be judged again when the default branch has moved, and
// what may withdraw a request. A list that has not changed since the last call costs nothing of the rate limit.
func (c *Client) OpenPulls(ctx context.Context) ([]OpenPull, error) {
	ctx = keeping(ctx)
	found, err := pages(func(o github.ListOptions) ([]*github.PullRequest, *github.Response, error) {
		return c.api.PullRequests.List(ctx, c.owner, c.repo, &github.PullRequestListOptions{State: "open", Sort: "created", Direction: "asc", ListOptions: o})
	})
	if err != nil {
		return nil, c.explain(err, "Pull requests: read", "list the open pull requests")
	}
	var open []OpenPull
	for _, f := range found {
		p, err := c.list(f)
		if err != nil {
			return nil, err
		}
		open = append(open, p.openPull())
	}
	return open, nil
}

// PullsAdding lists the numbers of the open pull requests that add a file at a wanted path, oldest first. It asks GitHub once
// for each open pull request: only its files tell what it is about.
func (c *Client) PullsAdding(ctx context.Context, wanted func(path string) bool) ([]int, error) {
	open, err := c.OpenPulls(ctx)
	if err != nil {
		return nil, err
	}
	var numbers []int
	for _, p := range open {
		files, err := c.filesOf(ctx, p.Number)
		if err != nil {
			return nil, fmt.Errorf("read %s/%s#%d: %w", c.owner, c.repo, p.Number, err)
		}
		if slices.ContainsFunc(files, func(f policies.File) bool { return f.Status == "added" && wanted(f.Path) }) {
			numbers = append(numbers, p.Number)
		}
	}
	return numbers, nil
}

// PullsByHead lists the open pull requests of this repository whose head is the commit.
func (c *Client) PullsByHead(ctx context.Context, commit string) ([]OpenPull, error) {
	repository, _, err := c.repository(ctx)
	if err != nil {
		return nil, err
	}
	found, err := c.pullsOf(ctx, commit)
	if err != nil {
		return nil, err
	}
	var open []OpenPull
	for _, p := range found {
		if p.open && p.head == commit && p.baseID == repository.ID {
			open = append(open, p.openPull())
		}
	}
	return open, nil
}

// Introduced finds the pull request, merged or squashed (R45), that brought path onto the default branch, looking back
// from the commit tip,
// and its merge commit: the one that has path while its first parent does not. number is 0 when no pull request did, so
// it was pushed directly; commit is then the last commit that touched path. When one pull request was merged inside
// another, both claim the path and the older is returned: the facts of either are refused (R46). Whether the merge commit
// lies on the first-parent chain of the branch is for the caller, who has its history.
func (c *Client) Introduced(ctx context.Context, path, tip string) (number int, commit string, err error) {
	p, commit, err := c.changedBy(ctx, path, tip, true)
	return p.number, commit, err
}

// RemovedBy finds the pull request whose merge removed path from the default branch, and its author; an author without
// an account is empty. Both are zero when path was removed by a direct push.
func (c *Client) RemovedBy(ctx context.Context, path, tip string) (login string, number int, err error) {
	p, _, err := c.changedBy(ctx, path, tip, false)
	return p.author.Login, p.number, err
}

// changedBy finds the pull request whose merge made path appear, or disappear.
func (c *Client) changedBy(ctx context.Context, path, tip string, appears bool) (listed, string, error) {
	repository, _, err := c.repository(ctx)
	if err != nil {
		return listed{}, "", err
	}
	last, err := c.lastTouched(ctx, path, tip)
	if err != nil {
		return listed{}, "", err
	}
	if last == "" {
		return listed{}, "", fmt.Errorf("find the last commit that touched %s: none did before %s; try again", requests.Quote(path), tip)
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

// lastTouched is the last commit before tip that touched path, empty when none did. GitHub walks the history as git log
// does: of a merge that took a file over as it was, it names the commit that was merged.
func (c *Client) lastTouched(ctx context.Context, path, tip string) (string, error) {
	found, _, err := c.api.Repositories.ListCommits(ctx, c.owner, c.repo,
		&github.CommitsListOptions{SHA: tip, Path: path, ListOptions: github.ListOptions{PerPage: 1}})
	if err != nil {
		return "", c.explain(err, "Contents: read", "find the last commit that touched %s", requests.Quote(path))
	}
	if len(found) == 0 {
		return "", nil
	}
	if !isName(found[0].GetSHA()) {
		return "", c.incomplete("the last commit that touched %s", requests.Quote(path))
	}
	return found[0].GetSHA(), nil
}

// readChanges finds when what the approvers of a request go by changed last, before the merge or before now (R56). When
// several pull requests brought the change, the latest merge counts.
func (c *Client) readChanges(ctx context.Context, f *policies.Facts, _ snapshot) error {
	kind, path, _ := policies.KindOf(f.Files)
	if kind != policies.KindRequest {
		return nil
	}
	tip, paths := f.Base.Commit, f.Base.Reviewed(path)
	if f.Merge != nil {
		tip, paths = f.Merge.FirstParent.Commit, append(paths, f.Merge.FirstParent.Reviewed(path)...)
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
			if p.mergedInto(f.Repository) && (change.MergedAt == nil || change.MergedAt.Before(p.mergedAt.Time)) {
				change.PullRequest, change.MergedAt = p.number, &p.mergedAt
			}
		}
		f.Changes = append(f.Changes, change)
	}
	return nil
}

// merged tells whether path appears, or disappears, between a merge commit's first parent and the commit itself.
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
