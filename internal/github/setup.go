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

// Setup is what the settings of a repository say beside its rules. A nil pointer stands for what
// GitHub shows to others than whose token this is.
type Setup struct {
	Branch                          string // the default one
	Private, Archived, Organization bool
	Plan                            string // of the organization; empty: not shown
	AutoMerge, DeleteBranches       *bool
	Merge, Squash, Rebase           *bool // methods of merging that are allowed
}

// Setup reads them.
func (c *Client) Setup(ctx context.Context) (Setup, error) {
	repository, found, err := c.settings(ctx)
	if err != nil {
		return Setup{}, err
	}
	s := Setup{Branch: repository.DefaultBranch, Private: found.GetPrivate(),
		Archived: found.GetArchived(), Organization: repository.Organization,
		AutoMerge: found.AllowAutoMerge, DeleteBranches: found.DeleteBranchOnMerge,
		Merge: found.AllowMergeCommit, Squash: found.AllowSquashMerge, Rebase: found.AllowRebaseMerge}
	if repository.Organization {
		org, _, err := c.api.Organizations.Get(ctx, c.owner)
		if err != nil {
			return s, c.explain(err, "Metadata: read", "read the organization %s", c.owner)
		}
		s.Plan = org.GetPlan().GetName()
	}
	return s, nil
}

// CheckPermissions are those that the App of the Action needs, by the names GitHub has for them; no
// other is of use. docs/setup.md gives a reason for each.
func CheckPermissions() map[string]string {
	return map[string]string{"checks": "write", "contents": "read", "pull_requests": "write",
		"metadata": "read", "members": "read"}
}

// AgentPermissions are those that the App of the agents needs.
func AgentPermissions() map[string]string {
	return map[string]string{"contents": "write", "pull_requests": "write", "checks": "read",
		"metadata": "read", "members": "read"}
}

// Actor is one who may pass over the rules of the default branch.
type Actor struct {
	Kind string `json:"actor_type"` // Integration, RepositoryRole, Team, User, OrganizationAdmin or DeployKey
	ID   int64  `json:"actor_id"`   // of an Integration: the number of the App
	Mode string `json:"bypass_mode"`
}

// Bypass lists the actors of all rulesets in force on the default branch, each once. known is false
// where GitHub does not show those of one: it does to whoever may edit it.
func (c *Client) Bypass(ctx context.Context) (all []Actor, known bool, err error) {
	rules, _, err := branchRules[struct {
		Ruleset int64 `json:"ruleset_id"`
	}](ctx, c)
	if err != nil {
		return nil, false, err
	}
	seen := map[int64]bool{}
	known = true
	for _, r := range rules {
		if seen[r.Ruleset] {
			continue
		}
		seen[r.Ruleset] = true
		var set struct {
			ID     int64    `json:"id"`
			Actors *[]Actor `json:"bypass_actors"`
		}
		// go-github's own method stops at a rule of a kind it does not know.
		_, err := c.call(ctx, http.MethodGet, fmt.Sprintf("repos/%s/%s/rulesets/%d", c.owner, c.repo,
			r.Ruleset), nil, &set)
		if err != nil {
			return nil, false, c.explain(err, "Administration: read", "read the ruleset %d", r.Ruleset)
		}
		if set.ID != r.Ruleset {
			return nil, false, c.incomplete("the ruleset %d", r.Ruleset)
		}
		if known = known && set.Actors != nil; !known {
			return nil, false, nil
		}
		for _, actor := range *set.Actors {
			if !slices.Contains(all, actor) {
				all = append(all, actor)
			}
		}
	}
	return all, known, nil
}

// OwnersErrors are the lines of CODEOWNERS on the default branch that GitHub passes over, as
// findings; none where there is no such file.
func (c *Client) OwnersErrors(ctx context.Context) (all []requests.Finding, err error) {
	found, _, err := c.api.Repositories.GetCodeownersErrors(ctx, c.owner, c.repo, nil)
	switch {
	case is(err, http.StatusNotFound):
		return nil, nil
	case err != nil:
		return nil, c.explain(err, "Contents: read", "read the errors in CODEOWNERS")
	}
	for _, e := range found.Errors {
		all = append(all, requests.Finding{File: e.Path, Line: e.Line, Column: e.Column,
			Rule: "codeowners-github", Message: e.Kind})
	}
	return all, nil
}

// Deployers are the branches, or patterns of them, that may deploy to an environment; exists is
// false where there is no such environment. Where every branch may, it is the pattern "*", and
// "protected" where those with a branch protection rule may.
func (c *Client) Deployers(ctx context.Context, name string) (branches []string, exists bool,
	err error) {
	const permission = "Actions: read"
	all, err := pages(func(o github.ListOptions) ([]*github.Environment, *github.Response, error) {
		page, response, err := c.api.Repositories.ListEnvironments(ctx, c.owner, c.repo,
			&github.EnvironmentListOptions{ListOptions: o})
		if err != nil {
			return nil, nil, err
		}
		return page.Environments, response, nil
	})
	if err != nil {
		return nil, false, c.explain(err, permission, "list the environments")
	}
	i := slices.IndexFunc(all, func(e *github.Environment) bool { return e.GetName() == name })
	if i < 0 {
		return nil, false, nil
	}
	switch policy := all[i].DeploymentBranchPolicy; {
	case policy == nil || !policy.GetCustomBranchPolicies() && !policy.GetProtectedBranches():
		return []string{"*"}, true, nil
	case policy.GetProtectedBranches():
		return []string{"protected"}, true, nil
	}
	page, _, err := c.api.Repositories.ListDeploymentBranchPolicies(ctx, c.owner, c.repo,
		url.PathEscape(name))
	if err != nil {
		return nil, true, c.explain(err, permission, "list who may deploy to the environment %s", name)
	}
	for _, b := range page.BranchPolicies {
		branches = append(branches, b.GetName())
	}
	if len(branches) != page.GetTotalCount() {
		return nil, true, c.incomplete("who may deploy to the environment %s", name)
	}
	return branches, true, nil
}

// ActionsApprove tells whether workflows may approve pull requests, which GitHub shows to
// administrators.
func (c *Client) ActionsApprove(ctx context.Context) (bool, error) {
	found, _, err := c.api.Repositories.GetDefaultWorkflowPermissions(ctx, c.owner, c.repo)
	if err != nil {
		return false, c.explain(err, "Administration: read", "read what workflows may do")
	}
	if found.CanApprovePullRequestReviews == nil {
		return false, c.incomplete("what workflows may do")
	}
	return found.GetCanApprovePullRequestReviews(), nil
}

// SeesTeam is nil where a team, as org/team, is there for whose token this is; a secret one is for
// its members and those who may see all teams.
func (c *Client) SeesTeam(ctx context.Context, team string) error { return c.checkTeam(ctx, team) }

// Reporter is an App as a check run of it shows it.
type Reporter struct {
	ID          int64
	Slug        string
	Permissions map[string]string // read or write by name
}

// Reporters are the Apps whose check carries a verdict on a commit.
func (c *Client) Reporters(ctx context.Context, commit string) (all []Reporter, err error) {
	runs, err := c.checkRuns(ctx, commit, github.ListCheckRunsOptions{
		CheckName: github.String(policies.CheckName)})
	if err != nil {
		return nil, err
	}
	for _, run := range runs {
		app := run.GetApp()
		given, err := permissionsOf(app)
		if err != nil || app.GetID() == 0 {
			return nil, c.incomplete("the check runs on %s", commit)
		}
		if !slices.ContainsFunc(all, func(r Reporter) bool { return r.ID == app.GetID() }) {
			all = append(all, Reporter{app.GetID(), app.GetSlug(), given})
		}
	}
	return all, nil
}
