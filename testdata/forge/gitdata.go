package forge

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"time"
)

func (f *Forge) refJSON(name, sha string) any {
	return object{"ref": name, "node_id": "REF_" + name, "url": f.repoURL("/git/" + name),
		"object": object{"type": "commit", "sha": sha, "url": f.repoURL("/git/commits/" + sha)}}
}

func (f *Forge) getRef(c *call) answer {
	name := "refs/" + c.PathValue("ref")
	sha := f.git.ref(name)
	if sha == "" || hidden(name) {
		return notFound()
	}
	return ok(f.refJSON(name, sha))
}

func hidden(ref string) bool { return strings.HasPrefix(ref, "refs/forks/") }

func (f *Forge) listMatchingRefs(c *call) answer {
	refs, names, err := f.git.refs("refs/")
	if err != nil {
		return fault(err)
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		return hidden(name) || !strings.HasPrefix(name, "refs/"+c.PathValue("ref"))
	})
	return list(f, c, names, func(name string) any { return f.refJSON(name, refs[name]) })
}

func (f *Forge) createRef(c *call) answer {
	var in struct{ Ref, SHA string }
	if !c.into(&in) || !strings.HasPrefix(in.Ref, "refs/") || strings.Count(in.Ref, "/") < 2 {
		return refuse(http.StatusUnprocessableEntity, "Reference name must start with 'refs/' "+
			"and contain at least two slashes.")
	}
	sha, err := f.git.resolve(in.SHA, "commit")
	switch {
	case err != nil:
		return refuse(http.StatusUnprocessableEntity, "Object does not exist")
	case f.git.ref(in.Ref) != "":
		return refuse(http.StatusUnprocessableEntity, "Reference already exists")
	}
	if a := f.guard(c, in.Ref); a.status != 0 {
		return a
	}
	if err := f.moveRef(c.who.user, in.Ref, sha, ""); err != nil {
		return refuse(http.StatusUnprocessableEntity, "Reference name is not valid")
	}
	return created(f.refJSON(in.Ref, sha))
}

func (f *Forge) updateRef(c *call) answer {
	var in struct {
		SHA   string
		Force bool
	}
	name := "refs/" + c.PathValue("ref")
	old := f.git.ref(name)
	sha, err := "", error(nil)
	if c.into(&in) {
		sha, err = f.git.resolve(in.SHA, "commit")
	}
	switch {
	case old == "" || hidden(name):
		return refuse(http.StatusUnprocessableEntity, "Reference does not exist")
	case err != nil || sha == "":
		return refuse(http.StatusUnprocessableEntity, "Object does not exist")
	case !in.Force && !f.git.contains(sha, old):
		return refuse(http.StatusUnprocessableEntity, "Update is not a fast forward")
	}
	if a := f.guard(c, name); a.status != 0 {
		return a
	}
	if err := f.moveRef(c.who.user, name, sha, ""); err != nil {
		return fault(err)
	}
	return ok(f.refJSON(name, sha))
}

func (f *Forge) deleteRef(c *call) answer {
	name := "refs/" + c.PathValue("ref")
	if f.git.ref(name) == "" || hidden(name) {
		return refuse(http.StatusUnprocessableEntity, "Reference does not exist")
	}
	if a := f.guard(c, name); a.status != 0 {
		return a
	}
	if err := f.moveRef(c.who.user, name, "", ""); err != nil {
		return fault(err)
	}
	return noContent()
}

// guard refuses what the rules keep from the caller: main, unless he bypasses them; and refs/pull
// always.
func (f *Forge) guard(c *call, ref string) answer {
	if strings.HasPrefix(ref, "refs/pull/") {
		return refuse(http.StatusUnprocessableEntity, "Reference cannot be updated")
	}
	if ref == "refs/heads/main" && !f.bypasses(c.who.user) {
		return refuse(http.StatusUnprocessableEntity, "Repository rule violations "+
			"found\n\nChanges must be made through a pull request.\n\n")
	}
	return answer{}
}

func (f *Forge) getBlob(c *call) answer {
	sha, err := f.git.resolve(c.PathValue("file_sha"), "blob")
	if err != nil {
		return notFound()
	}
	content, err := f.git.content(sha, "blob")
	if err != nil {
		return fault(err)
	}
	if strings.Contains(c.Header.Get("Accept"), ".raw") {
		return ok(raw(content))
	}
	return ok(object{"sha": sha, "node_id": "B_" + sha, "size": len(content),
		"url":      f.repoURL("/git/blobs/" + sha),
		"encoding": "base64", "content": wrap(base64.StdEncoding.EncodeToString([]byte(content)))})
}

// wrap breaks base64 into lines of 60, as GitHub does.
func wrap(s string) string {
	var b strings.Builder
	for chunk := range slices.Chunk([]byte(s), 60) {
		b.Write(chunk)
		b.WriteByte('\n')
	}
	return b.String()
}

func (f *Forge) createBlob(c *call) answer {
	var in struct{ Content, Encoding string }
	if !c.into(&in) {
		return invalid()
	}
	if in.Encoding == "base64" {
		data, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(in.Content, "\n", ""))
		if err != nil {
			return refuse(http.StatusUnprocessableEntity, "content is not valid Base64")
		}
		in.Content = string(data)
	}
	sha, err := f.git.writeBlob(in.Content)
	if err != nil {
		return fault(err)
	}
	return created(object{"sha": sha, "url": f.repoURL("/git/blobs/" + sha)})
}

func (f *Forge) treeJSON(sha string, entries []entry) any {
	tree := []any{}
	for _, e := range entries {
		item := object{"path": e.Path, "mode": e.Mode, "type": e.Type, "sha": e.SHA}
		if e.Type == "blob" {
			item["url"] = f.repoURL("/git/blobs/" + e.SHA)
			item["size"] = jsonNumber(e.Size)
		} else if e.Type == "tree" {
			item["url"] = f.repoURL("/git/trees/" + e.SHA)
		}
		tree = append(tree, item)
	}
	return object{"sha": sha, "url": f.repoURL("/git/trees/" + sha), "truncated": false,
		"tree": tree}
}

func (f *Forge) getTree(c *call) answer {
	sha, err := f.git.resolve(c.PathValue("tree_sha"), "tree")
	if err != nil {
		if sha, err = f.git.resolve("refs/heads/"+c.PathValue("tree_sha"), "tree"); err != nil {
			return notFound()
		}
	}
	entries, err := f.git.tree(sha, c.URL.Query().Has("recursive"))
	if err != nil {
		return fault(err)
	}
	return ok(f.treeJSON(sha, entries))
}

func (f *Forge) createTree(c *call) answer {
	var in struct {
		BaseTree string `json:"base_tree"`
		Tree     []struct {
			Path, Mode, Type string
			SHA, Content     *string
		}
	}
	if !c.into(&in) || len(in.Tree) == 0 {
		return refuse(http.StatusUnprocessableEntity, "Invalid tree info")
	}
	base := ""
	if in.BaseTree != "" {
		sha, err := f.git.resolve(in.BaseTree, "tree")
		if err != nil {
			return refuse(http.StatusUnprocessableEntity, "base_tree is not a valid tree oid")
		}
		base = sha
	}
	var entries []entry
	for _, item := range in.Tree {
		e := entry{Mode: item.Mode, Type: item.Type, Path: item.Path}
		switch {
		case item.Content != nil:
			sha, err := f.git.writeBlob(*item.Content)
			if err != nil {
				return fault(err)
			}
			e.SHA = sha
		case item.SHA != nil:
			if _, err := f.git.resolve(*item.SHA, "object"); err != nil {
				return refuse(http.StatusUnprocessableEntity, "tree.sha "+*item.SHA+
					" is not a valid blob")
			}
			e.SHA = *item.SHA
		}
		entries = append(entries, e)
	}
	sha, err := f.git.writeTree(base, entries)
	if err != nil {
		return refuse(http.StatusUnprocessableEntity,
			"tree.path contains a malformed path component")
	}
	top, err := f.git.tree(sha, false)
	if err != nil {
		return fault(err)
	}
	return created(f.treeJSON(sha, top))
}

func (f *Forge) gitCommitJSON(sha string) any {
	c, err := f.git.commit(sha)
	if err != nil {
		return nil
	}
	parents := []any{}
	for _, p := range c.Parents {
		parents = append(parents, object{"sha": p, "url": f.repoURL("/git/commits/" + p),
			"html_url": f.URL + "/" + f.fullName() + "/commit/" + p})
	}
	return object{"sha": sha, "node_id": "C_" + sha, "url": f.repoURL("/git/commits/" + sha),
		"author": identityJSON(c.Author), "committer": identityJSON(c.Committer),
		"message": c.Message, "tree": object{"sha": c.Tree,
			"url": f.repoURL("/git/trees/" + c.Tree)},
		"parents": parents, "verification": f.verification(c)}
}

func (f *Forge) getGitCommit(c *call) answer {
	body := f.gitCommitJSON(c.PathValue("commit_sha"))
	if body == nil {
		return notFound()
	}
	return ok(body)
}

// createGitCommit: the author defaults to the caller and now, the committer to the author. GitHub
// signs what an App commits as itself.
func (f *Forge) createGitCommit(c *call) answer {
	type person struct {
		Name, Email string
		Date        *time.Time
	}
	var in struct {
		Message, Tree, Signature string
		Parents                  []string
		Author, Committer        *person
	}
	if !c.into(&in) {
		return invalid()
	}
	tree, err := f.git.resolve(in.Tree, "tree")
	if err != nil {
		return refuse(http.StatusUnprocessableEntity, "Tree SHA does not exist")
	}
	for _, p := range in.Parents {
		if _, err := f.git.resolve(p, "commit"); err != nil {
			return refuse(http.StatusUnprocessableEntity, "Parent SHA does not exist or is not "+
				"a commit object")
		}
	}
	fill := func(p *person, or Identity) Identity {
		if p == nil {
			return or
		}
		or = Identity{Name: p.Name, Email: p.Email, When: f.now()}
		if p.Date != nil {
			or.When = p.Date.UTC()
		}
		return or
	}
	author := fill(in.Author, f.identity(c.who.user))
	commit := commitObject{Tree: tree, Parents: in.Parents, Author: author,
		Committer: fill(in.Committer, author), Message: in.Message, Signature: in.Signature}
	sha, err := f.git.writeCommit(commit)
	if err != nil {
		return fault(err)
	}
	f.signed[sha] = f.signed[sha] || c.who.app != nil && in.Author == nil && in.Committer == nil &&
		in.Signature == ""
	return created(f.gitCommitJSON(sha))
}

// identity is the author line of commits GitHub makes for an account.
func (f *Forge) identity(u *user) Identity { return Identity{u.name, u.noreply(), f.now()} }
