package forge

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-github/v60/github"
)

var pullBehaviours = []behaviour{
	{"lists come in pages that Link headers chain", docPagination, func(t *testing.T, f *Forge) {
		for i := range 5 {
			opened(t, f, "alice", fmt.Sprintf("ask-%d", i))
		}
		c := client(t, f, f.Token("bob"))
		var numbers []int
		calls := 0
		options := &github.PullRequestListOptions{Direction: "asc", ListOptions: github.ListOptions{
			PerPage: 100}}
		for {
			pulls, response, err := c.PullRequests.List(t.Context(), "acme", "access", options)
			if err != nil || len(pulls) > 2 {
				t.Fatal(len(pulls), err)
			}
			calls++
			for _, p := range pulls {
				numbers = append(numbers, p.GetNumber())
			}
			if response.NextPage == 0 {
				break
			}
			options.Page = response.NextPage
		}
		if !slices.Equal(numbers, []int{1, 2, 3, 4, 5}) || calls != 3 {
			t.Errorf("%v in %d calls", numbers, calls)
		}
	}},
	{"an unchanged answer is 304 to its ETag, a changed one is sent again", docConditional,
		func(t *testing.T, f *Forge) {
			n := opened(t, f, "alice", "ask")
			path := fmt.Sprintf("/repos/acme/access/pulls/%d/reviews", n)
			first := get(t, f, f.Token("bob"), path)
			if got := get(t, f, f.Token("bob"), path, "If-None-Match",
				first.Header.Get("ETag")).StatusCode; got != 304 {
				t.Errorf("unchanged: %d", got)
			}
			must(f.Review("bob", n, "APPROVE"))(t)
			if got := get(t, f, f.Token("bob"), path, "If-None-Match",
				first.Header.Get("ETag")).StatusCode; got != 200 {
				t.Errorf("changed: %d", got)
			}
		}},
	{"answers carry the Date of the server's clock", docConditional, func(t *testing.T, f *Forge) {
		if got := get(t, f, f.Token("bob"), "/rate_limit").Header.Get(
			"Date"); got != "Mon, 23 Nov 2026 08:00:00 GMT" {
			t.Error(got)
		}
	}},
	{"only one open pull request may have the same head and base", docPulls, func(t *testing.T,
		f *Forge) {
		n := opened(t, f, "alice", "ask")
		_, err := f.Open("bob", "ask", "Again")
		if err == nil || !strings.Contains(err.Error(), "422") || !strings.Contains(err.Error(),
			"A pull request already exists for acme:ask.") {
			t.Error(err)
		}
		root := client(t, f, f.Token("root"))
		if _, _, err := root.PullRequests.Edit(t.Context(), "acme", "access", n,
			&github.PullRequest{State: github.String("closed")}); err != nil {
			t.Fatal(err)
		}
		must(f.Open("bob", "ask", "Again"))(t)
	}},
	{"a branch without new commits cannot be opened", docPulls, func(t *testing.T, f *Forge) {
		if err := f.SetBranch("alice", "same", f.Branch("main")); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Open("alice", "same", "Nothing"); err == nil ||
			!strings.Contains(err.Error(),
				"No commits between main and same") {
			t.Error(err)
		}
	}},
	{"head and base SHA are the tips; a push moves the head", docPulls, func(t *testing.T,
		f *Forge) {
		n := opened(t, f, "alice", "ask")
		p := getPull(t, f, n)
		if p.GetHead().GetSHA() != f.Branch("ask") || p.GetBase().GetSHA() != f.Branch("main") ||
			p.GetBase().GetRepo().GetID() != 9001 {
			t.Error(p.GetHead(), p.GetBase())
		}
		sha := must(f.Push(Change{User: "alice", Branch: "ask",
			Files:   map[string]string{"more": "x"},
			Message: "More"}))(t)
		if got := getPull(t, f, n).GetHead().GetSHA(); got != sha {
			t.Errorf("head is %s, want %s", got, sha)
		}
	}},
	{"merge_commit_sha of an open pull request is the test merge; conflicts make mergeable false",
		docPulls, func(t *testing.T, f *Forge) {
			n := opened(t, f, "alice", "ask")
			p := getPull(t, f, n)
			test := must(f.git.commit(p.GetMergeCommitSHA()))(t)
			if !p.GetMergeable() || !slices.Equal(test.Parents, []string{f.Branch("main"),
				f.Branch("ask")}) {
				t.Errorf("mergeable %v, test merge of %v", p.GetMergeable(), test.Parents)
			}
			must(f.Push(Change{User: "root", Files: map[string]string{"requests/ask.yaml": "other\n"},
				Message: "Collide"}))(t)
			if p = getPull(t, f, n); p.Mergeable == nil || p.GetMergeable() ||
				p.MergeCommitSHA != nil ||
				p.GetMergeableState() != "dirty" {
				t.Errorf("mergeable %v, state %s", p.Mergeable, p.GetMergeableState())
			}
		}},
	{"files have a status word each, and renames the previous name", docPulls, func(t *testing.T,
		f *Forge) {
		must(f.Push(Change{User: "alice", Branch: "ask", Message: "All kinds",
			Files: map[string]string{
				"README.md": "changed\n", "policies/p.yaml": Removed, "docs/a.txt": Removed,
				"docs/b.txt": "one\ntwo\nthree\nfour\nFIVE\n", "new.txt": "a\nb\n"}}))(t)
		n := must(f.Open("alice", "ask", "Ask"))(t)
		c := client(t, f, f.Token("bob"))
		got := map[string]string{}
		for page := 1; page != 0; {
			files, response, err := c.PullRequests.ListFiles(t.Context(), "acme", "access", n,
				&github.ListOptions{Page: page})
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				got[file.GetFilename()] = fmt.Sprint(file.GetStatus(), file.GetPreviousFilename(),
					file.GetAdditions(), file.GetDeletions())
			}
			page = response.NextPage
		}
		want := map[string]string{"README.md": "modified1 1", "policies/p.yaml": "removed0 1",
			"docs/b.txt": "renameddocs/a.txt1 1", "new.txt": "added2 0"}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
	}},
	{"files are those since the head left its base, not what the base did since", docPulls,
		func(t *testing.T, f *Forge) {
			n := opened(t, f, "alice", "ask")
			must(f.Push(Change{User: "root", Files: map[string]string{"elsewhere": "x"},
				Message: "Meanwhile"}))(t)
			files, _, err := client(t, f, f.Token("bob")).PullRequests.ListFiles(t.Context(),
				"acme",
				"access", n, nil)
			if err != nil || len(files) != 1 || files[0].GetFilename() != "requests/ask.yaml" {
				t.Error(files, err)
			}
		}},
	{"a new base leaves a base_ref_changed event", docTimeline, func(t *testing.T, f *Forge) {
		if err := f.SetBranch("root", "other", f.Branch("main")); err != nil {
			t.Fatal(err)
		}
		n := opened(t, f, "alice", "ask")
		c := client(t, f, f.Token("alice"))
		p, _, err := c.PullRequests.Edit(t.Context(), "acme", "access", n,
			&github.PullRequest{Base: &github.PullRequestBranch{Ref: github.String("other")}})
		if err != nil || p.GetBase().GetRef() != "other" {
			t.Fatal(p.GetBase(), err)
		}
		events, _, err := c.Issues.ListIssueTimeline(t.Context(), "acme", "access", n, nil)
		if err != nil || !slices.ContainsFunc(events, func(e *github.Timeline) bool {
			return e.GetEvent() == "base_ref_changed" && e.GetActor().GetLogin() == "alice"
		}) {
			t.Error(events, err)
		}
	}},
	{"the timeline holds commits, comments, reviews and events", docTimeline, func(t *testing.T,
		f *Forge) {
		n := opened(t, f, "alice", "ask")
		c := client(t, f, f.Token("bob"))
		must(f.Review("bob", n, "APPROVE"))(t)
		comment, _, err := c.Issues.CreateComment(t.Context(), "acme", "access", n,
			&github.IssueComment{Body: github.String("hm")})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Issues.EditComment(t.Context(), "acme", "access", comment.GetID(),
			&github.IssueComment{Body: github.String("hm!")}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Issues.AddLabelsToIssue(t.Context(), "acme", "access", n,
			[]string{"urgent"}); err != nil {
			t.Fatal(err)
		}
		var kinds []string
		for page := 1; page != 0; {
			events, response, err := c.Issues.ListIssueTimeline(t.Context(), "acme", "access", n,
				&github.ListOptions{Page: page})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events {
				kinds = append(kinds, e.GetEvent()+e.GetState()+e.GetBody())
			}
			page = response.NextPage
		}
		if want := []string{"committed", "reviewedapprovedAPPROVE", "commentedhm!",
			"labeled"}; !slices.Equal(kinds, want) {
			t.Errorf("got %q, want %q", kinds, want)
		}
	}},
	{"a fork's pull request has the fork's repository as its head", docForks, func(t *testing.T,
		f *Forge) {
		sha := must(f.Push(Change{User: "rita", Branch: "rita:ask",
			Files: map[string]string{"requests/r.yaml": "x\n"}, Message: "Ask"}))(t)
		n := must(f.Open("rita", "rita:ask", "Ask"))(t)
		p := getPull(t, f, n)
		if p.GetHead().GetRepo().GetID() == p.GetBase().GetRepo().GetID() ||
			p.GetHead().GetLabel() != "rita:ask" || p.GetHead().GetSHA() != sha ||
			f.Branch("ask") != "" {
			t.Error(p.GetHead())
		}
		ready(t, f, n)
		must(f.Merge("bob", n))(t)
	}},
	{"the author cannot be asked for a review, others can, and reviewing answers it", docRequests,
		func(t *testing.T, f *Forge) {
			f.AddTeam("owners", 31, "", "bob", "carol")
			f.SetTeamPermission("owners", "write")
			n := opened(t, f, "alice", "ask")
			c := client(t, f, f.Token("alice"))
			_, _, err := c.PullRequests.RequestReviewers(t.Context(), "acme", "access", n,
				github.ReviewersRequest{Reviewers: []string{"alice"}})
			refused(t, err, 422, "Review cannot be requested from pull request author")
			p, _, err := c.PullRequests.RequestReviewers(t.Context(), "acme", "access", n,
				github.ReviewersRequest{Reviewers: []string{"bob"},
					TeamReviewers: []string{"owners"}})
			if err != nil || len(p.RequestedReviewers) != 1 || len(p.RequestedTeams) != 1 {
				t.Fatal(p, err)
			}
			must(f.Review("bob", n, "APPROVE"))(t)
			asked, _, err := c.PullRequests.ListReviewers(t.Context(), "acme", "access", n, nil)
			if err != nil || len(asked.Users)+len(asked.Teams) != 0 {
				t.Error(asked, err)
			}
		}},
}
