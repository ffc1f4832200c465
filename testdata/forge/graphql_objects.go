package forge

import (
	"path"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pullgrant/pullgrant/testdata/forge/graphql"
)

// maxText is how much of a file GraphQL gives.
const maxText = 512 << 10

// found is the git object of a name, or of an expression as git has it; null when there is none.
func (q asking) found(expression string) (any, error) {
	sha, kind, err := q.git.object(expression)
	if err != nil {
		return nil, nil
	}
	switch kind {
	case "commit":
		return q.commit(sha)
	case "tree":
		return q.tree(sha), nil
	case "blob":
		return q.blob(sha), nil
	}
	return nil, nil
}

func (q asking) commit(sha string) (any, error) {
	c, err := q.git.commit(sha)
	if err != nil {
		return nil, nil
	}
	headline, _, _ := strings.Cut(c.Message, "\n")
	return object{"__typename": "Commit", "oid": sha, "message": c.Message,
		"messageHeadline": headline, "authoredDate": stamp(c.Author.When),
		"committedDate": stamp(c.Committer.When), "author": q.actor(c.Author),
		"committer": q.actor(c.Committer), "tree": q.tree(c.Tree),
		"authors": listed(q, func(object) ([]Identity, error) { return authorsOf(c), nil },
			func(i Identity) any { return q.actor(i) }),
		"parents": listed(q, func(object) ([]string, error) { return c.Parents, nil }, q.commitNode),
		"history": listed(q, func(arguments object) ([]string, error) {
			return q.history(sha, text(arguments, "path"))
		}, q.commitNode),
		"associatedPullRequests": q.allowed(pulls, listed(q, func(object) ([]*pull, error) {
			return q.pullsOf(sha), nil
		}, func(p *pull) any { return q.pull(p) })),
		"file": graphql.Field(func(arguments object) (any, error) {
			return q.entryAt(sha, text(arguments, "path")), nil
		}),
	}, nil
}

func (q asking) commitNode(sha string) any {
	c, _ := q.commit(sha)
	return c
}

// authorsOf are whom GitHub shows as the authors of a commit: its own, and those of its trailers.
func authorsOf(c commitObject) []Identity {
	all := []Identity{c.Author}
	for _, m := range trailer.FindAllStringSubmatch(c.Message, -1) {
		all = append(all, Identity{Name: strings.TrimSpace(m[1]), Email: m[2], When: c.Author.When})
	}
	return all
}

func (q asking) tree(sha string) object {
	return object{"__typename": "Tree", "oid": sha,
		"entries": graphql.Field(func(object) (any, error) {
			entries, err := q.git.tree(sha, false)
			all := []any{}
			for _, e := range entries {
				all = append(all, q.entry(e, ""))
			}
			return all, err
		})}
}

// entry is an entry of the folder with that path.
func (q asking) entry(e entry, folder string) object {
	mode, _ := strconv.ParseInt(e.Mode, 8, 32)
	size, _ := strconv.Atoi(e.Size) // 0 of what is no file
	return object{"name": e.Path, "path": path.Join(folder, e.Path), "mode": mode, "type": e.Type,
		"oid": e.SHA, "size": size,
		"object": graphql.Field(func(object) (any, error) { return q.found(e.SHA) })}
}

// entryAt is what a commit has at a path; null when it has nothing.
func (q asking) entryAt(sha, at string) any {
	tree, kind, err := q.git.object(sha + ":" + strings.TrimPrefix(path.Dir(at), "."))
	if err != nil || kind != "tree" {
		return nil
	}
	entries, _ := q.git.tree(tree, false)
	for _, e := range entries {
		if e.Path == path.Base(at) {
			return q.entry(e, path.Dir(at))
		}
	}
	return nil
}

// blob is a file; its text is null when it is none, and only the beginning of a large one.
func (q asking) blob(sha string) object {
	content, _ := q.git.content(sha, "blob")
	binary := strings.Contains(content, "\x00") || !utf8.ValidString(content)
	blob := object{"__typename": "Blob", "oid": sha, "byteSize": len(content), "isBinary": binary,
		"isTruncated": len(content) > maxText, "text": nil}
	if !binary {
		blob["text"] = strings.ToValidUTF8(content[:min(len(content), maxText)], "")
	}
	return blob
}
