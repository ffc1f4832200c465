package forge

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

// Recreate has another repository, of that number, stand under the name, with the same content: as
// when somebody renames the one that was there and pushes a copy of it.
func (f *Forge) Recreate(id int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.id = id
}

// repositoryJSON is the repository, or a user's fork of it.
func (f *Forge) repositoryJSON(fork *user) object {
	owner, id := any(object{"login": f.opts.Owner, "id": organizationID, "type": "Organization"}),
		f.id
	name := f.opts.Owner
	if fork != nil {
		owner, id, name = f.ghostJSON(fork), f.id*1000+fork.id, fork.login
	}
	full := name + "/" + f.opts.Repo
	return object{"id": id, "node_id": fmt.Sprintf("R_%d", id), "name": f.opts.Repo,
		"full_name": full, "owner": owner, "private": !f.setup.Public, "visibility": f.visibility(),
		"fork": fork != nil, "default_branch": "main", "url": f.URL + "/repos/" + full,
		"html_url": f.URL + "/" + full, "clone_url": f.URL + "/" + full + ".git",
		"allow_auto_merge": !f.setup.NoAutoMerge, "allow_merge_commit": true,
		"allow_squash_merge": f.setup.AnyMethod, "allow_rebase_merge": f.manners.Rebase,
		"delete_branch_on_merge": !f.setup.KeepBranches,
		"has_issues":             true}
}

func (f *Forge) getRepository(c *call) answer {
	body := f.repositoryJSON(nil)
	role := f.role(c.who.user)
	if c.who.app != nil {
		role = "read"
		if c.who.app.may("contents:write") {
			role = "write"
		}
	}
	body["permissions"] = permissions(role)
	return ok(body)
}

func (f *Forge) getRepositoryByID(c *call) answer {
	if c.number("id") != f.id || c.who.app == nil && f.role(c.who.user) == "none" {
		return notFound()
	}
	return f.getRepository(c)
}

// getOrganization shows the plan to owners only.
func (f *Forge) getOrganization(c *call) answer {
	body := object{"login": f.opts.Owner, "id": organizationID, "type": "Organization"}
	if f.role(c.who.user) == "admin" {
		plan := "team"
		if f.setup.FreePlan {
			plan = "free"
		}
		body["plan"] = object{"name": plan, "space": 1, "private_repos": 1}
	}
	return ok(body)
}

// owner is the form of an owner in CODEOWNERS: @user, @org/team or an e-mail address.
var owner = regexp.MustCompile(`^(@[A-Za-z0-9-]+|@[A-Za-z0-9-]+/[A-Za-z0-9_.-]+|[^@\s]+@[^@\s]+)$`)

func (f *Forge) listCodeownersErrors(c *call) answer {
	found, exists := f.codeownersErrors(c.URL.Query().Get("ref"))
	if !exists {
		return notFound()
	}
	return ok(object{"errors": found})
}

// codeownersErrors finds in the first CODEOWNERS of a ref, main when empty, the lines that GitHub
// would skip.
func (f *Forge) codeownersErrors(ref string) (found []any, exists bool) {
	if ref == "" {
		ref = "main"
	}
	sha := f.findCommit(ref)
	for _, name := range []string{".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"} {
		content, err := f.git.file(sha, name)
		if err != nil {
			continue
		}
		found = []any{}
		for i, line := range strings.Split(content, "\n") {
			text, _, _ := strings.Cut(line, "#")
			fields := strings.Fields(text)
			report := func(kind, word string) {
				found = append(found, object{"line": i + 1, "column": strings.Index(line, word) + 1,
					"source": line + "\n", "kind": kind, "path": name,
					"message": kind + " on line " + fmt.Sprint(i+1) + ": " + word})
			}
			for j, word := range fields {
				switch {
				case j == 0 && (strings.HasPrefix(word, "!") || strings.ContainsAny(word, "[]")):
					report("Invalid pattern", word)
				case j > 0 && !owner.MatchString(word):
					report("Invalid owner", word)
				case j > 0 && !f.ownerHasWrite(word):
					report("Unknown owner", word)
				}
			}
		}
		return found, true
	}
	return nil, false
}

// ownerHasWrite: users and teams must be visible and have write access; e-mail addresses must be an
// account's.
func (f *Forge) ownerHasWrite(word string) bool {
	name, isLogin := strings.CutPrefix(word, "@")
	if !isLogin {
		return atLeast(f.role(f.byEmail(word)), "write")
	}
	if strings.Contains(name, "/") {
		t := f.team(path.Base(name))
		return t != nil && !t.secret && strings.EqualFold(path.Dir(name), f.opts.Owner) &&
			atLeast(f.teamRole(t), "write")
	}
	return atLeast(f.role(f.account(name)), "write")
}
