package forge

import (
	"crypto/rsa"
	"net/http"
	"strings"
)

// app is a GitHub App installed on the organisation.
type app struct {
	slug   string
	id     int64
	bot    *user
	rights map[string]string // permission name -> read or write
	key    *rsa.PublicKey    // nil: no JWT of it is accepted
}

// actionsSlug is the App behind the GITHUB_TOKEN of a workflow.
const actionsSlug = "github-actions"

// AddApp installs a GitHub App. Calls with its AppToken are made by the account SLUG[bot] of type
// Bot (its id is the App's plus 100000); check runs are attributed to the App. Without rights it
// may read everything and write checks, contents, issues, pull requests and statuses; else exactly
// the rights given as "name:read" or "name:write".
func (f *Forge) AddApp(slug string, id int64, rights ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	granted := granted(rights)
	if len(rights) == 0 {
		granted = map[string]string{"members": "read", "administration": "read", "actions": "read",
			"checks": "write", "contents": "write", "issues": "write",
			"pull_requests": "write", "statuses": "write"}
	}
	f.addApp(slug, id, id+100000, granted)
}

func granted(rights []string) map[string]string {
	all := map[string]string{"metadata": "read"}
	for _, right := range rights {
		name, level, _ := strings.Cut(right, ":")
		all[name] = level
	}
	return all
}

// SetAppRights gives an App that is there exactly the rights, as AddApp has them, and no others.
func (f *Forge) SetAppRights(slug string, rights ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.apps[slug].rights = granted(rights)
}

func (f *Forge) addApp(slug string, id, botID int64, rights map[string]string) {
	rights["metadata"] = "read"
	login := slug + "[bot]"
	bot := &user{id: botID, login: login, name: login, kind: "Bot", role: "none"}
	f.users[strings.ToLower(login)] = bot
	a := &app{slug: slug, id: id, bot: bot, rights: rights}
	f.apps[slug], f.tokens[f.AppToken(slug)] = a, identity{user: bot, app: a}
}

// AppToken is the installation token of an App.
func (f *Forge) AppToken(slug string) string { return "forge-app-token-" + slug }

// ActionsToken is a workflow's GITHUB_TOKEN: the account github-actions[bot], which may write
// checks, comments and reviews but gets 403 on members and teams of the organisation.
func (f *Forge) ActionsToken() string { return f.AppToken(actionsSlug) }

func (a *app) may(right string) bool {
	name, level, _ := strings.Cut(right, ":")
	has := a.rights[name]
	return has == "write" || has == "read" && level == "read"
}

func (f *Forge) appJSON(a *app) any {
	if a == nil {
		return nil
	}
	return object{"id": a.id, "slug": a.slug, "name": a.slug, "owner": object{"login": f.opts.Owner,
		"id": organizationID, "type": "Organization"},
		"permissions": a.rights}
}

// need is what an operation asks of its caller: a right of an App, a permission of a user. jwt
// leaves it to the operation.
type need struct {
	right, role string
	jwt         bool
}

// authorise returns the refusal for a caller, or an answer without a status. A private repository
// does not exist for those who cannot read it.
func (f *Forge) authorise(who identity, n need, r *http.Request) answer {
	owner, repo := r.PathValue("owner"), r.PathValue("repo")
	org := r.PathValue("org")
	switch {
	case n.jwt:
		return answer{}
	case who.user == nil:
		return refuse(http.StatusUnauthorized, "Bad credentials")
	case owner != "" && !strings.EqualFold(owner+"/"+repo, f.fullName()), org != "" &&
		!strings.EqualFold(org, f.opts.Owner):
		return notFound()
	case who.app != nil && n.right != "" && !who.app.may(n.right):
		return forbidden("Resource not accessible by integration")
	case who.app == nil && owner != "" && !atLeast(f.role(who.user), "read"):
		return notFound()
	case who.app == nil && n.role != "" && !atLeast(f.role(who.user), n.role):
		return forbidden("Must have " + n.role + " rights to Repository.")
	}
	return answer{}
}

// authenticate finds who a bearer token, or a basic auth password, belongs to, and the login at
// that moment.
func (f *Forge) authenticate(r *http.Request) (identity, string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	who := f.authenticateLocked(r)
	return who, who.login()
}

func (f *Forge) authenticateLocked(r *http.Request) identity {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if _, password, basic := r.BasicAuth(); basic {
		token = password
	} else if !strings.EqualFold(scheme, "bearer") && !strings.EqualFold(scheme, "token") {
		return identity{}
	}
	who := f.tokens[token]
	if !who.expires.IsZero() && !f.now().Before(who.expires) {
		return identity{}
	}
	return who
}
