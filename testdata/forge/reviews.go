package forge

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// review is one review of a pull request.
type review struct {
	id          int64
	author      *user
	state, body string
	commit      string // the head it was given on
	submitted   time.Time
	editor      *user // nil: nobody edited it
	edited      time.Time
}

// Edit changes what a review says, as the page of a pull request lets its writer and whoever may
// write; the REST API lets only its writer, and is not part of the description here. The review is
// as new to the pull request as any other event.
func (f *Forge) Edit(login string, number int, id int64, body string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	by := f.mustAccount(login)
	for _, p := range f.pulls {
		r := p.review(id)
		if p.number != number || r == nil {
			continue
		}
		if r.author != by && !atLeast(f.role(by), "write") {
			return fmt.Errorf("%s may not edit review %d", login, id)
		}
		r.body, r.editor, r.edited, p.updated = body, by, f.now(), f.now()
		return nil
	}
	return fmt.Errorf("there is no review %d of pull request %d", id, number)
}

// reviewStates turns the event of a submission into the state of the review.
var reviewStates = map[string]string{"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED",
	"COMMENT": "COMMENTED"}

func (f *Forge) reviewJSON(p *pull, r *review) any {
	html := fmt.Sprintf("%s#pullrequestreview-%d", p.htmlURL(f), r.id)
	url := f.repoURL(fmt.Sprintf("/pulls/%d", p.number))
	body := object{"id": r.id, "node_id": fmt.Sprintf("PRR_%d", r.id), "user": f.userJSON(r.author),
		"body": r.body, "state": r.state, "commit_id": r.commit,
		"html_url": html, "pull_request_url": url, "author_association": "MEMBER",
		"_links": object{"html": object{"href": html}, "pull_request": object{"href": url}}}
	if !r.submitted.IsZero() {
		body["submitted_at"] = stamp(r.submitted)
	}
	return body
}

// reviewsFor are chronological; a pending review is there for its author only.
func (p *pull) reviewsFor(who identity) []*review {
	return slices.DeleteFunc(slices.Clone(p.reviews),
		func(r *review) bool { return r.state == "PENDING" && r.author != who.user })
}

func (f *Forge) listReviews(c *call, p *pull) answer {
	return list(f, c, p.reviewsFor(c.who), func(r *review) any { return f.reviewJSON(p, r) })
}

func (p *pull) review(id int64) *review {
	for _, r := range p.reviews {
		if r.id == id {
			return r
		}
	}
	return nil
}

func (f *Forge) getReview(c *call, p *pull) answer {
	r := p.review(c.number("review_id"))
	if r == nil || r.state == "PENDING" && r.author != c.who.user {
		return notFound()
	}
	return ok(f.reviewJSON(p, r))
}

func (f *Forge) createReview(c *call, p *pull) answer {
	var in struct {
		Body, Event string
		CommitID    string `json:"commit_id"`
	}
	if !c.into(&in) {
		return invalid()
	}
	commit := p.headSHA
	if in.CommitID != "" {
		if _, err := f.git.resolve(in.CommitID, "commit"); err != nil {
			return refuse(http.StatusUnprocessableEntity, "Unprocessable Entity", "Commit "+
				in.CommitID+" is not part of the pull request")
		}
		commit = in.CommitID
	}
	if slices.ContainsFunc(p.reviews, func(r *review) bool {
		return r.state == "PENDING" &&
			r.author == c.who.user
	}) {
		return refuse(http.StatusUnprocessableEntity, "Unprocessable Entity", "User can only "+
			"have one pending review per pull request")
	}
	r := &review{author: c.who.user, state: "PENDING", body: in.Body, commit: commit}
	if in.Event != "" {
		if a := f.submit(p, r, in.Event, in.Body); a.status != 0 {
			return a
		}
	}
	r.id = f.nextID()
	p.reviews = append(p.reviews, r)
	return ok(f.reviewJSON(p, r))
}

func (f *Forge) submitReview(c *call, p *pull) answer {
	var in struct{ Body, Event string }
	r := p.review(c.number("review_id"))
	switch {
	case r == nil || r.author != c.who.user:
		return notFound()
	case !c.into(&in) || r.state != "PENDING":
		return refuse(http.StatusUnprocessableEntity, "Unprocessable Entity", "Can not submit a "+
			"review that is not pending")
	}
	if a := f.submit(p, r, in.Event, in.Body); a.status != 0 {
		return a
	}
	// Reviews are listed in the order of submission.
	p.reviews = append(slices.DeleteFunc(p.reviews, func(x *review) bool { return x == r }), r)
	return ok(f.reviewJSON(p, r))
}

// submit gives a review its state, or refuses.
func (f *Forge) submit(p *pull, r *review, event, body string) answer {
	state, known := reviewStates[event]
	switch {
	case !known:
		return refuse(http.StatusUnprocessableEntity, "Unprocessable Entity", "Variable $event "+
			"of type PullRequestReviewEvent was provided invalid value")
	case r.author == p.author && event == "APPROVE":
		return refuse(http.StatusUnprocessableEntity, "Unprocessable Entity",
			"Can not approve your own pull request")
	case r.author == p.author && event == "REQUEST_CHANGES":
		return refuse(http.StatusUnprocessableEntity, "Unprocessable Entity", "Can not request "+
			"changes on your own pull request")
	case body == "" && r.body == "" && event != "APPROVE":
		return refuse(http.StatusUnprocessableEntity, "Unprocessable Entity",
			"Body can not be blank")
	}
	if body != "" {
		r.body = body
	}
	r.state, r.submitted = state, f.now()
	p.updated = f.now()
	p.reviewers = slices.DeleteFunc(p.reviewers, func(u *user) bool { return u == r.author })
	p.teams = slices.DeleteFunc(p.teams, func(t *team) bool {
		return f.teamState(t,
			r.author) == "active"
	})
	return answer{}
}

func (f *Forge) dismissReview(c *call, p *pull) answer {
	var in struct{ Message string }
	r := p.review(c.number("review_id"))
	switch {
	case r == nil || r.state == "PENDING":
		return notFound()
	case !c.into(&in) || in.Message == "":
		return refuse(http.StatusUnprocessableEntity, "Unprocessable Entity",
			"Message can't be blank")
	case r.state != "APPROVED" && r.state != "CHANGES_REQUESTED":
		return refuse(http.StatusUnprocessableEntity, "Unprocessable Entity", "Can not dismiss a "+
			strings.ToLower(r.state)+" pull request review")
	}
	f.dismiss(p, r, c.who.user, in.Message)
	return ok(f.reviewJSON(p, r))
}

func (f *Forge) dismiss(p *pull, r *review, by *user, message string) {
	f.event(p, "review_dismissed", by, object{"dismissed_review": object{"state": strings.ToLower(
		r.state), "review_id": r.id, "dismissal_message": message}})
	r.state = "DISMISSED"
	p.updated = f.now()
}

// opinions are the latest states per reviewer that count for GitHub's own rule: COMMENTED changes
// nothing, and only reviewers with write access count.
func (f *Forge) opinions(p *pull) (approvals int, blocked bool) {
	for u, state := range latestReviews(p) {
		blocked = blocked || state == "CHANGES_REQUESTED" && atLeast(f.role(u), "write")
	}
	return len(f.approvers(p)), blocked
}

// approvers are those whose latest opinion is an approval that counts.
func (f *Forge) approvers(p *pull) (people []*user) {
	for u, state := range latestReviews(p) {
		if state == "APPROVED" && atLeast(f.role(u), "write") {
			people = append(people, u)
		}
	}
	return people
}

func latestReviews(p *pull) map[*user]string {
	latest := map[*user]string{}
	for _, r := range p.reviews {
		if r.state != "COMMENTED" && r.state != "PENDING" {
			latest[r.author] = r.state
		}
	}
	return latest
}
