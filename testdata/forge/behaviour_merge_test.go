package forge

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-github/v60/github"
)

// pullsOf lists the numbers of the pull requests GitHub names for a commit.
func pullsOf(t *testing.T, f *Forge, sha string) []int {
	t.Helper()
	pulls, _, err := client(t, f, f.Token("root")).PullRequests.ListPullRequestsWithCommit(
		t.Context(),
		"acme", "access", sha, nil)
	if err != nil {
		t.Fatal(err)
	}
	var numbers []int
	for _, p := range pulls {
		numbers = append(numbers, p.GetNumber())
	}
	return numbers
}

var mergeBehaviours = []behaviour{
	{"a merge needs approvals from people with write and the required check of the required App",
		docRulesets, func(t *testing.T, f *Forge) {
			n := opened(t, f, "alice", "ask")
			head := f.Branch("ask")
			c := client(t, f, f.Token("alice"))
			f.AddApp("other", 7003)
			must(f.Review("rita", n, "APPROVE"))(t)
			if err := f.Pass("other", "pullgrant", head); err != nil {
				t.Fatal(err)
			}
			_, _, err := c.PullRequests.Merge(t.Context(), "acme", "access", n, "", nil)
			refused(t, err, 405, "At least 1 approving review is required by reviewers with write "+
				"access.\nRequired status check")
			must(f.Review("bob", n, "APPROVE"))(t)
			must(f.Review("carol", n, "REQUEST_CHANGES"))(t)
			if err := f.Pass("pullgrant", "pullgrant", head); err != nil {
				t.Fatal(err)
			}
			_, _, err = c.PullRequests.Merge(t.Context(), "acme", "access", n, "", nil)
			refused(t, err, 405, "Changes have been requested")
			must(f.Review("carol", n, "APPROVE"))(t)
			must(f.Push(Change{User: "alice", Branch: "ask", Files: map[string]string{"more": "x"},
				Message: "More"}))(t)
			_, _, err = c.PullRequests.Merge(t.Context(), "acme", "access", n, "", nil)
			refused(t, err, 405, "Required status check") // the check was for the old head
		}},
	{"bypass actors merge what the rules hold up; others with write do not", docRulesets,
		func(t *testing.T, f *Forge) {
			n := opened(t, f, "alice", "ask")
			_, _, err := client(t, f, f.AppToken("pullgrant")).PullRequests.Merge(t.Context(),
				"acme",
				"access", n, "", nil)
			refused(t, err, 405, "Repository rule violations found")
			if _, _, err := client(t, f, f.AppToken("agent")).PullRequests.Merge(t.Context(),
				"acme",
				"access", n, "", nil); err != nil {
				t.Fatal(err)
			}
			if p := getPull(t, f, n); p.GetMergedBy().GetLogin() != "agent[bot]" ||
				p.GetMergedBy().GetType() != "Bot" {
				t.Error(p.GetMergedBy())
			}
			second := opened(t, f, "alice", "second")
			must(f.Merge("root", second))(t) // an admin
			f.Protect(Rules{Approvals: 1, BindAdmins: true})
			third := opened(t, f, "alice", "third")
			if _, err := f.Merge("root", third); err == nil ||
				!strings.Contains(err.Error(), "405") {
				t.Error(err)
			}
		}},
	{"merging with another sha than the head's is 409", docPulls, func(t *testing.T, f *Forge) {
		n := opened(t, f, "alice", "ask")
		ready(t, f, n)
		_, _, err := client(t, f, f.Token("alice")).PullRequests.Merge(t.Context(),
			"acme", "access",
			n, "", &github.PullRequestOptions{SHA: f.Branch("main")})
		refused(t, err, 409, "Head branch was modified")
	}},
	{"drafts, conflicts, closed ones and rebases are 405", docDrafts, func(t *testing.T, f *Forge) {
		must(f.Push(Change{User: "alice", Branch: "draft",
			Files: map[string]string{"README.md": "mine\n"}, Message: "Ask"}))(t)
		c := client(t, f, f.Token("root"))
		p, _, err := c.PullRequests.Create(t.Context(), "acme", "access",
			&github.NewPullRequest{Title: github.String("x"), Head: github.String("draft"),
				Base: github.String("main"), Draft: github.Bool(true)})
		if err != nil || !p.GetDraft() {
			t.Fatal(p, err)
		}
		_, _, err = c.PullRequests.Merge(t.Context(), "acme", "access", p.GetNumber(), "", nil)
		refused(t, err, 405, "still a draft")
		if err := f.Do(f.Token("root"), "POST", "/graphql", object{"query": "mutation($id: ID!) " +
			"{ markPullRequestReadyForReview(input: {pullRequestId: $id}) { clientMutationId } }",
			"variables": object{"id": p.GetNodeID()}}, nil); err != nil {
			t.Fatal(err)
		}
		_, _, err = c.PullRequests.Merge(t.Context(), "acme", "access", p.GetNumber(), "",
			&github.PullRequestOptions{MergeMethod: "rebase"})
		refused(t, err, 405, "Rebase merges are not allowed")
		must(f.Push(Change{User: "root", Files: map[string]string{"README.md": "theirs\n"},
			Message: "Collide"}))(t)
		_, _, err = c.PullRequests.Merge(t.Context(), "acme", "access", p.GetNumber(), "", nil)
		refused(t, err, 405, "not mergeable")
		if _, _, err := c.PullRequests.Edit(t.Context(), "acme", "access", p.GetNumber(),
			&github.PullRequest{State: github.String("closed")}); err != nil {
			t.Fatal(err)
		}
		_, _, err = c.PullRequests.Merge(t.Context(), "acme", "access", p.GetNumber(), "", nil)
		refused(t, err, 405, "not mergeable")
	}},
	{"a merge commit has base and head as parents, GitHub as verified committer; the branch is deleted",
		docBranches, func(t *testing.T, f *Forge) {
			n := opened(t, f, "alice", "ask")
			base, head := f.Branch("main"), f.Branch("ask")
			ready(t, f, n)
			sha := must(f.Merge("bob", n))(t)
			commit, _, err := client(t, f, f.Token("rita")).Repositories.GetCommit(t.Context(),
				"acme",
				"access", sha, nil)
			if err != nil || len(commit.Parents) != 2 || commit.Parents[0].GetSHA() != base ||
				commit.Parents[1].GetSHA() != head {
				t.Fatal(commit, err)
			}
			if commit.GetAuthor().GetLogin() != "bob" ||
				commit.GetCommitter().GetLogin() != "web-flow" ||
				!commit.GetCommit().GetVerification().GetVerified() {
				t.Error(commit)
			}
			p := getPull(t, f, n)
			if f.Branch("ask") != "" || p.GetHead().GetSHA() != head || p.GetState() != "closed" ||
				!p.GetMerged() || p.GetMergedAt().IsZero() || p.GetMergeCommitSHA() != sha {
				t.Errorf("branch %q, %v", f.Branch("ask"), p)
			}
			if got := pullsOf(t, f, sha); !slices.Equal(got, []int{n}) {
				t.Errorf("the merge commit belongs to %v", got)
			}
			if got := pullsOf(t, f, head); !slices.Equal(got, []int{n}) {
				t.Errorf("the head belongs to %v", got)
			}
			if got := pullsOf(t, f, base); got != nil {
				t.Errorf("the base belongs to %v", got)
			}
			files, _, err := client(t, f, f.Token("rita")).PullRequests.ListFiles(t.Context(),
				"acme",
				"access", n, nil)
			if err != nil || len(files) != 1 || p.GetChangedFiles() != 1 || p.GetCommits() != 1 ||
				p.GetBase().GetSHA() != base {
				t.Error("a merged pull request keeps its files and commits", files, err)
			}
		}},
	{"a squash is one commit by the pull request's author, and merge_commit_sha", docMerges,
		func(t *testing.T, f *Forge) {
			n := opened(t, f, "alice", "ask")
			base := f.Branch("main")
			ready(t, f, n)
			result, _, err := client(t, f, f.Token("bob")).PullRequests.Merge(t.Context(), "acme",
				"access", n, "", &github.PullRequestOptions{MergeMethod: "squash"})
			if err != nil {
				t.Fatal(err)
			}
			commit := must(f.git.commit(result.GetSHA()))(t)
			if !slices.Equal(commit.Parents, []string{base}) || commit.Author.Name != "alice" ||
				commit.Message != "Ask for ask (#1)" || getPull(t, f,
				n).GetMergeCommitSHA() != result.GetSHA() {
				t.Error(commit)
			}
			files, _, err := client(t, f, f.Token("bob")).PullRequests.ListFiles(t.Context(),
				"acme",
				"access", n, nil)
			if err != nil || len(files) != 1 {
				t.Error(files, err)
			}
		}},
	{"pushing a pull request's own commits to main marks it merged, rules or not", docMerges,
		func(t *testing.T, f *Forge) {
			n := opened(t, f, "alice", "ask")
			head := f.Branch("ask")
			if err := f.SetBranch("root", "main", head); err != nil {
				t.Fatal(err)
			}
			p := getPull(t, f, n)
			if !p.GetMerged() || p.GetMergeCommitSHA() != head ||
				p.GetMergedBy().GetLogin() != "root" {
				t.Error(p)
			}
			if got := pullsOf(t, f, head); !slices.Equal(got, []int{n}) {
				t.Errorf("the commit belongs to %v", got)
			}
		}},
	{"a pull request inside another is merged with it; the merge commit belongs to the outer one",
		docMerges, func(t *testing.T, f *Forge) {
			inner := opened(t, f, "alice", "inner")
			must(f.Push(Change{User: "bob", Branch: "outer", From: "inner",
				Files: map[string]string{"more": "x"}, Message: "More"}))(t)
			outer := must(f.Open("bob", "outer", "Outer"))(t)
			sha := must(f.Merge("root", outer))(t)
			if p := getPull(t, f, inner); !p.GetMerged() || p.GetState() != "closed" {
				t.Error(p)
			}
			if got := pullsOf(t, f, sha); !slices.Equal(got, []int{outer}) {
				t.Errorf("the merge commit belongs to %v", got)
			}
		}},
	{"a commit that is not on main yet belongs to open pull requests; a direct push to none",
		docCommits, func(t *testing.T, f *Forge) {
			n := opened(t, f, "alice", "ask")
			if got := pullsOf(t, f, f.Branch("ask")); !slices.Equal(got, []int{n}) {
				t.Error(got)
			}
			sha := must(f.Push(Change{User: "root", Files: map[string]string{"x": "y"},
				Message: "Direct"}))(t)
			if got := pullsOf(t, f, sha); got != nil {
				t.Error(got)
			}
		}},
	{"auto-merge merges by itself when the last rule is met", docAutoMerge, func(t *testing.T,
		f *Forge) {
		n := opened(t, f, "alice", "ask")
		var out struct {
			Errors []struct{ Message string }
			Data   struct {
				EnablePullRequestAutoMerge struct {
					PullRequest struct{ AutoMergeRequest *struct{ MergeMethod string } }
				}
			}
		}
		if err := f.Do(f.Token("alice"), "POST", "/graphql",
			object{"query": `mutation { enablePullRequestAutoMerge(input: {pullRequestId: "` +
				getPull(t, f, n).GetNodeID() +
				`", mergeMethod: SQUASH}) { pullRequest { autoMergeRequest { mergeMethod } } } }`},
			&out); err != nil || out.Errors != nil {
			t.Fatal(out, err)
		}
		if got := out.Data.EnablePullRequestAutoMerge.PullRequest.AutoMergeRequest; got == nil ||
			got.MergeMethod != "SQUASH" {
			t.Fatal(got)
		}
		must(f.Review("bob", n, "APPROVE"))(t)
		if p := getPull(t, f, n); p.GetMerged() ||
			p.GetAutoMerge().GetEnabledBy().GetLogin() != "alice" {
			t.Fatal("merged before the check", p)
		}
		if err := f.Pass("pullgrant", "pullgrant", f.Branch("ask")); err != nil {
			t.Fatal(err)
		}
		if p := getPull(t, f, n); !p.GetMerged() || p.GetMergedBy().GetLogin() != "alice" {
			t.Error(p)
		}
	}},
}
