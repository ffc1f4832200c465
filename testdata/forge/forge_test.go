package forge

import (
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-billy/v5/memfs"
	gogit "github.com/go-git/go-git/v5"
	gogitobject "github.com/go-git/go-git/v5/plumbing/object"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
	"github.com/go-git/go-git/v5/storage/memory"
	"github.com/google/go-github/v60/github"
)

// TestPipeline is one pull request from a branch made through the Git Data API to the merge, by
// go-github alone.
func TestPipeline(t *testing.T) {
	f := start(t, Options{})
	ctx := t.Context()
	alice, bob, check := client(t, f, f.Token("alice")), client(t, f, f.Token("bob")), client(t, f,
		f.AppToken("pullgrant"))

	main, _, err := alice.Git.GetRef(ctx, "acme", "access", "heads/main")
	if err != nil {
		t.Fatal(err)
	}
	tip, _, err := alice.Git.GetCommit(ctx, "acme", "access", main.Object.GetSHA())
	if err != nil {
		t.Fatal(err)
	}
	tree, _, err := alice.Git.CreateTree(ctx, "acme", "access", tip.Tree.GetSHA(),
		[]*github.TreeEntry{
			{Path: github.String("requests/x/y/z.yaml"), Mode: github.String("100644"),
				Type: github.String("blob"), Content: github.String("a: b\n")}})
	if err != nil {
		t.Fatal(err)
	}
	commit, _, err := alice.Git.CreateCommit(ctx, "acme", "access",
		&github.Commit{Message: github.String("Ask"), Tree: tree,
			Parents: []*github.Commit{{SHA: tip.SHA}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := commit.GetAuthor().GetEmail(); got != "101+alice@users.noreply.github.com" {
		t.Errorf("author is %s", got)
	}
	if _, _, err := alice.Git.CreateRef(ctx, "acme", "access",
		&github.Reference{Ref: github.String("refs/heads/ask"),
			Object: &github.GitObject{SHA: commit.SHA}}); err != nil {
		t.Fatal(err)
	}
	pull, _, err := alice.PullRequests.Create(ctx, "acme", "access",
		&github.NewPullRequest{Title: github.String("Ask"), Head: github.String("ask"),
			Base: github.String("main")})
	if err != nil {
		t.Fatal(err)
	}
	if pull.Mergeable != nil || pull.MergeCommitSHA != nil ||
		pull.GetHead().GetSHA() != commit.GetSHA() {
		t.Errorf("new pull request: mergeable %v, merge commit %v, head %s", pull.Mergeable,
			pull.MergeCommitSHA, pull.GetHead().GetSHA())
	}
	n := pull.GetNumber()
	_, _, err = alice.PullRequests.Merge(ctx, "acme", "access", n, "", nil)
	refused(t, err, 405, "At least 1 approving review is required")
	if _, _, err := bob.PullRequests.CreateReview(ctx, "acme", "access", n,
		&github.PullRequestReviewRequest{Event: github.String("APPROVE")}); err != nil {
		t.Fatal(err)
	}
	_, _, err = alice.PullRequests.Merge(ctx, "acme", "access", n, "", nil)
	refused(t, err, 405, `status check "pullgrant" is expected`)
	if _, _, err := check.Checks.CreateCheckRun(ctx, "acme", "access",
		github.CreateCheckRunOptions{Name: "pullgrant", HeadSHA: commit.GetSHA(),
			Status: github.String("completed"), Conclusion: github.String("success")}); err != nil {
		t.Fatal(err)
	}
	result, _, err := alice.PullRequests.Merge(ctx, "acme", "access", n, "",
		&github.PullRequestOptions{SHA: commit.GetSHA()})
	if err != nil {
		t.Fatal(err)
	}
	if f.Branch("main") != result.GetSHA() || f.Branch("ask") != "" {
		t.Errorf("main is %s, ask is %s after merging to %s", f.Branch("main"), f.Branch("ask"),
			result.GetSHA())
	}
	if pull = getPull(t, f, n); !pull.GetMerged() || pull.GetMergeCommitSHA() != result.GetSHA() ||
		pull.GetMergedBy().GetLogin() != "alice" {
		t.Errorf("after the merge: %v", pull)
	}
	introduced, _, err := alice.PullRequests.ListPullRequestsWithCommit(ctx, "acme", "access",
		result.GetSHA(), nil)
	if err != nil || len(introduced) != 1 || introduced[0].GetNumber() != n ||
		introduced[0].GetMergedAt().IsZero() {
		t.Errorf("pull requests of the merge commit: %v, %v", introduced, err)
	}
}

// TestFail holds what a client sees of injected trouble.
func TestFail(t *testing.T) {
	f := start(t, Options{})
	opened(t, f, "alice", "ask")
	c := client(t, f, f.Token("bob"))
	list := func() error {
		_, _, err := c.PullRequests.List(t.Context(), "acme", "access", nil)
		return err
	}
	f.Fail("GET", "/repos/acme/access/pulls", 1, 502, "bad gateway")
	refused(t, list(), 502, "")
	if err := list(); err != nil {
		t.Fatal("after the one failure:", err)
	}
	f.Fail("", "/repos/.*", -1, 403,
		`{"message":"You have exceeded a secondary rate limit","documentation_url":"https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits"}`, "Retry-After", "7")
	var limit *github.AbuseRateLimitError
	if err := list(); !errors.As(err, &limit) || limit.GetRetryAfter() != 7*time.Second {
		t.Error(err)
	}
	f.Heal()
	f.Fail("GET", "/repos/acme/access/pulls", 1, 0, "")
	c = client(t, f, f.Token("bob")) // go-github waits out the limit by itself
	if err := list(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error("cut in half:", err)
	}
	f.Fail("GET", ".*info/refs", 1, 500, "")
	if out, ok := git(t, ".", "ls-remote", as(f, "bob")); ok || !strings.Contains(out, "500") {
		t.Error(out)
	}
	if got := f.Requests(); got[len(got)-1].Status != 500 || got[len(got)-1].User != "" &&
		got[len(got)-1].User != "bob" {
		t.Error(got[len(got)-1])
	}
}

// TestContract shows that the contract check can fail, for the client's side and for unknown
// operations.
func TestContract(t *testing.T) {
	f, err := Start(t.TempDir(), Options{Contract: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	f.AddUser("alice", 101)
	for _, path := range []string{"/repos/acme/access/pulls?state=merged",
		"/repos/acme/access/secrets"} {
		_ = f.Do(f.Token("alice"), "GET", path, nil, nil)
	}
	violations := f.Violations()
	if len(violations) != 2 || !strings.Contains(violations[0], `parameter "state"`) ||
		!strings.Contains(violations[1], "not an operation of GitHub's API") {
		t.Errorf("%q", violations)
	}
	route := f.contract.Route("GET", "/repos/{owner}/{repo}/pulls/{pull_number}/reviews")
	request := httptest.NewRequest("GET", "/repos/acme/access/pulls/1/reviews", nil)
	request.SetPathValue("owner", "acme")
	request.SetPathValue("repo", "access")
	request.SetPathValue("pull_number", "1")
	f.write(httptest.NewRecorder(), request, ok(nil), []byte(`[{"id":"x"}]`),
		f.contract.Request(route, request, nil))
	if violations = f.Violations(); len(violations) != 3 || !strings.Contains(violations[2],
		"response 200") {
		t.Errorf("%q", violations)
	}
}

// TestNoAutoMerge is the repository setting turned off.
func TestNoAutoMerge(t *testing.T) {
	f := start(t, Options{})
	f.SetUp(Setup{NoAutoMerge: true})
	n := opened(t, f, "alice", "ask")
	var out struct {
		Errors []struct{ Type, Message string }
	}
	err := f.Do(f.Token("alice"), "POST", "/graphql", object{"query": "mutation($input: " +
		"EnablePullRequestAutoMergeInput!) { enablePullRequestAutoMerge(input: $input) { " +
		"clientMutationId } }",
		"variables": object{"input": object{"pullRequestId": getPull(t, f, n).GetNodeID(),
			"mergeMethod": "MERGE"}}}, &out)
	if err != nil || len(out.Errors) != 1 || out.Errors[0].Type != "UNPROCESSABLE" ||
		!strings.Contains(out.Errors[0].Message, "Auto merge is not allowed for this repository") {
		t.Error(out, err)
	}
}

// TestGoGit clones and pushes with go-git, the agent's client.
func TestGoGit(t *testing.T) {
	f := start(t, Options{})
	auth := &githttp.BasicAuth{Username: "x-access-token", Password: f.AppToken("agent")}
	repo, err := gogit.Clone(memory.NewStorage(), memfs.New(),
		&gogit.CloneOptions{URL: f.CloneURL(),
			Auth: auth})
	if err != nil {
		t.Fatal(err)
	}
	tree, err := repo.Worktree()
	if err != nil {
		t.Fatal(err)
	}
	sha, err := tree.Commit("Record", &gogit.CommitOptions{AllowEmptyCommits: true,
		Author: &gogitobject.Signature{Name: "agent", Email: "a@example.com", When: f.now()}})
	if err != nil {
		t.Fatal(err)
	}
	if err := repo.Push(&gogit.PushOptions{Auth: &githttp.BasicAuth{Username: "x",
		Password: f.Token("alice")}}); err == nil || !strings.Contains(err.Error(),
		"hook declined") {
		t.Errorf("alice's push: %v", err)
	}
	if err := repo.Push(&gogit.PushOptions{Auth: auth}); err != nil ||
		f.Branch("main") != sha.String() {
		t.Errorf("the agent's push: %v", err)
	}
}

// TestBefore changes the head between two reads of one client.
func TestBefore(t *testing.T) {
	f := start(t, Options{})
	n := opened(t, f, "alice", "ask")
	first := getPull(t, f, n).GetHead().GetSHA()
	var second string
	f.Before("GET", ".*/reviews", func() {
		second, _ = f.Push(Change{User: "alice", Branch: "ask",
			Files:   map[string]string{"more": "x"},
			Message: "More"})
	})
	if got := reviewStatesOf(t, f, f.Token("bob"), n); got != "" {
		t.Error(got)
	}
	if got := getPull(t, f, n).GetHead().GetSHA(); got == first || got != second {
		t.Errorf("head %s, was %s, pushed %s", got, first, second)
	}
}
