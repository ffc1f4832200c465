package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

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

// readPushes finds who moved the head branch (R15). A branch of another repository has no activity here. Deleting the
// branch is left out: it brings no commit, and GitHub lets it follow from a merge, in the name of whoever merged.
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
		response, err := c.call(ctx, http.MethodGet, fmt.Sprintf("repos/%s/%s/activity?%s", c.owner, c.repo, query.Encode()), nil, &found)
		if err != nil {
			return c.explain(err, "Contents: read", "list the pushes to %s", requests.Quote(p.HeadRef))
		}
		for _, a := range found {
			if a.Ref != ref || a.After == "" || a.Type == "" || a.Timestamp == nil || a.Timestamp.IsZero() {
				return c.incomplete("the pushes to %s", requests.Quote(p.HeadRef))
			}
			if a.Type == "branch_deletion" {
				continue
			}
			push := policies.Push{After: a.After, Time: requests.At(a.Timestamp.Time), Reason: a.Type}
			if push.Actor, err = c.user(a.Actor, "who pushed "+a.After); err != nil {
				return err
			}
			f.Pushes = append(f.Pushes, push)
		}
		if response.After == "" {
			if !slices.ContainsFunc(f.Pushes, func(push policies.Push) bool { return push.After == p.HeadSHA }) {
				return fmt.Errorf("%w: GitHub does not list yet who pushed its head %s", errMoved, p.HeadSHA)
			}
			return checkLastPage(response)
		}
		if seen[response.After] {
			return fmt.Errorf("list the pushes to %s: the list of pages runs in a circle", requests.Quote(p.HeadRef))
		}
		cursor = response.After
		seen[cursor] = true
	}
}

// call makes a call that go-github has no method for.
func (c *Client) call(ctx context.Context, method, url string, in, out any) (*github.Response, error) {
	request, err := c.api.NewRequest(method, url, in)
	if err != nil {
		return nil, err
	}
	return c.api.Do(ctx, request, out)
}

// query asks GraphQL, which refuses with an answer like any other.
func (c *Client) query(ctx context.Context, text string, variables map[string]any, data any) error {
	var answer struct {
		Data   any `json:"data"`
		Errors []struct {
			Message string `json:"message"`
		} `json:"errors"`
	}
	answer.Data = data
	_, err := c.call(ctx, http.MethodPost, c.graphQL, map[string]any{"query": text, "variables": variables}, &answer)
	if err == nil && len(answer.Errors) > 0 {
		err = errors.New(answer.Errors[0].Message)
	}
	return err
}

// readUsers asks what the author and everybody with an opinion may do now (R19, R21). Bots never count, so they are
// not asked about.
func (c *Client) readUsers(ctx context.Context, f *policies.Facts, _ snapshot) error {
	f.Users = map[string]policies.UserFacts{}
	people := []policies.User{f.PullRequest.Author}
	for _, r := range f.Reviews {
		if strings.EqualFold(r.State, "APPROVED") || strings.EqualFold(r.State, "CHANGES_REQUESTED") {
			people = append(people, r.User)
		}
	}
	for _, u := range people {
		key := strings.ToLower(u.Login)
		if _, done := f.Users[key]; done || u.IsBot() {
			continue
		}
		facts, err := c.userFacts(ctx, f.Repository, u)
		if err != nil {
			return err
		}
		f.Users[key] = facts
	}
	return nil
}

func (c *Client) userFacts(ctx context.Context, repository policies.Repository, u policies.User) (policies.UserFacts, error) {
	if problem := requests.CheckLogin(u.Login); problem != "" {
		return policies.UserFacts{}, fmt.Errorf("the login %s: %s", requests.Quote(u.Login), problem)
	}
	level, _, err := c.api.Repositories.GetPermissionLevel(ctx, c.owner, c.repo, u.Login)
	if err != nil {
		return policies.UserFacts{}, c.explain(err, "Metadata: read", "read the permission of @%s", u.Login)
	}
	facts := policies.UserFacts{ID: level.GetUser().GetID(), Permission: level.GetPermission()}
	if facts.ID != u.ID {
		return facts, fmt.Errorf("%w: the login @%s belongs to account %d here and to %d there", errMoved, u.Login, u.ID, facts.ID)
	}
	if !slices.Contains([]string{"admin", "write", "read", "none"}, facts.Permission) {
		return facts, fmt.Errorf("read the permission of @%s: it is the unknown %s", u.Login, requests.Quote(facts.Permission))
	}
	if repository.Organization {
		member, response, err := c.api.Organizations.IsMember(ctx, repository.Owner, u.Login)
		if err != nil {
			return facts, c.explain(err, "organization permission Members: read", "ask whether @%s is a member of %s", u.Login, repository.Owner)
		}
		if member && response.StatusCode != http.StatusNoContent {
			return facts, c.incomplete("the membership of @%s in %s", u.Login, repository.Owner)
		}
		facts.Member = member
	}
	return facts, nil
}

// readAnswers answers the questions that judging will ask, under the policies now and, once merged, under those before
// the merge (R20).
func (c *Client) readAnswers(ctx context.Context, f *policies.Facts, _ snapshot) error {
	questions := policies.Questions(f.Base, *f)
	if f.Merge != nil {
		questions = append(questions, policies.Questions(f.Merge.FirstParent, *f)...)
	}
	return c.answer(ctx, f, questions)
}

// answer asks what the facts do not hold an answer to yet.
func (c *Client) answer(ctx context.Context, f *policies.Facts, questions []policies.Question) error {
	checked := map[string]bool{}
	for q := range f.Answers {
		checked[q.Team] = true
	}
	for _, q := range questions {
		if _, known := f.Answers[q]; known {
			continue
		}
		if !checked[q.Team] {
			if err := c.checkTeam(ctx, q.Team); err != nil {
				return err
			}
			checked[q.Team] = true
		}
		member, err := c.isTeamMember(ctx, q.Team, q.User)
		if err != nil {
			return err
		}
		if f.Answers == nil {
			f.Answers = policies.Answers{}
		}
		f.Answers[q] = member
	}
	return nil
}

const teamPermission = "organization permission Members: read (a workflow's own token never has it), and membership of the team if it is secret"

var teamPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*/[a-z0-9][a-z0-9_.-]*$`)

// checkTeam makes sure that the team is there to be asked about: without that, no answer of its members would mean
// that they are none.
func (c *Client) checkTeam(ctx context.Context, team string) error {
	org, slug, _ := strings.Cut(team, "/")
	if !teamPattern.MatchString(team) {
		return fmt.Errorf("the team %s is not written as GitHub names teams, org/team; correct the policy or CODEOWNERS", requests.Quote(team))
	}
	found, _, err := c.api.Teams.GetTeamBySlug(ctx, org, slug)
	if err != nil {
		return c.explain(err, teamPermission, "read the team %s", team)
	}
	if found.GetID() == 0 || !strings.EqualFold(found.GetSlug(), slug) {
		return c.incomplete("the team %s", team)
	}
	return nil
}

func (c *Client) isTeamMember(ctx context.Context, team, login string) (bool, error) {
	org, slug, _ := strings.Cut(team, "/")
	if problem := requests.CheckLogin(login); problem != "" {
		return false, fmt.Errorf("the login %s: %s", requests.Quote(login), problem)
	}
	membership, _, err := c.api.Teams.GetTeamMembershipBySlug(ctx, org, slug, login)
	switch {
	case is(err, http.StatusNotFound):
		return false, nil
	case err != nil:
		return false, c.explain(err, teamPermission, "ask whether @%s is in the team %s", login, team)
	case membership.GetState() == "active":
		return true, nil
	case membership.GetState() == "pending":
		return false, nil
	}
	return false, c.incomplete("the membership of @%s in the team %s", login, team)
}
