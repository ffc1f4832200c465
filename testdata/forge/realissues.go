package forge

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// issue is an issue that is no pull request: it has a number beside theirs, and a conversation.
type issue struct {
	pull          // of which only what an issue has is used
	app    *app   // by which it was opened
	reason string // why it is closed
	gone   int    // the status of the answer about it: 410 deleted, 301 transferred; 0: it is there
}

// issueRoutes of the list; what is done to one of them is beside what is done to pull requests.
func (f *Forge) listRoutes() []operation {
	return []operation{
		{"GET", repo + "/issues", read("issues"), f.listIssues},
		{"POST", repo + "/issues", need{right: "issues:write", role: "read"}, f.createIssue},
		{"PATCH", repo + "/issues/{issue_number}", write("issues"), f.patchIssue},
	}
}

// nextNumber is the one of the next pull request or issue: they have them together.
func (f *Forge) nextNumber() int { return len(f.pulls) + len(f.issues) + 1 }

// conversation is the pull request or issue of the path, with the refusal when there is none, or when
// the caller's rights are not for it.
func (f *Forge) conversation(c *call) (*pull, answer) {
	level := "read"
	if c.Method != http.MethodGet {
		level = "write"
	}
	may := func(right string) bool { return c.who.app == nil || c.who.app.may(right+":"+level) }
	p, i := f.pull(c), f.issue(c)
	switch {
	case p == nil && i == nil:
		return nil, notFound()
	case p != nil && !may("pull_requests"), i != nil && !may("issues"):
		return nil, forbidden("Resource not accessible by integration")
	case p != nil:
		return p, answer{}
	case i.gone != 0:
		return nil, refuse(i.gone, http.StatusText(i.gone))
	}
	return &i.pull, answer{}
}

func (f *Forge) onConversation(handle func(*call, *pull) answer) func(*call) answer {
	return func(c *call) answer {
		p, no := f.conversation(c)
		if p == nil {
			return no
		}
		return handle(c, p)
	}
}

func (f *Forge) issue(c *call) *issue {
	for _, i := range f.issues {
		if i.number == int(c.number("issue_number")) {
			return i
		}
	}
	return nil
}

func (f *Forge) issueJSON(i *issue) any {
	url := f.repoURL(fmt.Sprintf("/issues/%d", i.number))
	body := object{"id": i.id, "node_id": fmt.Sprintf("I_%d", i.number), "number": i.number,
		"title": i.title, "body": i.body, "state": i.state, "state_reason": nil,
		"user": f.ghostJSON(i.author), "labels": []any{}, "assignees": []any{}, "url": url,
		"html_url":       fmt.Sprintf("%s/%s/issues/%d", f.URL, f.fullName(), i.number),
		"repository_url": f.repoURL(""), "comments_url": url + "/comments", "events_url": url + "/events",
		"labels_url": url + "/labels{/name}", "comments": len(i.comments), "locked": false,
		"created_at": stamp(i.created), "updated_at": stamp(i.updated), "closed_at": stamp(i.closed),
		"author_association": "NONE", "performed_via_github_app": f.appJSON(i.app)}
	if i.reason != "" {
		body["state_reason"] = i.reason
	}
	return body
}

// listIssues lists issues, the newest first unless it is asked for otherwise. GitHub lists pull
// requests among them; a caller here asks for those of an App, which opens none.
func (f *Forge) listIssues(c *call) answer {
	query := c.URL.Query()
	since, _ := time.Parse(time.RFC3339, query.Get("since"))
	state := cmp.Or(query.Get("state"), "open")
	var found []*issue
	for _, i := range slices.Backward(f.issues) {
		if i.gone == 0 && (state == "all" || i.state == state) && !i.updated.Before(since) &&
			(query.Get("creator") == "" || i.author != nil && i.author.login == query.Get("creator")) {
			found = append(found, i)
		}
	}
	return list(f, c, found, func(i *issue) any { return f.issueJSON(i) })
}

func (f *Forge) createIssue(c *call) answer {
	var in struct{ Title, Body string }
	if !c.into(&in) || in.Title == "" {
		return invalid(object{"resource": "Issue", "field": "title", "code": "missing_field"})
	}
	i := &issue{pull: pull{number: f.nextNumber(), id: f.nextID(), title: in.Title, body: in.Body,
		state: "open", author: c.who.user, created: f.now(), updated: f.now()}, app: c.who.app}
	f.issues = append(f.issues, i)
	return created(f.issueJSON(i))
}

func (f *Forge) patchIssue(c *call) answer {
	if _, no := f.conversation(c); no.status != 0 {
		return no
	}
	i := f.issue(c)
	if i == nil { // of a pull request this changes what no test asks for
		return refuse(http.StatusNotImplemented, "the forge changes issues only")
	}
	var in struct {
		Title, Body, State *string
		StateReason        *string `json:"state_reason"`
	}
	if !c.into(&in) {
		return invalid()
	}
	for to, value := range map[*string]*string{&i.title: in.Title, &i.body: in.Body} {
		if value != nil {
			*to = *value
		}
	}
	if in.State != nil && *in.State != i.state {
		i.state, i.closed, i.reason = *in.State, time.Time{}, ""
		if i.state == "closed" {
			i.closed, i.reason = f.now(), "completed"
			if in.StateReason != nil {
				i.reason = *in.StateReason
			}
		}
	}
	i.updated = f.now()
	return ok(f.issueJSON(i))
}

// Issue is an issue as a test sees it.
type Issue struct {
	Number             int
	Title, Body, State string
	Comments           []string
}

// Issues lists the issues that are no pull requests, oldest first.
func (f *Forge) Issues() (all []Issue) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, i := range f.issues {
		shown := Issue{Number: i.number, Title: i.title, Body: i.body, State: i.state}
		for _, m := range i.comments {
			shown.Comments = append(shown.Comments, m.body)
		}
		all = append(all, shown)
	}
	return all
}

// LoseIssue has an issue be answered with a status from now on: 410 as one that was deleted, 301 as one
// that was transferred.
func (f *Forge) LoseIssue(number, status int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, i := range f.issues {
		if i.number == number {
			i.gone = status
		}
	}
}
