package forge

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// user is an account: a person, or the bot of an App.
type user struct {
	id          int64
	login, name string
	kind        string // User or Bot
	emails      []string
	role        string // own permission on the repository; teams may add to it
	deleted     bool
}

// identity is who makes a call: nobody, a user, or an App (whose bot is then the user).
type identity struct {
	user    *user
	app     *app
	expires time.Time // never when zero
}

func (i identity) login() string {
	if i.user == nil {
		return ""
	}
	return i.user.login
}

// roles in rising order, as GitHub names them in role_name.
var roles = []string{"none", "read", "triage", "write", "maintain", "admin"}

func atLeast(role, needed string) bool {
	return slices.Index(roles, role) >= slices.Index(roles, needed)
}

// AddUser makes an account of type User that is an active member of the organisation and reads the
// repository. Commits with one of emails, or with one of its two noreply addresses, are attributed
// to it.
func (f *Forge) AddUser(login string, id int64, emails ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.addUser(login, id, "User", emails...)
	f.members[strings.ToLower(login)] = "active"
}

// AddBot makes an account of type Bot that is no App's and no member, with read permission.
func (f *Forge) AddBot(login string, id int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.addUser(login, id, "Bot")
}

func (f *Forge) addUser(login string, id int64, kind string, emails ...string) *user {
	u := &user{id: id, login: login, name: login, kind: kind, emails: emails, role: "read"}
	f.users[strings.ToLower(login)] = u
	f.tokens[f.Token(login)] = identity{user: u}
	return u
}

// webFlow is the account GitHub signs its own merge commits as.
const webFlow = "web-flow"

func (f *Forge) addBuiltinAccounts() {
	f.addUser(webFlow, 19864447, "User", "noreply@github.com").role = "none"
	f.addUser("ghost", 10137, "User").role = "none"
	f.addApp(actionsSlug, 15368, 41898282, map[string]string{
		"checks": "write", "contents": "read", "pull_requests": "write", "statuses": "write",
		"issues": "write",
	})
}

// Token is the bearer token of a user, to be used as the basic auth password too. For an App or the
// Actions token, see AppToken and ActionsToken.
func (f *Forge) Token(login string) string { return "forge-token-" + strings.ToLower(login) }

// DeleteUser removes an account as GitHub does: its reviews, comments and commits stay, with user
// null.
func (f *Forge) DeleteUser(login string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if u := f.account(login); u != nil {
		u.deleted = true
		f.forget(login)
	}
}

// RenameUser gives an account another login; the old one, its token and its noreply addresses
// become free.
func (f *Forge) RenameUser(login, to string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	u := f.account(login)
	if u == nil {
		return
	}
	state := f.members[strings.ToLower(login)]
	f.forget(login)
	u.login = to
	f.users[strings.ToLower(to)], f.tokens[f.Token(to)] = u, identity{user: u}
	if state != "" {
		f.members[strings.ToLower(to)] = state
	}
}

func (f *Forge) forget(login string) {
	delete(f.users, strings.ToLower(login))
	delete(f.members, strings.ToLower(login))
	delete(f.tokens, f.Token(login))
}

// SetPermission sets a user's own permission: admin, maintain, write, triage, read or none.
func (f *Forge) SetPermission(login, role string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.Contains(roles, role) {
		panic("forge: unknown permission " + role)
	}
	f.mustAccount(login).role = role
}

// SetMember sets a user's membership of the organisation: active, pending or "" for none.
func (f *Forge) SetMember(login, state string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mustAccount(login)
	f.members[strings.ToLower(login)] = state
}

// account finds an existing account by login, in any case.
func (f *Forge) account(login string) *user { return f.users[strings.ToLower(login)] }

// mustAccount is account for the test's own helpers, where an unknown login is a mistake in the
// test.
func (f *Forge) mustAccount(login string) *user {
	u := f.account(login)
	if u == nil {
		panic("forge: no user " + login)
	}
	return u
}

func (f *Forge) sortedUsers() []*user {
	return slices.SortedFunc(maps.Values(f.users), func(a, b *user) int {
		return cmp.Compare(a.login,
			b.login)
	})
}

// byEmail finds the account a commit with this e-mail address is attributed to, or nil.
func (f *Forge) byEmail(email string) *user {
	email = strings.ToLower(email)
	for _, u := range f.sortedUsers() {
		if email == u.noreply() || email == strings.ToLower(u.login)+"@users.noreply.github.com" ||
			slices.ContainsFunc(u.emails, func(e string) bool {
				return strings.ToLower(
					e) == email
			}) {
			return u
		}
	}
	return nil
}

// noreply is the address GitHub writes into commits it makes for this account.
func (u *user) noreply() string {
	return fmt.Sprintf("%d+%s@users.noreply.github.com", u.id, strings.ToLower(u.login))
}

// json is the account as GitHub embeds it; null for none and for a deleted one.
func (f *Forge) userJSON(u *user) any {
	if u == nil || u.deleted {
		return nil
	}
	api := f.URL + "/users/" + u.login
	return object{"login": u.login, "id": u.id, "node_id": fmt.Sprintf("U_%d", u.id),
		"type": u.kind,
		"url":  api, "html_url": f.URL + "/" + u.login,
		"site_admin": false, "repos_url": api + "/repos", "organizations_url": api + "/orgs"}
}

// ghostJSON is userJSON where GitHub shows the ghost account in the place of a deleted one.
func (f *Forge) ghostJSON(u *user) any {
	if u == nil || u.deleted {
		u = f.account("ghost")
	}
	return f.userJSON(u)
}

// role is what a user may do: the most of its own permission and those of its teams.
func (f *Forge) role(u *user) string {
	if u == nil || u.deleted {
		return "none"
	}
	best := u.role
	for _, t := range f.teams {
		if f.teamState(t, u) != "active" {
			continue
		}
		for at := t; at != nil; at = at.parent { // a child team has its parents' access
			if atLeast(at.role, best) {
				best = at.role
			}
		}
	}
	return best
}

func (f *Forge) getUser(c *call) answer {
	if c.who.app != nil { // an installation is no user
		return forbidden("Resource not accessible by integration")
	}
	return f.profile(c.who.user)
}

func (f *Forge) getUserByLogin(c *call) answer { return f.profile(f.account(c.PathValue("username"))) }

func (f *Forge) getUserByID(c *call) answer {
	for _, u := range f.users {
		if u.id == c.number("account_id") {
			return f.profile(u)
		}
	}
	return notFound()
}

func (f *Forge) profile(u *user) answer {
	body, found := f.userJSON(u).(object)
	if !found {
		return notFound()
	}
	body["name"], body["user_view_type"] = u.name, "public"
	return ok(body)
}

func (f *Forge) getPermission(c *call) answer {
	u := f.account(c.PathValue("username"))
	if u == nil {
		return notFound()
	}
	role := f.role(u)
	body := f.userJSON(u).(object)
	body["permissions"], body["role_name"] = permissions(role), role
	return ok(object{"permission": coarse(role), "role_name": role, "user": body})
}

// coarse is the older, coarser word for a role: "the maintain role is mapped to write and the
// triage role to read".
func coarse(role string) string {
	switch role {
	case "maintain":
		return "write"
	case "triage":
		return "read"
	}
	return role
}

func permissions(role string) object {
	return object{"pull": atLeast(role, "read"), "triage": atLeast(role, "triage"),
		"push":     atLeast(role, "write"),
		"maintain": atLeast(role, "maintain"), "admin": role == "admin"}
}

func (f *Forge) isCollaborator(c *call) answer {
	if u := f.account(c.PathValue("username")); u != nil && f.role(u) != "none" {
		return noContent()
	}
	return notFound()
}

func (f *Forge) getRateLimit(c *call) answer {
	rate := object{"limit": 5000, "remaining": 4999, "used": 1, "reset": f.now().Unix() + 3600}
	return ok(object{"resources": object{"core": rate, "search": rate, "graphql": f.budget(c.who).json(
		f.opts.Points)}, "rate": rate})
}

// isMember: 204 a member, 404 none, 302 when the asker is none himself and is sent to the public
// members.
func (f *Forge) isMember(c *call) answer {
	if c.who.app == nil && f.members[strings.ToLower(c.who.login())] != "active" {
		return answer{status: http.StatusFound, header: http.Header{"Location": {f.URL + "/orgs/" +
			f.opts.Owner + "/public_members/" + c.PathValue("username")}}}
	}
	if f.members[strings.ToLower(c.PathValue("username"))] == "active" {
		return noContent()
	}
	return notFound()
}

func (f *Forge) getMembership(c *call) answer {
	u := f.account(c.PathValue("username"))
	if u == nil || f.members[strings.ToLower(u.login)] == "" {
		return notFound()
	}
	return ok(object{"state": f.members[strings.ToLower(u.login)], "role": "member",
		"user":         f.userJSON(u),
		"organization": object{"login": f.opts.Owner, "id": organizationID}})
}
