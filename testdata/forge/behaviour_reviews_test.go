package forge

import (
	"strings"
	"testing"

	"github.com/google/go-github/v60/github"
)

// reviewStatesOf lists "login state" in GitHub's order.
func reviewStatesOf(t *testing.T, f *Forge, token string, number int) string {
	t.Helper()
	c := client(t, f, token)
	var out []string
	for page := 1; page != 0; {
		reviews, response, err := c.PullRequests.ListReviews(t.Context(), "acme", "access", number,
			&github.ListOptions{Page: page})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range reviews {
			out = append(out, r.GetUser().GetLogin()+" "+r.GetState())
		}
		page = response.NextPage
	}
	return strings.Join(out, ", ")
}

var reviewBehaviours = []behaviour{
	{"authors cannot approve their own pull requests", docAboutReview, func(t *testing.T,
		f *Forge) {
		n := opened(t, f, "alice", "ask")
		c := client(t, f, f.Token("alice"))
		_, _, err := c.PullRequests.CreateReview(t.Context(), "acme", "access", n,
			&github.PullRequestReviewRequest{Event: github.String("APPROVE")})
		refused(t, err, 422, "Can not approve your own pull request")
		_, _, err = c.PullRequests.CreateReview(t.Context(), "acme", "access", n,
			&github.PullRequestReviewRequest{Event: github.String("REQUEST_CHANGES"),
				Body: github.String("x")})
		refused(t, err, 422, "Can not request changes on your own pull request")
		must(f.Review("alice", n, "COMMENT"))(t)
	}},
	{"anyone with read access can review", docAboutReview, func(t *testing.T, f *Forge) {
		n := opened(t, f, "alice", "ask")
		must(f.Review("rita", n, "APPROVE"))(t)
		if _, err := f.Review("eve", n, "APPROVE"); err == nil ||
			!strings.Contains(err.Error(), "404") {
			t.Error(err)
		}
	}},
	{"a review keeps the head it was given on, and states are upper case in order of submission",
		docReviews, func(t *testing.T, f *Forge) {
			n := opened(t, f, "alice", "ask")
			first := f.Branch("ask")
			id := must(f.Review("bob", n, "APPROVE"))(t)
			must(f.Push(Change{User: "alice", Branch: "ask", Files: map[string]string{"more": "x"},
				Message: "More"}))(t)
			must(f.Review("carol", n, "REQUEST_CHANGES"))(t)
			must(f.Review("bob", n, "COMMENT"))(t)
			r, _, err := client(t, f, f.Token("rita")).PullRequests.GetReview(t.Context(), "acme",
				"access", n, id)
			if err != nil || r.GetCommitID() != first || r.GetSubmittedAt().IsZero() {
				t.Error(r, err)
			}
			if got := reviewStatesOf(t, f, f.Token("rita"), n); got != "bob APPROVED, carol "+
				"CHANGES_REQUESTED, bob COMMENTED" {
				t.Error(got)
			}
		}},
	{"a pending review is seen by its author only, until it is submitted", docReviews,
		func(t *testing.T, f *Forge) {
			n := opened(t, f, "alice", "ask")
			c := client(t, f, f.Token("bob"))
			r, _, err := c.PullRequests.CreateReview(t.Context(), "acme", "access", n,
				&github.PullRequestReviewRequest{})
			if err != nil || r.GetState() != "PENDING" || r.SubmittedAt != nil {
				t.Fatal(r, err)
			}
			if got := reviewStatesOf(t, f, f.Token("carol"), n); got != "" {
				t.Errorf("carol sees %s", got)
			}
			if got := reviewStatesOf(t, f, f.Token("bob"), n); got != "bob PENDING" {
				t.Errorf("bob sees %s", got)
			}
			if _, _, err := c.PullRequests.SubmitReview(t.Context(), "acme", "access", n, r.GetID(),
				&github.PullRequestReviewRequest{Event: github.String("APPROVE")}); err != nil {
				t.Fatal(err)
			}
			if got := reviewStatesOf(t, f, f.Token("carol"), n); got != "bob APPROVED" {
				t.Errorf("carol sees %s", got)
			}
		}},
	{"those with write dismiss approvals and blocks, not comments", docReviews, func(t *testing.T,
		f *Forge) {
		n := opened(t, f, "alice", "ask")
		approval, comment := must(f.Review("bob", n, "APPROVE"))(t), must(f.Review("carol", n,
			"COMMENT"))(t)
		why := &github.PullRequestReviewDismissalRequest{Message: github.String("no")}
		_, _, err := client(t, f, f.Token("rita")).PullRequests.DismissReview(t.Context(), "acme",
			"access", n, approval, why)
		refused(t, err, 403, "")
		c := client(t, f, f.Token("root"))
		if r, _, err := c.PullRequests.DismissReview(t.Context(), "acme", "access", n, approval,
			why); err != nil || r.GetState() != "DISMISSED" {
			t.Fatal(r, err)
		}
		_, _, err = c.PullRequests.DismissReview(t.Context(), "acme", "access", n, comment, why)
		refused(t, err, 422, "Can not dismiss a commented pull request review")
	}},
	{"with stale dismissal on, a push dismisses approvals and leaves blocks", docRulesets,
		func(t *testing.T, f *Forge) {
			f.Protect(Rules{Approvals: 1, DismissStale: true})
			n := opened(t, f, "alice", "ask")
			must(f.Review("bob", n, "APPROVE"))(t)
			must(f.Review("carol", n, "REQUEST_CHANGES"))(t)
			must(f.Push(Change{User: "alice", Branch: "ask", Files: map[string]string{"more": "x"},
				Message: "More"}))(t)
			if got := reviewStatesOf(t, f, f.Token("rita"), n); got != "bob DISMISSED, carol "+
				"CHANGES_REQUESTED" {
				t.Error(got)
			}
		}},
	{"a deleted user's reviews and commits stay without a user", docGhost, func(t *testing.T,
		f *Forge) {
		n := opened(t, f, "alice", "ask")
		must(f.Review("bob", n, "APPROVE"))(t)
		f.DeleteUser("bob")
		f.DeleteUser("alice")
		c := client(t, f, f.Token("root"))
		reviews, _, err := c.PullRequests.ListReviews(t.Context(), "acme", "access", n, nil)
		if err != nil || len(reviews) != 1 || reviews[0].User != nil ||
			reviews[0].GetState() != "APPROVED" {
			t.Error(reviews, err)
		}
		commits, _, err := c.PullRequests.ListCommits(t.Context(), "acme", "access", n, nil)
		if err != nil || len(commits) != 1 || commits[0].Author != nil {
			t.Error(commits, err)
		}
		if got := getPull(t, f, n).GetUser().GetLogin(); got != "ghost" {
			t.Errorf("author is %s", got)
		}
		_, _, err = c.Users.Get(t.Context(), "bob")
		refused(t, err, 404, "")
	}},
	{"a renamed user keeps the id; the old login can be taken by another", docGhost,
		func(t *testing.T, f *Forge) {
			n := opened(t, f, "alice", "ask")
			must(f.Review("bob", n, "APPROVE"))(t)
			f.RenameUser("bob", "robert")
			f.AddUser("bob", 999)
			reviews, _, err := client(t, f, f.Token("root")).PullRequests.ListReviews(t.Context(),
				"acme", "access", n, nil)
			if err != nil || reviews[0].GetUser().GetLogin() != "robert" ||
				reviews[0].GetUser().GetID() != 102 {
				t.Error(reviews, err)
			}
			u, _, err := client(t, f, f.Token("root")).Users.GetByID(t.Context(), 999)
			if err != nil || u.GetLogin() != "bob" {
				t.Error(u, err)
			}
		}},
}
