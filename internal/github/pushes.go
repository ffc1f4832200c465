package github

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/google/go-github/v60/github"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// activity is one entry of a repository's activity, which go-github v60 does not know:
// https://docs.github.com/rest/repos/repos#list-repository-activities
type activity struct {
	Ref       string            `json:"ref"`
	Before    string            `json:"before"`
	After     string            `json:"after"`
	Timestamp *github.Timestamp `json:"timestamp"`
	Type      string            `json:"activity_type"`
	Actor     *github.User      `json:"actor"`
}

// maxActivity bounds how much of a repository's activity is read for one branch, in pages.
const maxActivity = 50

// readPushes finds who moved the head branch (R15). A branch of another repository has no activity
// here. GitHub promises no activity of a branch that is gone, as it mostly is after a merge: what
// is not told by its name is looked for among everything that happened, and then in what the
// Action's App recorded, if it is known. Of several sources all pushers count: that can only take
// approvals away.
func (c *Client) readPushes(ctx context.Context, f *policies.Facts, p snapshot) (err error) {
	f.Pushes = []policies.Push{}
	if p.HeadRepoID != f.Repository.ID {
		return nil
	}
	brought := func(push policies.Push) bool { return push.After == p.HeadSHA }
	f.PushesFrom = policies.FromActivity
	if f.Pushes, err = c.pushesTo(ctx, p.HeadRef, true); err != nil ||
		slices.ContainsFunc(f.Pushes, brought) {
		return err
	}
	if p.State == "open" {
		return fmt.Errorf("%w: GitHub does not list yet who pushed its head %s", errLate, p.HeadSHA)
	}
	f.PushesFrom = policies.FromAllActivity
	if f.Pushes, err = c.pushesTo(ctx, p.HeadRef, false); err != nil ||
		slices.ContainsFunc(f.Pushes, brought) {
		return err
	}
	// No reading a moment later would find more of a branch that is gone: whoever asked does again.
	untold := fmt.Errorf("asked for the activity of its branch %s, and for all that the "+
		"repository has, GitHub does not list yet who pushed its head %s",
		requests.Quote(p.HeadRef),
		p.HeadSHA)
	if c.checkApp == 0 {
		return fmt.Errorf("%w; try again", untold)
	}
	recorded, err := c.recordedPushes(ctx, p)
	if err != nil {
		return fmt.Errorf("%w; nor do the check runs of the App %d: %w; try again", untold,
			c.checkApp, err)
	}
	f.PushesFrom, f.Pushes = policies.FromCheckRuns, append(recorded, f.Pushes...)
	return nil
}

// pushesTo lists the pushes to a branch, found by its name or among all of the repository. Deleting
// the branch is left out: it brings no commit, and GitHub lets it follow from a merge, in the name
// of whoever merged.
func (c *Client) pushesTo(ctx context.Context, branch string, byName bool) ([]policies.Push,
	error) {
	ref := "refs/heads/" + branch
	pushes := []policies.Push{}
	seen := map[string]bool{}
	for cursor := ""; ; {
		query := url.Values{"per_page": {"100"}}
		if byName {
			query.Set("ref", ref)
		}
		if cursor != "" {
			query.Set("after", cursor)
		}
		var found []activity
		address := fmt.Sprintf("repos/%s/%s/activity?%s", c.owner, c.repo, query.Encode())
		response, err := c.call(ctx, http.MethodGet, address, nil, &found)
		if err != nil {
			return nil, c.explain(err, "Contents: read", "list the pushes to %s",
				requests.Quote(branch))
		}
		for _, a := range found {
			if a.Ref == "" || byName && a.Ref != ref || a.After == "" || a.Type == "" ||
				a.Timestamp == nil || a.Timestamp.IsZero() {
				return nil, c.incomplete("the pushes to %s", requests.Quote(branch))
			}
			if a.Ref != ref || a.Type == "branch_deletion" {
				continue
			}
			push := policies.Push{Before: a.Before, After: a.After,
				Time:   requests.At(a.Timestamp.Time),
				Reason: a.Type}
			if push.Actor, err = c.user(a.Actor, "who pushed "+a.After); err != nil {
				return nil, err
			}
			pushes = append(pushes, push)
		}
		cursor = response.After
		switch {
		case cursor == "":
			return pushes, checkLastPage(response)
		case seen[cursor]:
			return nil, fmt.Errorf("list the pushes to %s: the list of pages runs in a circle",
				requests.Quote(branch))
		case len(seen) >= maxActivity && !byName:
			return nil, fmt.Errorf("list the pushes to %s: GitHub does not tell them by the name of "+
				"the branch, and the repository has more than %d pages of activity",
				requests.Quote(branch), maxActivity)
		}
		seen[cursor] = true
	}
}
