package forge

import (
	"slices"
	"strconv"
	"strings"

	"github.com/pullgrant/pullgrant/testdata/forge/graphql"
)

// named is the repository, or a user's fork of it, as far as others tell of it.
func (q asking) named(fork *user) object {
	json := q.repositoryJSON(fork)
	owner := object{"__typename": "Organization", "login": q.opts.Owner}
	if fork != nil {
		owner = object{"__typename": "User", "login": fork.login}
	}
	return object{"databaseId": id32(json["id"].(int64)), "name": json["name"], "owner": owner,
		"isInOrganization": fork == nil}
}

func (q asking) repository() object {
	graph := q.named(nil)
	ref := func(name string) (any, error) {
		sha := q.git.ref(name)
		if sha == "" || hidden(name) {
			return nil, nil
		}
		target, err := q.commit(sha)
		return object{"name": strings.TrimPrefix(name, "refs/heads/"), "target": target}, err
	}
	graph["defaultBranchRef"] = q.allowed(contents, func(object) (any, error) {
		return ref("refs/heads/main")
	})
	graph["ref"] = q.allowed(contents, func(arguments object) (any, error) {
		return ref("refs/" + strings.TrimPrefix(text(arguments, "qualifiedName"), "refs/"))
	})
	graph["object"] = q.allowed(contents, func(arguments object) (any, error) {
		if oid := text(arguments, "oid"); oid != "" {
			return q.found(oid)
		}
		return q.found(text(arguments, "expression"))
	})
	graph["codeowners"] = q.allowed(contents, func(arguments object) (any, error) {
		found, exists := q.codeownersErrors(text(arguments, "refName"))
		if !exists {
			return nil, nil
		}
		return object{"errors": found}, nil
	})
	graph["collaborators"] = q.allowed(metadata, q.collaborators)
	graph["pullRequests"] = q.allowed(pulls, window(q.pullsList, func(p *pull) any {
		return q.pull(p)
	}))
	graph["pullRequest"] = q.allowed(pulls, func(arguments object) (any, error) {
		for _, p := range q.pulls {
			if text(arguments, "number") == strconv.Itoa(p.number) {
				return q.pull(p), nil
			}
		}
		return nil, unresolved("PullRequest with the number of %s", text(arguments, "number"))
	})
	return graph
}

// collaborators are the people with any permission; query finds them by a part of the login.
func (q asking) collaborators(arguments object) (any, error) {
	login, part := text(arguments, "login"), strings.ToLower(text(arguments, "query"))
	people := slices.DeleteFunc(q.sortedUsers(), func(u *user) bool {
		return u.kind != "User" || q.role(u) == "none" ||
			login != "" && !strings.EqualFold(u.login, login) || !matches(u, part)
	})
	found, err := connection(q, arguments, people, func(u *user) any { return q.person(u) })
	if err != nil {
		return nil, err
	}
	edges := []any{}
	for _, node := range found["nodes"].([]any) {
		u := q.Forge.account(node.(object)["login"].(string))
		edges = append(edges, object{"permission": strings.ToUpper(q.role(u)), "node": node})
	}
	found["edges"] = edges
	return found, nil
}

// matches tells whether a person is found by a part of the login or the name.
func matches(u *user, part string) bool {
	return strings.Contains(strings.ToLower(u.login), part) ||
		strings.Contains(strings.ToLower(u.name), part)
}

// account is an Actor; null when it is deleted. GraphQL writes the login of a bot without [bot].
func (q asking) account(u *user) any {
	if u == nil || u.deleted {
		return nil
	}
	if u.kind == "User" {
		return q.person(u)
	}
	return object{"__typename": u.kind, "login": strings.TrimSuffix(u.login, "[bot]"),
		"databaseId": id32(u.id)}
}

// person is a User; null for a bot.
func (q asking) person(u *user) any {
	if u == nil || u.deleted || u.kind != "User" {
		return nil
	}
	return object{"__typename": "User", "login": u.login, "name": u.name, "databaseId": id32(u.id),
		"organization": q.allowed(members, func(arguments object) (any, error) {
			if !strings.EqualFold(text(arguments, "login"), q.opts.Owner) ||
				q.members[strings.ToLower(u.login)] != "active" {
				return nil, nil
			}
			return q.organization(), nil
		})}
}

// actor is the author or the committer of a commit: with an account only when it is a person's.
func (q asking) actor(i Identity) object {
	return object{"name": i.Name, "email": i.Email, "date": stamp(i.When),
		"user": q.person(q.byEmail(i.Email))}
}

func (q asking) organization() object {
	return object{"login": q.opts.Owner, "databaseId": organizationID,
		"team": q.allowed(members, func(arguments object) (any, error) {
			t := q.shown(q.Forge.team(text(arguments, "slug")), q.call.who)
			if t == nil {
				return nil, nil
			}
			return q.team(t), nil
		})}
}

// team tells its active members: by default those of child teams too.
func (q asking) team(t *team) object {
	return object{"slug": t.slug, "name": t.slug, "databaseId": id32(t.id),
		"members": graphql.Field(func(arguments object) (any, error) {
			part := strings.ToLower(text(arguments, "query"))
			people := slices.DeleteFunc(q.teamMembers(t), func(u *user) bool {
				own := t.members[u] == "active"
				switch text(arguments, "membership") {
				case "IMMEDIATE":
					return !own || !matches(u, part)
				case "CHILD_TEAM":
					return own || !matches(u, part)
				}
				return !matches(u, part)
			})
			return connection(q, arguments, people, func(u *user) any { return q.person(u) })
		})}
}
