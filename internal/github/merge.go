package github

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/go-github/v60/github"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// Asked is the path of the request that a pull request asks for which a list shows as open; empty
// when it does anything else, or is not as the list shows it any more.
func (c *Client) Asked(ctx context.Context, listed OpenPull) (path string, err error) {
	p, err := c.pull(ctx, listed.Number)
	if err != nil {
		return "", fmt.Errorf("look at %s/%s#%d: %w", c.owner, c.repo, listed.Number, err)
	}
	if p.files != 1 || p.State != "open" || p.Draft || p.HeadSHA != listed.HeadSHA {
		return "", nil // and this call was the only one
	}
	var f policies.Facts
	if err := c.readFiles(ctx, &f, p); err != nil {
		return "", fmt.Errorf("look at %s/%s#%d: %w", c.owner, c.repo, listed.Number, err)
	}
	if kind, path, _ := policies.KindOf(f.Files); kind == policies.KindRequest {
		return path, nil
	}
	return "", nil
}

// Sign is what the last check runs of the Action's App on a commit say. It proves nothing: it tells
// when looking may be of use.
type Sign struct {
	Green bool
	Next  requests.Time // as in Check
}

// Sign reads that of a commit.
func (c *Client) Sign(ctx context.Context, commit string) (s Sign, err error) {
	options := github.ListCheckRunsOptions{Filter: github.String("latest")}
	if c.checkApp != 0 {
		options.AppID = github.Int64(c.checkApp)
	}
	runs, err := c.checkRuns(keeping(ctx), commit, options)
	if err != nil {
		return s, err
	}
	for _, run := range runs {
		s.Green = s.Green || run.GetConclusion() == "success"
		if next, _ := readNext(run.GetExternalID()); s.Next.IsZero() || !next.IsZero() && next.Before(s.Next.Time) {
			s.Next = next
		}
	}
	return s, nil
}

// DueEvent is the event that has the Action judge what the time has come for.
const DueEvent = "pullgrant-due"

// JudgeDue starts the workflow of the default branch that judges what time has changed. GitHub's own
// schedule may come late by any time; this does not.
// https://docs.github.com/rest/repos/repos#create-a-repository-dispatch-event
func (c *Client) JudgeDue(ctx context.Context) error {
	_, _, err := c.api.Repositories.Dispatch(ctx, c.owner, c.repo,
		github.DispatchRequestOptions{EventType: DueEvent})
	if err != nil {
		return c.explain(err, "Contents: write", "have what is due judged again")
	}
	return nil
}

// Merge merges an open pull request whose head is that commit, by the first method that the
// repository allows. One whose head has moved is an error, and so is what GitHub does not let be
// merged (https://docs.github.com/rest/pulls/pulls#merge-a-pull-request).
func (c *Client) Merge(ctx context.Context, number int, head string) error {
	var err error
	for _, method := range []string{"merge", "squash", "rebase"} {
		var done *github.PullRequestMergeResult
		var response *github.Response
		done, response, err = c.api.PullRequests.Merge(ctx, c.owner, c.repo, number, "",
			&github.PullRequestOptions{SHA: head, MergeMethod: method})
		if err == nil && !done.GetMerged() {
			return c.incomplete("the merge of #%d", number)
		}
		if err == nil || response == nil || response.StatusCode != http.StatusMethodNotAllowed ||
			!strings.Contains(err.Error(), "not allowed") {
			break
		}
	}
	if err != nil {
		return c.explain(err, "Contents: write", "merge #%d", number)
	}
	return nil
}
