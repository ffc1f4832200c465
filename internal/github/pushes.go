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
	After     string            `json:"after"`
	Timestamp *github.Timestamp `json:"timestamp"`
	Type      string            `json:"activity_type"`
	Actor     *github.User      `json:"actor"`
}

// readPushes finds who moved the head branch (R15). A branch of another repository has no
// activity here. Deleting the branch is left out: it brings no commit, and GitHub lets it follow
// from a merge, in the name of whoever merged.
func (c *Client) readPushes(ctx context.Context, f *policies.Facts, p snapshot) error {
	f.Pushes = []policies.Push{}
	if p.HeadRepoID != f.Repository.ID {
		return nil
	}
	ref := "refs/heads/" + p.HeadRef
	seen := map[string]bool{}
	for cursor := ""; ; {
		query := url.Values{"ref": {ref}, "per_page": {"100"}}
		if cursor != "" {
			query.Set("after", cursor)
		}
		var found []activity
		address := fmt.Sprintf("repos/%s/%s/activity?%s", c.owner, c.repo, query.Encode())
		response, err := c.call(ctx, http.MethodGet, address, nil, &found)
		if err != nil {
			return c.explain(err, "Contents: read", "list the pushes to %s",
				requests.Quote(p.HeadRef))
		}
		for _, a := range found {
			if a.Ref != ref || a.After == "" || a.Type == "" ||
				a.Timestamp == nil || a.Timestamp.IsZero() {
				return c.incomplete("the pushes to %s", requests.Quote(p.HeadRef))
			}
			if a.Type == "branch_deletion" {
				continue
			}
			push := policies.Push{After: a.After, Time: requests.At(a.Timestamp.Time),
				Reason: a.Type}
			if push.Actor, err = c.user(a.Actor, "who pushed "+a.After); err != nil {
				return err
			}
			f.Pushes = append(f.Pushes, push)
		}
		if response.After == "" {
			brought := func(push policies.Push) bool { return push.After == p.HeadSHA }
			if !slices.ContainsFunc(f.Pushes, brought) {
				return fmt.Errorf("%w: GitHub does not list yet who pushed its head %s",
					errMoved, p.HeadSHA)
			}
			return checkLastPage(response)
		}
		if seen[response.After] {
			return fmt.Errorf("list the pushes to %s: the list of pages runs in a circle",
				requests.Quote(p.HeadRef))
		}
		cursor = response.After
		seen[cursor] = true
	}
}
