package github

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/google/go-github/v60/github"

	"github.com/pullgrant/pullgrant/policies"
)

// Rules reads the rules in force on the default branch, whichever ruleset they come from; Metadata:
// read is enough for it. Rules that bypass lists leave some people out of are among them: who may
// bypass is shown to administrators only.
func (c *Client) Rules(ctx context.Context) ([]policies.BranchRule, error) {
	rules, branch, err := branchRules[policies.BranchRule](ctx, c)
	if err != nil {
		return nil, err
	}
	for _, r := range rules {
		if r.Type == "" {
			return nil, c.incomplete("the rules of the branch %s", branch)
		}
	}
	return rules, nil
}

// branchRules reads what is wanted of each rule in force on the default branch.
func branchRules[T any](ctx context.Context, c *Client) (rules []T, branch string, err error) {
	repository, err := c.repository(ctx)
	if err != nil {
		return nil, "", err
	}
	branch = repository.DefaultBranch
	rules, err = pages(func(o github.ListOptions) (page []T, response *github.Response, err error) {
		// go-github's own method stops at the first rule of a kind it does not know.
		address := fmt.Sprintf("repos/%s/%s/rules/branches/%s?per_page=%d", c.owner, c.repo,
			url.PathEscape(branch), o.PerPage)
		if o.Page > 0 {
			address += fmt.Sprintf("&page=%d", o.Page)
		}
		response, err = c.call(ctx, http.MethodGet, address, nil, &page)
		return page, response, err
	})
	if err != nil {
		return nil, "", c.explain(err, "Metadata: read", "read the rules of the branch %s", branch)
	}
	return rules, branch, nil
}
