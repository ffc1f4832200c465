package github

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// listed is a pull request as lists show it.
type listed struct {
	number              int
	author              policies.User
	head, base, mergeAt string // mergeAt: the merge commit, of a merged one
	baseID              int64
	fork                bool // its head is of another repository, or of one that is gone
	draft, open         bool
	merged              bool
	mergedAt            requests.Time
	updatedAt           time.Time
	unmergedAt          time.Time // when one was closed that is not merged; only OpenList tells
	asked               []string  // for a review: logins and org/teams
}

// by is its author, nobody of the zero one.
func (p listed) by() requests.Person {
	if p.number == 0 {
		return requests.Person{}
	}
	return requests.PersonOf(p.author.Login, p.author.ID, p.number)
}

// mergedInto tells whether the pull request was merged into the repository's default branch.
func (p listed) mergedInto(r policies.Repository) bool {
	return p.merged && p.baseID == r.ID && p.base == r.DefaultBranch
}

// pullsOf lists the pull requests GitHub ties to a commit: the merged one that introduced it, or,
// for a commit outside the default branch, every one that holds it (R44).
func (c *Client) pullsOf(ctx context.Context, commit string) ([]listed, error) {
	if !isName(commit) {
		return nil, fmt.Errorf("list the pull requests of commit %s: it must be 40 hexadecimal digits",
			requests.Quote(commit))
	}
	all, err := once(ctx, pullsOf(commit), func() ([]listed, error) {
		return c.readPullsOf(ctx, commit)
	})
	return slices.Clone(all), err // who asks picks and sorts
}

func (c *Client) readPullsOf(ctx context.Context, commit string) ([]listed, error) {
	found, err := pages(func(o github.ListOptions) ([]*github.PullRequest,
		*github.Response, error) {
		return c.api.PullRequests.ListPullRequestsWithCommit(ctx, c.owner, c.repo, commit, &o)
	})
	if err != nil {
		return nil, c.explain(err, "Pull requests: read", "list the pull requests of commit %s",
			commit)
	}
	var all []listed
	for _, f := range found {
		p, err := c.list(ctx, f)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// list converts a pull request of a list, which lacks some of what a single one has.
func (c *Client) list(ctx context.Context, f *github.PullRequest) (listed, error) {
	author, err := c.user(f.User, "the author of a pull request")
	if err != nil {
		return listed{}, err
	}
	p := listed{
		number: f.GetNumber(), author: author,
		head: f.GetHead().GetSHA(), base: f.GetBase().GetRef(),
		baseID: f.GetBase().GetRepo().GetID(),
		fork:   f.GetHead().GetRepo().GetID() != f.GetBase().GetRepo().GetID(),
		draft:  f.GetDraft(), open: f.GetState() == "open",
		merged: !f.GetMergedAt().IsZero(), mergedAt: requests.At(f.GetMergedAt().Time),
		updatedAt: f.GetUpdatedAt().Time,
	}
	if p.number == 0 || !isName(p.head) || p.base == "" || p.baseID == 0 || f.GetState() == "" ||
		p.updatedAt.IsZero() {
		return p, c.incomplete("a list of pull requests")
	}
	for _, u := range f.RequestedReviewers {
		p.asked = append(p.asked, u.GetLogin())
	}
	for _, t := range f.RequestedTeams {
		p.asked = append(p.asked, c.owner+"/"+t.GetSlug())
	}
	p.mergeAt, err = c.mergeCommit(ctx, f)
	return p, err
}

// OpenPull is an open pull request as lists show it.
type OpenPull struct {
	Number  int
	HeadSHA string
	BaseRef string
	Draft   bool
	Author  policies.User
	Fork    bool // its head is of another repository, or of one that is gone
}

func (p listed) openPull() OpenPull {
	return OpenPull{p.number, p.head, p.base, p.draft, p.author, p.fork}
}

// OpenPulls lists all open pull requests, oldest first: what must be judged again when the
// default branch has moved. A list that has not changed since the last call costs nothing of the
// rate limit.
func (c *Client) OpenPulls(ctx context.Context) ([]OpenPull, error) {
	all, err := c.openPulls(keeping(ctx))
	if err != nil {
		return nil, err
	}
	var open []OpenPull
	for _, p := range all {
		open = append(open, p.openPull())
	}
	return open, nil
}

// openPulls asks GitHub for the newest first: one that is opened is then on the first page, and
// those after it come twice, not never, when they move on while the list is read.
func (c *Client) openPulls(ctx context.Context) ([]listed, error) {
	newestFirst := github.PullRequestListOptions{State: "open", Sort: "created",
		Direction: "desc"}
	found, err := pages(func(o github.ListOptions) ([]*github.PullRequest,
		*github.Response, error) {
		newestFirst.ListOptions = o
		return c.api.PullRequests.List(ctx, c.owner, c.repo, &newestFirst)
	})
	if err != nil {
		return nil, c.explain(err, "Pull requests: read", "list the open pull requests")
	}
	var open []listed
	for _, f := range slices.Backward(found) {
		p, err := c.list(ctx, f)
		if err != nil {
			return nil, err
		}
		if n := len(open); n == 0 || open[n-1].number != p.number {
			open = append(open, p)
		}
	}
	return open, nil
}

// PullsAdding lists the numbers of the open pull requests that add a file at a wanted path,
// oldest first. It asks GitHub once for each open pull request: only its files tell what it is
// about.
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
		adds := func(f policies.File) bool { return f.Status == "added" && wanted(f.Path) }
		if slices.ContainsFunc(files, adds) {
			numbers = append(numbers, p.Number)
		}
	}
	return numbers, nil
}

// PullsByHead lists the open pull requests of this repository whose head is the commit: those that
// GitHub ties to it and those in the list of all, either of which can be late. None may be one that
// is not told yet.
func (c *Client) PullsByHead(ctx context.Context, commit string) ([]OpenPull, error) {
	repository, err := c.repository(ctx)
	if err != nil {
		return nil, err
	}
	found, err := c.pullsOf(ctx, commit)
	if err != nil {
		return nil, err
	}
	open, err := c.OpenPulls(ctx)
	if err != nil {
		return nil, err
	}
	open = slices.DeleteFunc(open, func(p OpenPull) bool { return p.HeadSHA != commit })
	for _, p := range found {
		one := p.openPull()
		if p.open && p.head == commit && p.baseID == repository.ID && !slices.Contains(open, one) {
			open = append(open, one)
		}
	}
	return open, nil
}

// MergedWithHead is the number of the pull request that was merged into the default branch with the
// commit as its head; 0 when GitHub tells of none. What it ties to a commit can be late, so the
// hundred closed ones that were updated last are looked through too.
func (c *Client) MergedWithHead(ctx context.Context, commit string) (int, error) {
	repository, err := c.repository(ctx)
	if err != nil {
		return 0, err
	}
	found, err := c.pullsOf(ctx, commit)
	if err != nil {
		return 0, err
	}
	closed, _, err := c.api.PullRequests.List(ctx, c.owner, c.repo,
		&github.PullRequestListOptions{State: "closed", Sort: "updated", Direction: "desc",
			ListOptions: github.ListOptions{PerPage: 100}})
	if err != nil {
		return 0, c.explain(err, "Pull requests: read", "list the pull requests closed last")
	}
	for _, f := range closed {
		if f.GetHead().GetSHA() != commit {
			continue
		}
		p, err := c.list(ctx, f)
		if err != nil {
			return 0, err
		}
		found = append(found, p)
	}
	for _, p := range found {
		if p.head == commit && p.mergedInto(repository) {
			return p.number, nil
		}
	}
	return 0, nil
}
