package forge

import (
	"net/http"
	"strings"
)

// team is a team of the organisation.
type team struct {
	slug    string
	id      int64
	parent  *team
	secret  bool
	members map[*user]string // active or pending
	role    string           // its permission on the repository
}

// AddTeam makes a visible team with active members and no permission on the repository; parent is a
// slug or empty.
func (f *Forge) AddTeam(slug string, id int64, parent string, members ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := &team{slug: slug, id: id, parent: f.team(parent), members: map[*user]string{},
		role: "none"}
	if parent != "" && t.parent == nil {
		panic("forge: no team " + parent)
	}
	for _, login := range members {
		t.members[f.mustAccount(login)] = "active"
	}
	f.teams = append(f.teams, t)
}

// SetTeamMember sets one user's own membership of a team: active, pending or "" for none.
func (f *Forge) SetTeamMember(slug, login, state string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t, u := f.mustTeam(slug), f.mustAccount(login)
	if t.members[u] = state; state == "" {
		delete(t.members, u)
	}
}

// SetTeamPermission sets a team's permission on the repository, which its members and child teams
// have too.
func (f *Forge) SetTeamPermission(slug, role string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mustTeam(slug).role = role
}

// HideTeam makes a team secret: it exists for its own active members only.
func (f *Forge) HideTeam(slug string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mustTeam(slug).secret = true
}

// DeleteTeam removes a team.
func (f *Forge) DeleteTeam(slug string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, t := range f.teams {
		if t.slug == slug {
			f.teams = append(f.teams[:i:i], f.teams[i+1:]...)
			return
		}
	}
}

func (f *Forge) team(slug string) *team {
	for _, t := range f.teams {
		if strings.EqualFold(t.slug, slug) {
			return t
		}
	}
	return nil
}

func (f *Forge) mustTeam(slug string) *team {
	t := f.team(slug)
	if t == nil {
		panic("forge: no team " + slug)
	}
	return t
}

// within reports whether t is parent or a child of it, at any depth.
func (t *team) within(parent *team) bool {
	for at := t; at != nil; at = at.parent {
		if at == parent {
			return true
		}
	}
	return false
}

// teamState is a user's membership: "team members will include the members of child teams". Active
// beats pending.
func (f *Forge) teamState(parent *team, u *user) string {
	state := ""
	for _, t := range f.teams {
		if own := t.members[u]; own != "" && t.within(parent) && state != "active" {
			state = own
		}
	}
	return state
}

// visibleTeam finds the team of the path, as far as the caller may know of it.
func (f *Forge) visibleTeam(c *call) *team {
	t := f.team(c.PathValue("team_slug"))
	if id := c.number("team_id"); id >= 0 {
		for _, x := range f.teams {
			if x.id == id {
				t = x
			}
		}
	}
	return f.shown(t, c.who)
}

// shown is a team as far as somebody may know of it.
func (f *Forge) shown(t *team, who identity) *team {
	if t != nil && t.secret && f.teamState(t, who.user) != "active" {
		return nil
	}
	return t
}

// teamMembers are the active members, child teams' included.
func (f *Forge) teamMembers(t *team) []*user {
	var members []*user
	for _, u := range f.sortedUsers() {
		if f.teamState(t, u) == "active" {
			members = append(members, u)
		}
	}
	return members
}

func (f *Forge) teamJSON(t *team) any {
	if t == nil {
		return nil
	}
	privacy := "closed"
	if t.secret {
		privacy = "secret"
	}
	body := object{"id": t.id, "slug": t.slug, "name": t.slug, "privacy": privacy,
		"permission": "pull", "type": "organization",
		"url": f.URL + "/orgs/" + f.opts.Owner + "/teams/" + t.slug, "parent": nil}
	if t.parent != nil {
		body["parent"] = object{"id": t.parent.id, "slug": t.parent.slug, "name": t.parent.slug}
	}
	return body
}

func (f *Forge) getTeam(c *call) answer {
	t := f.visibleTeam(c)
	if t == nil {
		return notFound()
	}
	body := f.teamJSON(t).(object)
	body["members_count"] = len(f.teamMembers(t))
	body["organization"] = object{"login": f.opts.Owner, "id": organizationID,
		"type": "Organization"}
	return ok(body)
}

func (f *Forge) listTeamMembers(c *call) answer {
	t := f.visibleTeam(c)
	if t == nil {
		return notFound()
	}
	return list(f, c, f.teamMembers(t), func(u *user) any { return f.userJSON(u) })
}

func (f *Forge) getTeamMembership(c *call) answer {
	t, u := f.visibleTeam(c), f.account(c.PathValue("username"))
	if t == nil || u == nil || f.teamState(t, u) == "" {
		return notFound()
	}
	return ok(object{"role": "member", "state": f.teamState(t, u), "url": f.URL +
		c.URL.EscapedPath()})
}

// teamRole is a team's permission on the repository, its parents' included.
func (f *Forge) teamRole(t *team) string {
	role := "none"
	for at := t; at != nil; at = at.parent {
		if atLeast(at.role, role) {
			role = at.role
		}
	}
	return role
}

// getTeamRepository: 404 without access; 204, or the repository when that media type is asked for.
func (f *Forge) getTeamRepository(c *call) answer {
	t := f.visibleTeam(c)
	if t == nil || f.teamRole(t) == "none" {
		return notFound()
	}
	if !strings.Contains(c.Header.Get("Accept"), "repository+json") {
		return noContent()
	}
	body := f.repositoryJSON(nil)
	body["permissions"], body["role_name"] = permissions(f.teamRole(t)), f.teamRole(t)
	return answer{status: http.StatusOK, body: body}
}

func (f *Forge) listRepositoryTeams(c *call) answer {
	var teams []*team
	for _, t := range f.teams {
		if f.teamRole(t) != "none" && (!t.secret || f.teamState(t, c.who.user) == "active") {
			teams = append(teams, t)
		}
	}
	return list(f, c, teams, func(t *team) any {
		body := f.teamJSON(t).(object)
		body["permission"] = map[string]string{"read": "pull", "write": "push",
			"admin": "admin"}[coarse(f.teamRole(t))]
		return body
	})
}
