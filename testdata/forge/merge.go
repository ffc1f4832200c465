package forge

import (
	"fmt"
	"net/http"
	"strings"
)

// tryMerge makes the test merge of an open pull request, unless base and head are as they were last
// time.
func (f *Forge) tryMerge(p *pull) {
	base := f.git.ref("refs/heads/" + p.baseRef)
	if p.state != "open" || base == "" || p.test.base == base && p.test.head == p.headSHA {
		return
	}
	p.test = testMerge{base: base, head: p.headSHA}
	sha, err := f.mergeCommit(p, "merge", "Merge "+p.headSHA+" into "+base, f.identity(p.author))
	if err != nil {
		return
	}
	p.test.sha, p.test.clean = sha, true
	_ = f.git.setRef(fmt.Sprintf("refs/pull/%d/merge", p.number), sha)
}

// mergeCommit stores, without moving a branch, the commit that merging now would make.
func (f *Forge) mergeCommit(p *pull, method, message string, author Identity) (string, error) {
	base := f.git.ref("refs/heads/" + p.baseRef)
	tree, clean := f.git.mergeTree(base, p.headSHA)
	if !clean {
		return "", fmt.Errorf("pull request %d conflicts with %s", p.number, p.baseRef)
	}
	parents := []string{base}
	if method == "merge" {
		parents = append(parents, p.headSHA)
	}
	sha, err := f.git.writeCommit(commitObject{Tree: tree, Parents: parents, Author: author,
		Committer: Identity{"GitHub", "noreply@github.com", f.now()}, Message: message})
	f.signed[sha] = true
	return sha, err
}

// mergeableState is the word GitHub has for why a pull request can or cannot be merged.
func (f *Forge) mergeableState(p *pull) string {
	switch {
	case p.test.head == "" || p.state != "open":
		return "unknown"
	case p.draft:
		return "draft"
	case !p.test.clean:
		return "dirty"
	case len(f.unmet(p)) > 0:
		return "blocked"
	}
	return "clean"
}

// mergePull: 405 not mergeable, 409 the head is another one than `sha`.
func (f *Forge) mergePull(c *call, p *pull) answer {
	var in struct {
		Title   string `json:"commit_title"`
		Message string `json:"commit_message"`
		SHA     string `json:"sha"`
		Method  string `json:"merge_method"`
	}
	if !c.into(&in) {
		return invalid()
	}
	if in.Method == "" {
		in.Method = "merge"
	}
	f.tryMerge(p)
	switch {
	case p.state != "open" || p.test.head == "":
		return refuse(http.StatusMethodNotAllowed, "Pull Request is not mergeable")
	case in.SHA != "" && in.SHA != p.headSHA:
		return refuse(http.StatusConflict,
			"Head branch was modified. Review and try the merge again.")
	case p.draft:
		return refuse(http.StatusMethodNotAllowed, "Pull Request is still a draft")
	case in.Method == "rebase" && !f.manners.Rebase:
		return refuse(http.StatusMethodNotAllowed, "Rebase merges are not allowed on this "+
			"repository.")
	case !p.test.clean:
		return refuse(http.StatusMethodNotAllowed, "Pull Request is not mergeable")
	}
	if unmet := f.unmet(p); len(unmet) > 0 && !f.bypasses(c.who.user) {
		return refuse(http.StatusMethodNotAllowed, "Repository rule violations found\n\n"+
			strings.Join(unmet, "\n")+"\n\n")
	}
	if err := f.merge(p, c.who.user, in.Method, in.Title, in.Message); err != nil {
		return fault(err)
	}
	return ok(object{"sha": p.mergeSHA, "merged": true,
		"message": "Pull Request successfully merged"})
}

// merge merges an open, mergeable pull request in the name of a user and deletes its branch.
func (f *Forge) merge(p *pull, by *user, method, title, message string) error {
	owner, author := f.opts.Owner, by
	if p.fork != nil {
		owner = p.fork.login
	}
	if method == "squash" { // the squashed commit keeps the author of the pull request
		author = p.author
	}
	if title == "" && method == "squash" {
		title = fmt.Sprintf("%s (#%d)", p.title, p.number)
	} else if title == "" {
		title = fmt.Sprintf("Merge pull request #%d from %s/%s", p.number, owner, p.headRef)
		if message == "" {
			message = p.title
		}
	}
	if message != "" {
		title += "\n\n" + message
	}
	sha, err := f.mergeCommit(p, method, title, f.identity(author))
	if method == "rebase" {
		sha, err = f.rebase(p, by)
	}
	if err != nil {
		return err
	}
	base := "refs/heads/" + p.baseRef
	f.merged(p, by, f.git.ref(base), sha)
	if err := f.moveRef(by, base, sha, "pr_merge"); err != nil {
		return err
	}
	if p.fork != nil || f.git.ref(p.headFullRef()) == "" {
		return nil
	}
	f.event(p, "head_ref_deleted", by, nil)
	return f.moveRef(by, p.headFullRef(), "", "")
}

// rebase stores copies of the pull request's commits on top of its base, and returns the last:
// GitHub keeps their authors, and whoever merges is the committer. Merges among them are left out.
func (f *Forge) rebase(p *pull, by *user) (string, error) {
	tip := f.git.ref("refs/heads/" + p.baseRef)
	for _, sha := range f.pullCommits(p) {
		c, err := f.git.commit(sha)
		if err != nil {
			return "", err
		}
		if len(c.Parents) != 1 {
			continue
		}
		tree, err := f.git.replay(c.Parents[0], sha, tip)
		if err != nil {
			return "", err
		}
		if tip, err = f.git.writeCommit(commitObject{Tree: tree, Parents: []string{tip},
			Author: c.Author, Committer: f.identity(by), Message: c.Message}); err != nil {
			return "", err
		}
		p.rebased = append(p.rebased, tip)
	}
	return tip, nil
}

// merged records that a pull request became part of its base, whose tip was before.
func (f *Forge) merged(p *pull, by *user, before, sha string) {
	p.merged, p.mergedAt, p.mergedBy, p.mergeSHA, p.baseSHA = true, f.now(), by, sha, before
	f.event(p, "merged", by, object{"commit_id": sha})
	f.closePull(p, by)
}

// mergedIndirectly marks a pull request whose head commit reached the base in another way: "pull
// requests that are merged indirectly are marked as merged even if branch protection rules have not
// been satisfied".
func (f *Forge) mergedIndirectly(p *pull, by *user, before, tip string, within bool) error {
	chain, err := f.git.lines("rev-list", "--first-parent", "--reverse", tip,
		"^"+orEmptyHistory(before, tip))
	if err != nil {
		return err
	}
	for _, sha := range chain {
		if f.git.contains(sha, p.headSHA) {
			p.within = within
			if f.manners.IndirectAsHead {
				sha = p.headSHA
			}
			f.merged(p, by, before, sha)
			return nil
		}
	}
	return nil
}

// orEmptyHistory stands in for the old tip of a branch that is new.
func orEmptyHistory(before, tip string) string {
	if before == "" {
		return tip
	}
	return before
}

func (f *Forge) isMerged(_ *call, p *pull) answer {
	if p.merged {
		return noContent()
	}
	return notFound()
}

// updateBranch merges the base into the head branch.
func (f *Forge) updateBranch(c *call, p *pull) answer {
	var in struct {
		SHA string `json:"expected_head_sha"`
	}
	if !c.into(&in) || in.SHA != "" && in.SHA != p.headSHA {
		return invalid("expected head sha didn't match current head ref.")
	}
	base := f.git.ref("refs/heads/" + p.baseRef)
	tree, clean := f.git.mergeTree(p.headSHA, base)
	if p.state != "open" || !clean {
		return invalid("merge conflict between base and head")
	}
	sha, err := f.git.writeCommit(commitObject{Tree: tree, Parents: []string{p.headSHA, base},
		Author:    f.identity(c.who.user),
		Committer: Identity{"GitHub", "noreply@github.com", f.now()},
		Message:   fmt.Sprintf("Merge branch '%s' into %s", p.baseRef, p.headRef)})
	if err != nil {
		return fault(err)
	}
	f.signed[sha] = true
	if err := f.moveRef(c.who.user, p.headFullRef(), sha, ""); err != nil {
		return fault(err)
	}
	return answer{status: http.StatusAccepted,
		body: object{"message": "Updating pull request branch.",
			"url": f.repoURL(fmt.Sprintf("/pulls/%d", p.number))}}
}
