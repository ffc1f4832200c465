package github

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/go-github/v60/github"

	"github.com/pullgrant/pullgrant/policies"
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

// Green tells whether the last check run of the Action's App on a commit says success. It proves
// nothing: it is a sign that looking may be of use.
func (c *Client) Green(ctx context.Context, commit string) (bool, error) {
	options := github.ListCheckRunsOptions{Filter: github.String("latest")}
	if c.checkApp != 0 {
		options.AppID = github.Int64(c.checkApp)
	}
	runs, err := c.checkRuns(keeping(ctx), commit, options)
	if err != nil {
		return false, err
	}
	for _, run := range runs {
		if run.GetConclusion() == "success" {
			return true, nil
		}
	}
	return false, nil
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
