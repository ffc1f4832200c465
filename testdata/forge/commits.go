package forge

import (
	"net/http"
	"slices"
	"strings"
)

// commitJSON is a commit as the repository API shows it: author and committer are the accounts
// their e-mails belong to, or null.
func (f *Forge) commitJSON(sha string) any {
	c, err := f.git.commit(sha)
	if err != nil {
		return nil
	}
	parents := []any{}
	for _, p := range c.Parents {
		parents = append(parents, object{"sha": p, "url": f.repoURL("/commits/" + p),
			"html_url": f.URL + "/" + f.fullName() + "/commit/" + p})
	}
	return object{
		"sha": sha, "node_id": "C_" + sha, "url": f.repoURL("/commits/" + sha), "html_url": f.URL +
			"/" + f.fullName() + "/commit/" + sha,
		"commit": object{
			"author": identityJSON(c.Author), "committer": identityJSON(c.Committer),
			"message": c.Message, "comment_count": 0,
			"tree":         object{"sha": c.Tree, "url": f.repoURL("/git/trees/" + c.Tree)},
			"verification": f.verification(c),
		},
		"author":    f.userJSON(f.byEmail(c.Author.Email)),
		"committer": f.userJSON(f.byEmail(c.Committer.Email)), "parents": parents,
	}
}

func identityJSON(i Identity) object {
	return object{"name": i.Name, "email": i.Email, "date": stamp(i.When)}
}

// verification: commits GitHub made are valid; of the others it knows no keys.
func (f *Forge) verification(c commitObject) object {
	switch {
	case f.signed[c.SHA]:
		return object{"verified": true, "reason": "valid", "signature": c.Signature,
			"payload": c.Payload, "verified_at": stamp(c.Committer.When)}
	case c.Signature != "":
		return object{"verified": false, "reason": "unknown_key", "signature": c.Signature,
			"payload": c.Payload, "verified_at": nil}
	}
	return object{"verified": false, "reason": "unsigned", "signature": nil, "payload": nil,
		"verified_at": nil}
}

func (f *Forge) repoURL(path string) string { return f.URL + "/repos/" + f.fullName() + path }

// findCommit resolves what the API takes as a ref: a SHA, a branch, heads/BRANCH or a full ref.
func (f *Forge) findCommit(ref string) string {
	for _, name := range []string{"refs/heads/" + ref, ref, "refs/" + ref} {
		if sha, err := f.git.resolve(name, "commit"); err == nil {
			return sha
		}
	}
	return ""
}

func (f *Forge) getCommit(c *call) answer {
	sha := f.findCommit(c.PathValue("ref"))
	if sha == "" {
		return refuse(http.StatusUnprocessableEntity, "No commit found for SHA: "+
			c.PathValue("ref"))
	}
	if strings.Contains(c.Header.Get("Accept"), ".sha") {
		return ok(raw(sha))
	}
	body := f.commitJSON(sha).(object)
	parent := ""
	if parents := body["parents"].([]any); len(parents) > 0 {
		parent = parents[0].(object)["sha"].(string)
	}
	changes, err := f.git.diff(parent, sha)
	if err != nil {
		return fault(err)
	}
	files := []any{}
	for _, change := range changes {
		files = append(files, f.fileJSON(sha, change))
	}
	body["files"] = files
	return ok(body)
}

// listCommits lists a branch's history, newest first; `path` keeps the commits that touched it.
func (f *Forge) listCommits(c *call) answer {
	query := c.URL.Query()
	from := query.Get("sha")
	if from == "" {
		from = "main"
	}
	sha := f.findCommit(from)
	if sha == "" {
		return notFound()
	}
	var limits []string
	for _, limit := range []string{"since", "until"} {
		if value := query.Get(limit); value != "" {
			limits = append(limits, "--"+limit+"="+value)
		}
	}
	shas, err := f.history(sha, query.Get("path"), limits...)
	if err != nil {
		return fault(err)
	}
	if author := query.Get("author"); author != "" {
		shas = slices.DeleteFunc(shas, func(sha string) bool {
			commit, err := f.git.commit(sha)
			u := f.byEmail(commit.Author.Email)
			return err != nil || u == nil || !strings.EqualFold(u.login, author)
		})
	}
	return list(f, c, shas, f.commitJSON)
}

// history is a commit and those before it, newest first; of a path those that touched it.
func (f *Forge) history(sha, path string, limits ...string) ([]string, error) {
	if path != "" && len(limits) == 0 {
		if touched, ok := f.git.looseHistory(sha, path); ok {
			return touched, nil
		}
	}
	args := slices.Concat([]string{"rev-list"}, limits, []string{sha, "--"})
	if path != "" {
		args = append(args, ":(top,literal)"+path)
	}
	return f.git.lines(args...)
}

func (f *Forge) listCommitPulls(c *call) answer {
	sha, err := f.git.resolve(c.PathValue("commit_sha"), "commit")
	if err != nil {
		return refuse(http.StatusUnprocessableEntity, "No commit found for SHA: "+
			c.PathValue("commit_sha"))
	}
	return list(f, c, f.pullsOf(sha), func(p *pull) any { return f.pullJSON(c, p, false) })
}

// pullsOf are "the merged pull request that introduced the commit. If the commit is not present in
// the default branch, it will return merged and open pull requests".
func (f *Forge) pullsOf(sha string) (found []*pull) {
	onMain := f.git.contains(f.git.ref("refs/heads/main"), sha)
	for _, p := range f.pulls {
		if p.merged && f.late(p.mergedAt, f.manners.AssociationLag) {
			continue
		}
		if (p.merged || p.state == "open" && !onMain) && (p.mergeSHA == sha && !p.within ||
			slices.Contains(p.rebased, sha) || slices.Contains(f.pullCommits(p), sha)) {
			found = append(found, p)
		}
	}
	return found
}

func (f *Forge) fileJSON(sha string, c fileChange) any {
	body := object{"sha": c.SHA, "filename": c.Path, "status": c.Status, "additions": c.Additions,
		"deletions": c.Deletions,
		"changes":   c.Additions + c.Deletions, "contents_url": f.repoURL("/contents/" + c.Path +
			"?ref=" + sha)}
	if c.Previous != "" {
		body["previous_filename"] = c.Previous
	}
	return body
}

// compare answers base...head with the files and commits between, as far as one page goes.
func (f *Forge) compare(c *call) answer {
	base, head, found := strings.Cut(c.PathValue("basehead"), "...")
	from, to := f.findCommit(base), f.findCommit(head)
	if !found || from == "" || to == "" {
		return notFound()
	}
	mergeBase, err := f.git.mergeBase(from, to)
	if err != nil {
		return notFound()
	}
	changes, err := f.git.diff(mergeBase, to)
	if err != nil {
		return fault(err)
	}
	ahead, err := f.git.lines("rev-list", "--reverse", from+".."+to)
	if err != nil {
		return fault(err)
	}
	behind, err := f.git.lines("rev-list", to+".."+from)
	if err != nil {
		return fault(err)
	}
	status := "identical"
	switch {
	case len(ahead) > 0 && len(behind) > 0:
		status = "diverged"
	case len(ahead) > 0:
		status = "ahead"
	case len(behind) > 0:
		status = "behind"
	}
	files := []any{}
	for _, change := range changes {
		files = append(files, f.fileJSON(to, change))
	}
	commits, header := page(f, c, ahead, f.commitJSON)
	return answer{http.StatusOK, object{"status": status, "ahead_by": len(ahead),
		"behind_by": len(behind), "total_commits": len(ahead),
		"base_commit": f.commitJSON(from), "merge_base_commit": f.commitJSON(mergeBase),
		"commits": commits, "files": files}, header}
}
