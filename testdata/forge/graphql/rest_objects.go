package graphql

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// object is a git object by its name; nil when there is none.
func (r REST) object(name string) (any, error) {
	c, err := r.get("%s", r.repo("/git/commits/%s", name))
	if err != nil || c != nil {
		return r.commit(name, c), err
	}
	tree, err := r.get("%s", r.repo("/git/trees/%s", name))
	if err != nil || tree != nil {
		return r.folder(tree), err
	}
	blob, err := r.get("%s", r.repo("/git/blobs/%s", name))
	if err != nil || blob == nil {
		return nil, err
	}
	content, _ := within(blob, "content").(string)
	data, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(content, "\n", ""))
	found := object{"__typename": "Blob", "oid": name, "byteSize": len(data), "isTruncated": false,
		"isBinary": !utf8.Valid(data), "text": nil}
	if utf8.Valid(data) {
		found["text"] = string(data)
	}
	return found, err
}

func (r REST) commit(name string, c any) any {
	if c == nil {
		return nil
	}
	parents, _ := within(c, "parents").([]any)
	found := r.associated(name)
	found["committedDate"], found["message"] = within(c, "committer", "date"), within(c, "message")
	found["parents"] = r.connection(parents, func(v any) any { return object{"oid": within(v, "sha")} })
	found["tree"] = Field(func(map[string]any) (any, error) {
		tree, err := r.get("%s", r.repo("/git/trees/%s", within(c, "tree", "sha")))
		return r.folder(tree), err
	})
	found["history"] = Field(func(arguments map[string]any) (any, error) {
		query := url.Values{"sha": {name}, "per_page": {fmt.Sprint(arguments["first"])}}
		if path := arguments["path"]; path != nil {
			query.Set("path", fmt.Sprint(path))
		}
		commits, err := r.get("%s", r.repo("/commits?%s", query.Encode()))
		nodes, _ := commits.([]any)
		return r.connection(nodes, func(v any) any { return r.associated(fmt.Sprint(within(v, "sha"))) }),
			err
	})
	return found
}

func (r REST) folder(tree any) any {
	if tree == nil {
		return nil
	}
	entries, _ := within(tree, "tree").([]any)
	all := []any{}
	for _, e := range entries {
		mode, _ := strconv.ParseInt(fmt.Sprint(within(e, "mode")), 8, 64)
		size := within(e, "size")
		if size == nil {
			size = 0
		}
		all = append(all, object{"name": within(e, "path"), "mode": mode, "type": within(e, "type"),
			"oid": within(e, "sha"), "size": size, "object": Field(func(map[string]any) (any, error) {
				return r.object(fmt.Sprint(within(e, "sha")))
			})})
	}
	return object{"__typename": "Tree", "oid": within(tree, "sha"), "entries": all}
}

// collaborators has the one with a login, when they may do anything.
func (r REST) collaborators(login string) (any, error) {
	found, err := r.get("%s", r.repo("/collaborators/%s/permission", login))
	if err != nil {
		return nil, err
	}
	edges := []any{}
	words := map[any]string{"admin": "ADMIN", "maintain": "MAINTAIN", "write": "WRITE",
		"triage": "TRIAGE", "read": "READ"}
	if word, ok := words[within(found, "role_name")]; ok && within(found, "user") != nil {
		edges = append(edges, object{"permission": word, "node": account(within(found, "user"))})
	}
	return object{"edges": edges, "totalCount": len(edges)}, nil
}

func (r REST) user(login string) (any, error) {
	found, err := r.get("%s", r.repo("/collaborators/%s/permission", login))
	if err != nil || within(found, "user") == nil {
		return nil, err
	}
	who := account(within(found, "user")).(object)
	who["organization"] = Field(func(arguments map[string]any) (any, error) {
		member, err := r.get("/orgs/%s/members/%s", arguments["login"], login)
		if err != nil || member == nil {
			return nil, err
		}
		return object{"login": arguments["login"]}, nil
	})
	return who, nil
}

func (r REST) organization(login string) (any, error) {
	return object{"login": login, "team": Field(func(arguments map[string]any) (any, error) {
		slug := arguments["slug"]
		team, err := r.get("/orgs/%s/teams/%s", login, slug)
		if err != nil || team == nil {
			return nil, err
		}
		return object{"slug": within(team, "slug"), "databaseId": within(team, "id"),
			"members": Field(func(arguments map[string]any) (any, error) {
				who := arguments["query"]
				membership, err := r.get("/orgs/%s/teams/%s/memberships/%s", login, slug, who)
				nodes := []any{}
				if within(membership, "state") == "active" {
					nodes = append(nodes, object{"__typename": "User", "login": who, "databaseId": 1})
				}
				return object{"nodes": nodes, "totalCount": len(nodes)}, err
			})}, nil
	})}, nil
}
