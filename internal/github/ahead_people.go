package github

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

func permissionOf(login string) string { return "permission of " + strings.ToLower(login) }
func memberOf(org, login string) string {
	return strings.ToLower("member " + login + " of " + org)
}
func teamOf(team string) string { return "team " + team }
func memberIn(q policies.Question) string {
	return strings.ToLower("member " + q.User + " in " + q.Team)
}

// permissions are those of REST, by those of GraphQL
// (https://docs.github.com/rest/collaborators/collaborators#get-repository-permissions-for-a-user).
var permissions = map[string]string{"ADMIN": "admin", "MAINTAIN": "write", "WRITE": "write",
	"TRIAGE": "read", "READ": "read"}

// readPeople asks at once what people may do in the repository, and whether they are members of the
// organization that owns it.
func (c *Client) readPeople(ctx context.Context, repository policies.Repository,
	people []policies.User) error {
	if len(people) == 0 || len(people) > maxAtOnce {
		return nil
	}
	q := &query{}
	q.part("repository(owner: %s, name: %s, followRenames: false) {", q.variable("String", c.owner),
		q.variable("String", c.repo))
	logins := make([]string, len(people))
	for n, u := range people {
		if requests.CheckLogin(u.Login) != "" {
			return nil // which is told where it is asked about
		}
		logins[n] = q.variable("String", u.Login)
		q.part("p%d: collaborators(login: %s, first: 2) { edges { permission node { login databaseId } } }",
			n, logins[n])
	}
	q.part("}")
	if repository.Organization {
		org := q.variable("String", repository.Owner)
		for n, login := range logins {
			q.part("u%d: user(login: %s) { login databaseId organization(login: %s) { login } }", n,
				login, org)
		}
	}
	told, ok, err := c.send(ctx, q, "")
	if err != nil {
		return c.explain(err, "Metadata: read", "read what people may do")
	}
	if !ok {
		return nil
	}
	for n, u := range people {
		if r := told.field("repository"); !r.null() {
			takePermission(ctx, r.field(fmt.Sprintf("p%d", n)), u)
		}
		if !repository.Organization {
			continue
		}
		// one who is not, or does not show it, is asked about by REST
		if who := told.field(fmt.Sprintf("u%d", n)); !who.null() && isUser(who, u.Login) &&
			!who.field("organization").null() && strings.EqualFold(
			who.field("organization").field("login").text(), repository.Owner) {
			tell(ctx, memberOf(repository.Owner, u.Login), true)
		}
	}
	if err := *told.wrong; err != nil {
		return fmt.Errorf("read what people may do: %w", err)
	}
	return nil
}

// isUser tells whether an account has a login, and a number that fits.
func isUser(a node, login string) bool {
	return strings.EqualFold(a.field("login").text(), login) && !a.field("databaseId").null()
}

func takePermission(ctx context.Context, collaborators node, u policies.User) {
	if collaborators.null() || collaborators.field("edges").null() {
		return
	}
	for _, edge := range collaborators.field("edges").list() {
		node := edge.field("node")
		permission, known := permissions[edge.field("permission").text()]
		if isUser(node, u.Login) && known && *node.wrong == nil {
			tell(ctx, permissionOf(u.Login), policies.UserFacts{
				ID: node.field("databaseId").number(), Permission: permission})
		}
	}
}

// readTeams asks at once for teams and those of their members that questions are about. Only a yes
// is taken: GitHub finds members by part of their name, and shows nobody a team that is not theirs
// to see.
func (c *Client) readTeams(ctx context.Context, questions []policies.Question) error {
	if len(questions) == 0 || len(questions) > maxAtOnce {
		return nil
	}
	var teams []string
	for _, question := range questions {
		if !teamPattern.MatchString(question.Team) || requests.CheckLogin(question.User) != "" {
			return nil // which is told where it is asked about
		}
		teams = append(teams, question.Team)
	}
	slices.Sort(teams)
	teams = slices.Compact(teams)
	q := &query{}
	for n, team := range teams {
		org, slug, _ := strings.Cut(team, "/")
		q.part("t%d: organization(login: %s) { login team(slug: %s) { slug databaseId", n,
			q.variable("String", org), q.variable("String", slug))
		for m, question := range questions {
			if question.Team == team {
				q.part("m%d: members(query: %s, first: 100, membership: ALL) { nodes { login databaseId } }",
					m, q.variable("String", question.User))
			}
		}
		q.part("} }")
	}
	told, ok, err := c.send(ctx, q, "")
	if err != nil {
		return c.explain(err, teamPermission, "read teams")
	}
	if !ok {
		return nil
	}
	for n, team := range teams {
		org := told.field(fmt.Sprintf("t%d", n))
		if org.null() || org.field("team").null() {
			continue
		}
		found := org.field("team")
		if name := org.field("login").text() + "/" + found.field("slug").text(); !found.field(
			"databaseId").null() && strings.EqualFold(name, team) {
			tell(ctx, teamOf(team), struct{}{})
		}
		for m, question := range questions {
			if question.Team == team {
				takeMember(ctx, found.field(fmt.Sprintf("m%d", m)), question)
			}
		}
	}
	if err := *told.wrong; err != nil {
		return fmt.Errorf("read teams: %w", err)
	}
	return nil
}

func takeMember(ctx context.Context, members node, question policies.Question) {
	for _, member := range members.field("nodes").list() {
		if isUser(member, question.User) && *member.wrong == nil {
			tell(ctx, memberIn(question), true)
		}
	}
}
