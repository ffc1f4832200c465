package github

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/go-github/v60/github"
)

// EscalatedMarker begins the comment of a requester who asked for reviews once more. GitHub shows
// nothing of it.
const EscalatedMarker = "<!-- pullgrant: escalated -->"

// EscalateEvery is how often the same request may call for people. A comment that comes earlier calls
// for nobody.
const EscalateEvery = time.Hour

// Escalation is a comment that calls for people.
type Escalation struct {
	Comment int64 // its number
	At      time.Time
}

// Escalated is how the account with the number id escalated a pull request last, by the comments that
// GitHub says are theirs; the zero one: never.
func (c *Client) Escalated(ctx context.Context, number int, id int64) (last Escalation, err error) {
	found, err := pages(func(o github.ListOptions) ([]*github.IssueComment, *github.Response, error) {
		return c.api.Issues.ListComments(ctx, c.owner, c.repo, number,
			&github.IssueListCommentsOptions{ListOptions: o})
	})
	if err != nil {
		return last, c.explain(err, "Pull requests: read", "list the comments on #%d", number)
	}
	for _, comment := range found {
		at := comment.GetCreatedAt().Time // the oldest comes first
		if comment.GetUser().GetID() == id && strings.HasPrefix(comment.GetBody(), EscalatedMarker) &&
			!at.Before(last.At.Add(EscalateEvery)) {
			last = Escalation{comment.GetID(), at}
		}
	}
	return last, nil
}

// AskedToReview are those who were asked for a review of a pull request and have not answered: logins, and
// slugs of teams.
func (c *Client) AskedToReview(ctx context.Context, number int) (people, teams []string, err error) {
	found, _, err := c.api.PullRequests.ListReviewers(ctx, c.owner, c.repo, number, nil)
	if err != nil {
		return nil, nil, c.explain(err, "Pull requests: read", "list who was asked to review #%d", number)
	}
	for _, u := range found.Users {
		people = append(people, u.GetLogin())
	}
	for _, t := range found.Teams {
		teams = append(teams, t.GetSlug())
	}
	return people, teams, nil
}

// AskMore asks more people, by login, and teams, by slug, to review a pull request. GitHub asks all of
// them or none: notes say of whom it refused.
func (c *Client) AskMore(ctx context.Context, number int, people, teams []string) (notes []string) {
	ask := func(people, teams []string) error {
		_, _, err := c.api.PullRequests.RequestReviewers(ctx, c.owner, c.repo, number,
			github.ReviewersRequest{Reviewers: people, TeamReviewers: teams})
		return err
	}
	all := slices.Concat(people, teams)
	if len(all) == 0 || ask(people, teams) == nil {
		return nil
	}
	for i, name := range all { // each alone: one who may not read is no reason to ask nobody
		var err error
		if i < len(people) {
			err = ask([]string{name}, nil)
		} else {
			err = ask(nil, []string{name})
		}
		if ctx.Err() != nil {
			return notes
		}
		if err != nil {
			notes = append(notes, fmt.Sprintf("%s could not be asked for a review: %v", name, err))
		}
	}
	return notes
}

// Escalate comments on a pull request that a review is missing, marked so that Escalated finds it.
func (c *Client) Escalate(ctx context.Context, number int, text string) (string, error) {
	body := cut(EscalatedMarker+"\n"+text, maxComment)
	made, _, err := c.api.Issues.CreateComment(ctx, c.owner, c.repo, number,
		&github.IssueComment{Body: &body})
	if err != nil {
		return "", c.explain(err, "Pull requests: write", "comment on #%d", number)
	}
	return made.GetHTMLURL(), nil
}
