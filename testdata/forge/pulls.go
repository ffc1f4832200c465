package forge

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// pull is a pull request.
type pull struct {
	number                             int
	id                                 int64
	title, body, state                 string // state: open or closed
	draft                              bool
	author                             *user
	fork                               *user // owner of the fork the head is in; nil for the repository itself
	headRef, headSHA, baseRef, baseSHA string
	created, updated, closed, mergedAt time.Time

	merged, within bool // within: merged by another pull request's merge
	mergedBy       *user
	mergeSHA       string   // commit on the base branch that brought it in
	rebased        []string // the commits that a rebase merge made
	test           testMerge
	auto           *autoMerge

	labels    []string
	reviewers []*user // asked for a review and have not given one
	teams     []*team
	reviews   []*review
	comments  []*comment
	reactions []reaction
	events    []*event
}

// testMerge is the merge GitHub tries out to tell whether a pull request is mergeable.
type testMerge struct {
	base, head, sha string
	clean           bool
}

func (p *pull) headFullRef() string {
	if p.fork != nil {
		return "refs/forks/" + strings.ToLower(p.fork.login) + "/" + p.headRef
	}
	return "refs/heads/" + p.headRef
}

// pull finds the pull request of the path (pull_number or issue_number).
func (f *Forge) pull(c *call) *pull {
	n := max(c.number("pull_number"), c.number("issue_number"))
	for _, p := range f.pulls {
		if p.number == int(n) {
			return p
		}
	}
	return nil
}

// onPull serves operations that need an existing pull request.
func (f *Forge) onPull(handle func(*call, *pull) answer) func(*call) answer {
	return func(c *call) answer {
		p := f.pull(c)
		if p == nil {
			return notFound()
		}
		return handle(c, p)
	}
}

// headOf finds the branch `head` names: a branch of the repository, or OWNER:BRANCH of a fork.
func (f *Forge) headOf(head string) (fork *user, branch, sha string) {
	owner, branch, found := strings.Cut(head, ":")
	if !found {
		branch = head
	} else if !strings.EqualFold(owner, f.opts.Owner) {
		if fork = f.account(owner); fork == nil {
			return nil, branch, ""
		}
	}
	return fork, branch, f.git.ref((&pull{fork: fork, headRef: branch}).headFullRef())
}

func (f *Forge) createPull(c *call) answer {
	var in struct {
		Title, Body, Head, Base string
		Draft                   bool
	}
	if !c.into(&in) {
		return invalid()
	}
	fork, branch, head := f.headOf(in.Head)
	base := f.git.ref("refs/heads/" + in.Base)
	switch {
	case head == "":
		return invalid(object{"resource": "PullRequest", "field": "head", "code": "invalid"})
	case base == "":
		return invalid(object{"resource": "PullRequest", "field": "base", "code": "invalid"})
	case in.Title == "":
		return invalid(object{"resource": "PullRequest", "field": "title", "code": "missing_field"})
	case f.git.contains(base, head):
		return invalid(object{"resource": "PullRequest", "code": "custom",
			"message": "No commits between " + in.Base + " and " + branch})
	}
	owner := f.opts.Owner
	if fork != nil {
		owner = fork.login
	}
	for _, p := range f.pulls {
		if p.state == "open" && p.fork == fork && p.headRef == branch && p.baseRef == in.Base {
			return invalid(object{"resource": "PullRequest", "code": "custom",
				"message": "A pull request already exists for " + owner + ":" + branch + "."})
		}
	}
	p := &pull{number: f.nextNumber(), id: f.nextID(), title: in.Title, body: in.Body,
		state: "open", draft: in.Draft, author: c.who.user, fork: fork,
		headRef: branch, headSHA: head, baseRef: in.Base, baseSHA: base, created: f.now(),
		updated: f.now()}
	f.pulls = append(f.pulls, p)
	if err := f.git.setRef(fmt.Sprintf("refs/pull/%d/head", p.number), head); err != nil {
		return fault(err)
	}
	return created(f.pullJSON(c, p, true)) // GitHub has not tried the merge yet: mergeable is null
}

func (f *Forge) listPulls(c *call) answer {
	query := c.URL.Query()
	state := query.Get("state")
	if state == "" {
		state = "open"
	}
	found := slices.Clone(f.pulls)
	fork, branch, _ := f.headOf(query.Get("head"))
	found = slices.DeleteFunc(found, func(p *pull) bool {
		return f.late(p.created, f.manners.ListLag) || state != "all" && p.state != state ||
			query.Get("base") != "" &&
				p.baseRef != query.Get("base") ||
			query.Get("head") != "" && (p.headRef != branch || p.fork != fork)
	})
	descending := query.Get("direction") == "desc" || query.Get("direction") == "" &&
		query.Get("sort") != "updated"
	slices.SortStableFunc(found, func(a, b *pull) int {
		order := cmp.Compare(a.number, b.number)
		if query.Get("sort") == "updated" {
			order = cmp.Or(a.updated.Compare(b.updated), order)
		}
		if descending {
			return -order
		}
		return order
	})
	return list(f, c, found, func(p *pull) any { return f.pullJSON(c, p, false) })
}

func (f *Forge) getPull(c *call, p *pull) answer {
	f.tryMerge(p)
	return ok(f.pullJSON(c, p, true))
}

func (f *Forge) patchPull(c *call, p *pull) answer {
	var in struct{ Title, Body, State, Base *string }
	if !c.into(&in) {
		return invalid()
	}
	if c.who.app == nil && c.who.user != p.author && !atLeast(f.role(c.who.user), "write") {
		return forbidden("Must have push access to the repository")
	}
	if in.Base != nil && *in.Base != p.baseRef {
		base := f.git.ref("refs/heads/" + *in.Base)
		if base == "" || p.merged {
			return invalid(object{"resource": "PullRequest", "field": "base", "code": "invalid"})
		}
		p.baseRef, p.baseSHA, p.test = *in.Base, base, testMerge{}
		f.event(p, "base_ref_changed", c.who.user, nil)
	}
	if in.Title != nil && *in.Title != p.title {
		f.event(p, "renamed", c.who.user, object{"rename": object{"from": p.title,
			"to": *in.Title}})
		p.title = *in.Title
	}
	if in.Body != nil {
		p.body = *in.Body
	}
	if in.State != nil && *in.State != p.state {
		if *in.State == "closed" {
			f.closePull(p, c.who.user)
		} else if p.merged || f.git.ref(p.headFullRef()) == "" {
			return invalid(object{"resource": "PullRequest", "field": "state", "code": "invalid"})
		} else {
			p.state, p.closed = "open", time.Time{}
			f.event(p, "reopened", c.who.user, nil)
			if sha := f.git.ref(p.headFullRef()); sha != p.headSHA {
				if err := f.headMoved(p, c.who.user, sha, "push"); err != nil {
					return fault(err)
				}
			}
		}
	}
	p.updated = f.now()
	return ok(f.pullJSON(c, p, true))
}

func (f *Forge) closePull(p *pull, u *user) {
	p.state, p.closed, p.updated, p.auto = "closed", f.now(), f.now(), nil
	f.event(p, "closed", u, nil)
}

// diffBase is the commit the pull request's changes are counted from: where it left its base
// branch.
func (f *Forge) diffBase(p *pull) string {
	base := p.baseSHA // of a merged one: the base's tip just before
	if !p.merged {
		base = f.git.ref("refs/heads/" + p.baseRef)
	}
	sha, err := f.git.mergeBase(base, p.headSHA)
	if err != nil {
		return ""
	}
	return sha
}

// pullCommits lists the pull request's own commits, oldest first.
func (f *Forge) pullCommits(p *pull) []string {
	base := p.baseSHA
	if !p.merged {
		base = f.git.ref("refs/heads/" + p.baseRef)
	}
	shas, err := f.git.between(p.headSHA, base)
	if err != nil {
		return nil
	}
	return shas
}

func (f *Forge) listPullCommits(c *call, p *pull) answer {
	shas := f.pullCommits(p)
	return list(f, c, shas[:min(len(shas), 250)], f.commitJSON) // "Lists a maximum of 250 commits"
}

func (f *Forge) listPullFiles(c *call, p *pull) answer {
	changes, err := f.git.diff(f.diffBase(p), p.headSHA)
	if err != nil {
		return fault(err)
	}
	changes = changes[:min(len(changes), 3000)] // "Responses include a maximum of 3000 files"
	return list(f, c, changes, func(change fileChange) any { return f.fileJSON(p.headSHA, change) })
}

// pullJSON is a pull request as lists show it; full adds what only the single one has.
func (f *Forge) pullJSON(c *call, p *pull, full bool) any {
	url := f.repoURL(fmt.Sprintf("/pulls/%d", p.number))
	labels := []any{}
	for _, name := range p.labels {
		labels = append(labels, labelJSON(name))
	}
	body := object{
		"id": p.id, "node_id": p.nodeID(), "number": p.number, "url": url, "html_url": p.htmlURL(f),
		"issue_url": f.repoURL(fmt.Sprintf("/issues/%d", p.number)),
		"state":     p.state, "locked": false, "title": p.title, "body": p.body, "draft": p.draft,
		"user": f.ghostJSON(p.author), "labels": labels,
		"created_at": stamp(p.created), "updated_at": stamp(p.updated),
		"closed_at": stamp(p.closed),
		"merged_at": stamp(p.mergedAt),
		"head":      f.endJSON(p.fork, p.headRef, p.headSHA), "base": f.endJSON(nil, p.baseRef,
			p.baseSHA),
		"author_association":  "MEMBER",
		"requested_reviewers": f.reviewersJSON(p), "requested_teams": f.reviewTeamsJSON(p),
		"assignees": []any{}, "assignee": nil, "milestone": nil,
		"auto_merge": f.autoMergeJSON(p), "merge_commit_sha": nil,
	}
	switch {
	case p.merged:
		body["merge_commit_sha"] = p.mergeSHA
	case p.test.sha != "" && p.state == "open":
		body["merge_commit_sha"] = p.test.sha
	}
	if !full {
		return body
	}
	commits, additions, deletions := f.pullCommits(p), 0, 0
	changes, err := f.git.diff(f.diffBase(p), p.headSHA)
	if err == nil {
		for _, change := range changes {
			additions, deletions = additions+change.Additions, deletions+change.Deletions
		}
	}
	var mergeable any
	if p.state == "open" && p.test.head != "" {
		mergeable = p.test.clean
	}
	maps.Copy(body, object{"merged": p.merged, "mergeable": mergeable, "rebaseable": nil,
		"mergeable_state": f.mergeableState(p), "merged_by": f.userJSON(p.mergedBy),
		"commits": len(commits), "additions": additions, "deletions": deletions,
		"changed_files": len(changes), "comments": len(p.comments),
		"review_comments": 0, "maintainer_can_modify": false})
	return body
}

func (p *pull) nodeID() string { return fmt.Sprintf("PR_%d", p.number) }

func (p *pull) htmlURL(f *Forge) string {
	return fmt.Sprintf("%s/%s/pull/%d", f.URL, f.fullName(), p.number)
}

// endJSON is the head or base of a pull request.
func (f *Forge) endJSON(fork *user, ref, sha string) any {
	owner, id := f.opts.Owner, any(object{"login": f.opts.Owner, "id": organizationID,
		"type": "Organization"})
	if fork != nil {
		owner, id = fork.login, f.ghostJSON(fork)
	}
	return object{"label": owner + ":" + ref, "ref": ref, "sha": sha, "user": id,
		"repo": f.repositoryJSON(fork)}
}

func (f *Forge) listReviewers(_ *call, p *pull) answer {
	return ok(object{"users": f.reviewersJSON(p), "teams": f.reviewTeamsJSON(p)})
}

func (f *Forge) reviewersJSON(p *pull) []any {
	out := []any{}
	for _, u := range p.reviewers {
		out = append(out, f.ghostJSON(u))
	}
	return out
}

func (f *Forge) reviewTeamsJSON(p *pull) []any {
	out := []any{}
	for _, t := range p.teams {
		out = append(out, f.teamJSON(t))
	}
	return out
}

// requestReviewers: only collaborators and teams with access can be asked, the author never.
func (f *Forge) requestReviewers(c *call, p *pull) answer {
	var in struct {
		Reviewers []string
		Teams     []string `json:"team_reviewers"`
	}
	if !c.into(&in) {
		return invalid()
	}
	var users []*user
	for _, login := range in.Reviewers {
		u := f.account(login)
		if u == nil || !atLeast(f.role(u), "read") {
			return refuse(http.StatusUnprocessableEntity, "Reviews may only be requested from "+
				"collaborators. One or more of the users or teams you specified is not a "+
				"collaborator of the "+f.fullName()+" repository.")
		}
		if u == p.author {
			return refuse(http.StatusUnprocessableEntity, "Review cannot be requested from pull "+
				"request author.")
		}
		users = append(users, u)
	}
	for _, slug := range in.Teams {
		t := f.team(slug)
		if t == nil || f.teamRole(t) == "none" {
			return refuse(http.StatusUnprocessableEntity, "Reviews may only be requested from "+
				"collaborators. One or more of the teams you specified is not a collaborator of the "+
				f.fullName()+" repository.")
		}
		if !slices.Contains(p.teams, t) {
			p.teams = append(p.teams, t)
			f.event(p, "review_requested", c.who.user, object{"requested_team": f.teamJSON(t),
				"review_requester": f.userJSON(c.who.user)})
		}
	}
	for _, u := range users {
		if !slices.Contains(p.reviewers, u) {
			p.reviewers = append(p.reviewers, u)
			f.event(p, "review_requested", c.who.user, object{"requested_reviewer": f.userJSON(u),
				"review_requester": f.userJSON(c.who.user)})
		}
	}
	return created(f.pullJSON(c, p, false))
}

func jsonNumber(s string) json.Number { return json.Number(s) }
