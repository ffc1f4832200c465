package forge

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// comment is a comment on a pull request's conversation.
type comment struct {
	id               int64
	author           *user
	app              *app
	body             string
	created, updated time.Time
	reactions        []reaction
}

// event is one thing that happened to a pull request.
type event struct {
	id    int64
	kind  string
	actor *user
	when  time.Time
	extra object

	before, after string // the heads around a force-push
}

func (f *Forge) event(p *pull, kind string, actor *user, extra object) {
	p.events = append(p.events, &event{id: f.nextID(), kind: kind, actor: actor, when: f.now(),
		extra: extra})
}

func (f *Forge) commentJSON(p *pull, m *comment) any {
	return object{"id": m.id, "node_id": fmt.Sprintf("IC_%d", m.id), "body": m.body,
		"user": f.userJSON(m.author), "created_at": stamp(m.created),
		"updated_at":         stamp(m.updated),
		"url":                f.repoURL(fmt.Sprintf("/issues/comments/%d", m.id)),
		"issue_url":          f.repoURL(fmt.Sprintf("/issues/%d", p.number)),
		"html_url":           fmt.Sprintf("%s#issuecomment-%d", p.htmlURL(f), m.id),
		"author_association": "MEMBER", "performed_via_github_app": f.appJSON(m.app)}
}

func (f *Forge) listComments(c *call, p *pull) answer {
	return list(f, c, p.comments, func(m *comment) any { return f.commentJSON(p, m) })
}

func (f *Forge) createComment(c *call, p *pull) answer {
	var in struct{ Body string }
	if !c.into(&in) || in.Body == "" {
		return invalid(object{"resource": "IssueComment", "field": "body", "code": "missing_field"})
	}
	m := &comment{id: f.nextID(), author: c.who.user, app: c.who.app, body: in.Body, created: f.now(),
		updated: f.now()}
	p.comments = append(p.comments, m)
	p.updated = f.now()
	return created(f.commentJSON(p, m))
}

// onComment serves operations on one comment: its author's, and those with write.
func (f *Forge) onComment(handle func(*call, *pull, *comment) answer) func(*call) answer {
	return func(c *call) answer {
		all := slices.Clone(f.pulls)
		for _, i := range f.issues {
			all = append(all, &i.pull)
		}
		for _, p := range all {
			for _, m := range p.comments {
				if m.id != c.number("comment_id") {
					continue
				}
				if m.author != c.who.user && c.who.app == nil &&
					!atLeast(f.role(c.who.user), "write") {
					return forbidden("Must have admin rights to Repository.")
				}
				return handle(c, p, m)
			}
		}
		return notFound()
	}
}

func (f *Forge) updateComment(c *call, p *pull, m *comment) answer {
	var in struct{ Body string }
	if !c.into(&in) || in.Body == "" {
		return invalid(object{"resource": "IssueComment", "field": "body", "code": "missing_field"})
	}
	m.body, m.updated = in.Body, f.now()
	return ok(f.commentJSON(p, m))
}

func (f *Forge) deleteComment(_ *call, p *pull, m *comment) answer {
	p.comments = slices.DeleteFunc(p.comments, func(x *comment) bool { return x == m })
	return noContent()
}

func (f *Forge) eventJSON(p *pull, e *event) object {
	body := object{"id": e.id, "node_id": fmt.Sprintf("EV_%d", e.id),
		"url": f.repoURL(fmt.Sprintf("/issues/events/%d", e.id)), "event": e.kind,
		"actor": f.ghostJSON(e.actor), "commit_id": nil, "commit_url": nil,
		"created_at": stamp(e.when), "performed_via_github_app": nil}
	for key, value := range e.extra {
		body[key] = value
	}
	if sha, isString := body["commit_id"].(string); isString {
		body["commit_url"] = f.repoURL("/commits/" + sha)
	}
	return body
}

func (f *Forge) listEvents(c *call, p *pull) answer {
	return list(f, c, p.events, func(e *event) any { return f.eventJSON(p, e) })
}

// listTimeline is the events with commits, comments and reviews between them, in order of time.
func (f *Forge) listTimeline(c *call, p *pull) answer {
	type item struct {
		when time.Time
		id   int64
		body any
	}
	var items []item
	for _, sha := range f.pullCommits(p) {
		if commit, found := f.gitCommitJSON(sha).(object); found {
			commit["event"] = "committed"
			items = append(items, item{p.created, 0, commit})
		}
	}
	for _, e := range p.events {
		items = append(items, item{e.when, e.id, f.eventJSON(p, e)})
	}
	for _, m := range p.comments {
		body := f.commentJSON(p, m).(object)
		body["event"], body["actor"] = "commented", f.ghostJSON(m.author)
		items = append(items, item{m.created, m.id, body})
	}
	for _, r := range p.reviews {
		if r.state == "PENDING" {
			continue
		}
		body := f.reviewJSON(p, r).(object)
		body["event"], body["state"], body["user"] = "reviewed", strings.ToLower(r.state),
			f.ghostJSON(r.author)
		items = append(items, item{r.submitted, r.id, body})
	}
	slices.SortStableFunc(items, func(a, b item) int {
		return cmp.Or(a.when.Compare(b.when),
			cmp.Compare(a.id, b.id))
	})
	return list(f, c, items, func(i item) any { return i.body })
}

func labelJSON(name string) any {
	return object{"name": name, "color": "ededed", "default": false,
		"url": "https://example.com/labels/" + name}
}

func (f *Forge) addLabels(c *call, p *pull) answer {
	var in struct{ Labels []string }
	if !c.into(&in) && !c.into(&in.Labels) { // both forms are GitHub's
		return invalid()
	}
	for _, name := range in.Labels {
		if !slices.Contains(p.labels, name) {
			p.labels = append(p.labels, name)
			f.event(p, "labeled", c.who.user, object{"label": object{"name": name,
				"color": "ededed"}})
		}
	}
	return f.labels(p)
}

func (f *Forge) removeLabel(c *call, p *pull) answer {
	name := c.PathValue("name")
	if !slices.Contains(p.labels, name) {
		return notFound()
	}
	p.labels = slices.DeleteFunc(p.labels, func(x string) bool { return x == name })
	f.event(p, "unlabeled", c.who.user, object{"label": object{"name": name, "color": "ededed"}})
	return f.labels(p)
}

func (f *Forge) labels(p *pull) answer {
	out := []any{}
	for _, name := range p.labels {
		out = append(out, labelJSON(name))
	}
	return ok(out)
}

// getIssue shows a pull request as the issue it is too.
func (f *Forge) getIssue(c *call, p *pull) answer {
	if i := f.issue(c); i != nil {
		return ok(f.issueJSON(i))
	}
	labels := []any{}
	for _, name := range p.labels {
		labels = append(labels, labelJSON(name))
	}
	return ok(object{"id": p.id, "number": p.number, "title": p.title, "body": p.body,
		"state": p.state, "user": f.ghostJSON(p.author), "labels": labels,
		"comments": len(p.comments), "created_at": stamp(p.created), "updated_at": stamp(p.updated),
		"closed_at": stamp(p.closed),
		"pull_request": object{"url": f.repoURL(fmt.Sprintf("/pulls/%d", p.number)),
			"html_url": p.htmlURL(f), "diff_url": nil, "patch_url": nil}})
}
