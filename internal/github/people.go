package github

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// readUsers asks what the author and everybody with an opinion may do now (R19, R21). Bots never
// count, so they are not asked about.
func (c *Client) readUsers(ctx context.Context, f *policies.Facts, _ snapshot) error {
	people := []policies.User{f.PullRequest.Author}
	for _, r := range f.Reviews {
		if strings.EqualFold(r.State, "APPROVED") || strings.EqualFold(r.State,
			"CHANGES_REQUESTED") {
			people = append(people, r.User)
		}
	}
	asked := map[string]bool{}
	people = slices.DeleteFunc(people, func(u policies.User) bool {
		key := strings.ToLower(u.Login)
		if u.IsBot() || asked[key] {
			return true
		}
		asked[key] = true
		return false
	})
	if err := c.readPeople(ctx, f.Repository, people); err != nil {
		return err
	}
	told, err := gather(ctx, people, func(ctx context.Context, u policies.User) (policies.UserFacts,
		error) {
		return c.userFacts(ctx, f.Repository, u)
	})
	if err != nil {
		return err
	}
	f.Users = map[string]policies.UserFacts{}
	for n, u := range people {
		f.Users[strings.ToLower(u.Login)] = told[n]
	}
	return nil
}

func (c *Client) userFacts(ctx context.Context, repository policies.Repository,
	u policies.User) (policies.UserFacts, error) {
	if problem := requests.CheckLogin(u.Login); problem != "" {
		return policies.UserFacts{}, fmt.Errorf("the login %s: %s", requests.Quote(u.Login),
			problem)
	}
	facts, err := once(ctx, permissionOf(u.Login), func() (policies.UserFacts, error) {
		return c.permission(ctx, u.Login)
	})
	if err != nil {
		return facts, err
	}
	if facts.ID != u.ID {
		return facts, fmt.Errorf("%w: the login @%s belongs to account %d here and to %d there",
			errMoved, u.Login, u.ID, facts.ID)
	}
	if !slices.Contains([]string{"admin", "write", "read", "none"}, facts.Permission) {
		return facts, fmt.Errorf("read the permission of @%s: it is the unknown %s", u.Login,
			requests.Quote(facts.Permission))
	}
	if repository.Organization {
		facts.Member, err = once(ctx, memberOf(repository.Owner, u.Login), func() (bool, error) {
			return c.isMember(ctx, repository.Owner, u.Login)
		})
	}
	return facts, err
}

func (c *Client) permission(ctx context.Context, login string) (policies.UserFacts, error) {
	level, _, err := c.api.Repositories.GetPermissionLevel(ctx, c.owner, c.repo, login)
	if err != nil {
		return policies.UserFacts{}, c.explain(err, "Metadata: read", "read the permission of @%s",
			login)
	}
	return policies.UserFacts{ID: level.GetUser().GetID(), Permission: level.GetPermission()}, nil
}

func (c *Client) isMember(ctx context.Context, org, login string) (bool, error) {
	member, response, err := c.api.Organizations.IsMember(ctx, org, login)
	if err != nil {
		return false, c.explain(err, "organization permission Members: read",
			"ask whether @%s is a member of %s", login, org)
	}
	if member && response.StatusCode != http.StatusNoContent {
		return false, c.incomplete("the membership of @%s in %s", login, org)
	}
	return member, nil
}

// questions are those that judging will ask, under the policies now and, once merged, under those
// before the merge (R20).
func questions(f policies.Facts) []policies.Question {
	all := policies.Questions(f.Base, f)
	if f.Merge != nil {
		all = append(all, policies.Questions(f.Merge.FirstParent, f)...)
	}
	return all
}

// answer asks what the facts do not hold an answer to yet.
func (c *Client) answer(ctx context.Context, f *policies.Facts,
	questions []policies.Question) error {
	checked := map[string]bool{}
	for q := range f.Answers {
		checked[q.Team] = true
	}
	var asked []policies.Question
	var reads []func(context.Context) error
	for _, q := range questions {
		if _, known := f.Answers[q]; known || slices.Contains(asked, q) {
			continue
		}
		if !teamPattern.MatchString(q.Team) { // before it stands in the address of any call
			return fmt.Errorf("the team %s is not written as GitHub names teams, org/team; correct "+
				"the policy or CODEOWNERS", requests.Quote(q.Team))
		}
		asked = append(asked, q)
		if !checked[q.Team] {
			checked[q.Team] = true
			reads = append(reads, func(ctx context.Context) error { return c.checkTeam(ctx, q.Team) })
		}
	}
	if err := c.readTeams(ctx, asked); err != nil {
		return err
	}
	var members []bool
	err := together(ctx, append(reads, func(ctx context.Context) (err error) {
		members, err = gather(ctx, asked, c.isTeamMember)
		return err
	})...)
	if err != nil {
		return err
	}
	for n, q := range asked {
		if f.Answers == nil {
			f.Answers = policies.Answers{}
		}
		f.Answers[q] = members[n]
	}
	return nil
}

const teamPermission = "organization permission Members: read (a workflow's own token never has " +
	"it), and membership of the team if it is secret"

var teamPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*/[a-z0-9][a-z0-9_.-]*$`)

// checkTeam makes sure that the team is there to be asked about: without that, no answer of its
// members would mean that they are none.
func (c *Client) checkTeam(ctx context.Context, team string) error {
	_, err := once(ctx, teamOf(team), func() (struct{}, error) {
		return struct{}{}, c.readTeam(ctx, team)
	})
	return err
}

func (c *Client) readTeam(ctx context.Context, team string) error {
	org, slug, _ := strings.Cut(team, "/")
	found, _, err := c.api.Teams.GetTeamBySlug(ctx, org, slug)
	if err != nil {
		return c.explain(err, teamPermission, "read the team %s", team)
	}
	if found.GetID() == 0 || !strings.EqualFold(found.GetSlug(), slug) {
		return c.incomplete("the team %s", team)
	}
	return nil
}

func (c *Client) isTeamMember(ctx context.Context, q policies.Question) (bool, error) {
	return once(ctx, memberIn(q), func() (bool, error) { return c.readMembership(ctx, q) })
}

func (c *Client) readMembership(ctx context.Context, q policies.Question) (bool, error) {
	team, login := q.Team, q.User
	org, slug, _ := strings.Cut(team, "/")
	if problem := requests.CheckLogin(login); problem != "" {
		return false, fmt.Errorf("the login %s: %s", requests.Quote(login), problem)
	}
	membership, _, err := c.api.Teams.GetTeamMembershipBySlug(ctx, org, slug, login)
	switch {
	case is(err, http.StatusNotFound):
		return false, nil
	case err != nil:
		return false, c.explain(err, teamPermission, "ask whether @%s is in the team %s",
			login, team)
	case membership.GetState() == "active":
		return true, nil
	case membership.GetState() == "pending":
		return false, nil
	}
	return false, c.incomplete("the membership of @%s in the team %s", login, team)
}
