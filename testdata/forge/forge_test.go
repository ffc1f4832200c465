package forge

import (
	"testing"

	"github.com/google/go-github/v60/github"
)

// TestPipeline is one pull request from a branch made through the Git Data API to the merge, by go-github alone.
func TestPipeline(t *testing.T) {
	f := start(t, Options{})
	ctx := t.Context()
	alice, bob, check := client(t, f, f.Token("alice")), client(t, f, f.Token("bob")), client(t, f, f.AppToken("pullgrant"))

	main, _, err := alice.Git.GetRef(ctx, "acme", "access", "heads/main")
	if err != nil {
		t.Fatal(err)
	}
	tip, _, err := alice.Git.GetCommit(ctx, "acme", "access", main.Object.GetSHA())
	if err != nil {
		t.Fatal(err)
	}
	tree, _, err := alice.Git.CreateTree(ctx, "acme", "access", tip.Tree.GetSHA(), []*github.TreeEntry{
		{Path: github.String("requests/x/y/z.yaml"), Mode: github.String("100644"), Type: github.String("blob"), Content: github.String("a: b\n")}})
	if err != nil {
		t.Fatal(err)
	}
	commit, _, err := alice.Git.CreateCommit(ctx, "acme", "access", &github.Commit{Message: github.String("Ask"), Tree: tree, Parents: []*github.Commit{{SHA: tip.SHA}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := commit.GetAuthor().GetEmail(); got != "101+alice@users.noreply.github.com" {
		t.Errorf("author is %s", got)
	}
	if _, _, err := alice.Git.CreateRef(ctx, "acme", "access", &github.Reference{Ref: github.String("refs/heads/ask"), Object: &github.GitObject{SHA: commit.SHA}}); err != nil {
		t.Fatal(err)
	}
	pull, _, err := alice.PullRequests.Create(ctx, "acme", "access", &github.NewPullRequest{Title: github.String("Ask"), Head: github.String("ask"), Base: github.String("main")})
	if err != nil {
		t.Fatal(err)
	}
	if pull.Mergeable != nil || pull.MergeCommitSHA != nil || pull.GetHead().GetSHA() != commit.GetSHA() {
		t.Errorf("new pull request: mergeable %v, merge commit %v, head %s", pull.Mergeable, pull.MergeCommitSHA, pull.GetHead().GetSHA())
	}
	n := pull.GetNumber()
	_, _, err = alice.PullRequests.Merge(ctx, "acme", "access", n, "", nil)
	refused(t, err, 405, "At least 1 approving review is required")
	if _, _, err := bob.PullRequests.CreateReview(ctx, "acme", "access", n, &github.PullRequestReviewRequest{Event: github.String("APPROVE")}); err != nil {
		t.Fatal(err)
	}
	_, _, err = alice.PullRequests.Merge(ctx, "acme", "access", n, "", nil)
	refused(t, err, 405, `status check "pullgrant" is expected`)
	if _, _, err := check.Checks.CreateCheckRun(ctx, "acme", "access", github.CreateCheckRunOptions{Name: "pullgrant", HeadSHA: commit.GetSHA(),
		Status: github.String("completed"), Conclusion: github.String("success")}); err != nil {
		t.Fatal(err)
	}
	result, _, err := alice.PullRequests.Merge(ctx, "acme", "access", n, "", &github.PullRequestOptions{SHA: commit.GetSHA()})
	if err != nil {
		t.Fatal(err)
	}
	if f.Branch("main") != result.GetSHA() || f.Branch("ask") != "" {
		t.Errorf("main is %s, ask is %s after merging to %s", f.Branch("main"), f.Branch("ask"), result.GetSHA())
	}
	if pull = getPull(t, f, n); !pull.GetMerged() || pull.GetMergeCommitSHA() != result.GetSHA() || pull.GetMergedBy().GetLogin() != "alice" {
		t.Errorf("after the merge: %v", pull)
	}
	introduced, _, err := alice.PullRequests.ListPullRequestsWithCommit(ctx, "acme", "access", result.GetSHA(), nil)
	if err != nil || len(introduced) != 1 || introduced[0].GetNumber() != n || introduced[0].GetMergedAt().IsZero() {
		t.Errorf("pull requests of the merge commit: %v, %v", introduced, err)
	}
}
