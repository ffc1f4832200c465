package forge

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-github/v60/github"
)

// TestLags: what happened shows after a while in lists, in the activity and in the pull requests of
// a commit, and at once where GitHub shows it at once.
func TestLags(t *testing.T) {
	at := &clock{time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)}
	f := start(t, Options{Now: at.now, Manners: Lagging(3 * time.Second)})
	c := client(t, f, f.Token("root"))
	n := opened(t, f, "alice", "ask")
	merge := ""
	shown := func() (listed, pushed, tied int) {
		pulls, _, err := c.PullRequests.List(t.Context(), "acme", "access", nil)
		must(pulls, err)(t)
		activity := []object{}
		must(0, f.Do(f.Token("root"), "GET", "/repos/acme/access/activity?ref=refs/heads/ask", nil,
			&activity))(t)
		if merge != "" {
			merged, _, err := c.PullRequests.ListPullRequestsWithCommit(t.Context(), "acme",
				"access", merge, nil)
			tied = len(must(merged, err)(t))
		}
		return len(pulls), len(activity), tied
	}
	expect := func(what string, listed, pushed, tied int) {
		t.Helper()
		if l, p, m := shown(); l != listed || p != pushed || m != tied {
			t.Errorf("%s: %d listed, %d pushes, %d tied to the merge; want %d, %d, %d",
				what, l, p, m,
				listed, pushed, tied)
		}
	}
	expect("opened", 0, 0, 0)
	at.t = at.t.Add(3 * time.Second)
	expect("3 s later", 1, 1, 0)
	merge = must(f.Merge("root", n))(t)
	expect("merged", 0, 0, 0) // and its branch deleted
	var graph struct {
		Data struct {
			Repository struct {
				PullRequests struct {
					Nodes []struct{ MergeCommit struct{ OID string } }
				}
			}
		}
	}
	must(0, f.Do(f.Token("root"), "POST", "/graphql", object{"query": `{ repository(owner: "acme",
		name: "access") { pullRequests(states: MERGED, first: 9) { nodes { mergeCommit { oid } } } } }`},
		&graph))(t)
	if nodes := graph.Data.Repository.PullRequests.Nodes; len(nodes) != 1 ||
		nodes[0].MergeCommit.OID != merge {
		t.Errorf("GraphQL lists %+v", nodes)
	}
	at.t = at.t.Add(3 * time.Second)
	expect("3 s later", 0, 0, 1)
	f.SetManners(Manners{})
	expect("told by the name of a branch that is gone", 0, 2, 1)
}

// TestRebase: the commits are made anew, by whoever merges, on top of what the base has; the last
// one is the merge.
func TestRebase(t *testing.T) {
	f := start(t, Options{Manners: Manners{Rebase: true}})
	n := opened(t, f, "alice", "ask")
	must(f.Push(Change{User: "bob", Branch: "ask", Files: map[string]string{"b": "2\n"},
		Message: "More"}))(t)
	base := must(f.Push(Change{User: "root", Files: map[string]string{"README.md": "later\n"},
		Message: "Meanwhile"}))(t)
	must(0, f.Do(f.Token("root"), http.MethodPut, fmt.Sprintf("/repos/acme/access/pulls/%d/merge",
		n),
		object{"merge_method": "rebase"}, nil))(t)
	c := client(t, f, f.Token("root"))
	p := getPull(t, f, n)
	tip, _, err := c.Repositories.GetCommit(t.Context(), "acme", "access", "main", nil)
	must(tip, err)(t)
	first, _, err := c.Repositories.GetCommit(t.Context(), "acme", "access",
		tip.Parents[0].GetSHA(), nil)
	must(first, err)(t)
	if p.GetMergeCommitSHA() != tip.GetSHA() || len(tip.Parents) != 1 ||
		first.Parents[0].GetSHA() != base || tip.GetAuthor().GetLogin() != "bob" ||
		tip.GetCommitter().GetLogin() != "root" || len(tip.Files) != 1 || len(first.Files) != 1 {
		t.Errorf("merged as %s, tip %v on %v", p.GetMergeCommitSHA(), tip, first)
	}
	for _, sha := range []string{tip.GetSHA(), first.GetSHA()} {
		found, _, err := c.PullRequests.ListPullRequestsWithCommit(t.Context(), "acme",
			"access", sha,
			nil)
		if err != nil || len(found) != 1 {
			t.Errorf("%s is tied to %v, %v", sha, found, err)
		}
	}
}

// TestVersion2026: no answer tells the commit of a merge.
func TestVersion2026(t *testing.T) {
	f := start(t, Options{Manners: Manners{Version2026: true}})
	n := opened(t, f, "alice", "ask")
	must(f.Merge("root", n))(t)
	pull := object{}
	must(0, f.Do(f.Token("root"), "GET", fmt.Sprintf("/repos/acme/access/pulls/%d", n), nil,
		&pull))(t)
	if _, told := pull["merge_commit_sha"]; told || pull["merged"] != true {
		t.Errorf("%v", pull)
	}
}

// TestCodeOwnersMustApprove: one of each path that has any, by the version on the base; a team's
// members are owners too.
func TestCodeOwnersMustApprove(t *testing.T) {
	f := start(t, Options{})
	f.AddTeam("squad", 301, "", "carol")
	f.SetTeamPermission("squad", "write")
	must(f.Push(Change{User: "root", Message: "Own", Files: map[string]string{
		".github/CODEOWNERS": "/requests/ @acme/squad\n/policies/ @root\n"}}))(t)
	f.Protect(Rules{Approvals: 1, CodeOwners: true, BindAdmins: true})
	c := client(t, f, f.Token("bob"))
	merge := func(n int) error {
		_, _, err := c.PullRequests.Merge(t.Context(), "acme", "access", n, "",
			&github.PullRequestOptions{})
		return err
	}
	n := opened(t, f, "alice", "ask")
	must(f.Review("bob", n, "APPROVE"))(t)
	refused(t, merge(n), 405, "Waiting on code owner review")
	must(f.Review("carol", n, "APPROVE"))(t)
	must(0, merge(n))(t)
	must(f.Push(Change{User: "alice", Branch: "free", Files: map[string]string{"README.md": "x\n"},
		Message: "Free"}))(t)
	free := must(f.Open("alice", "free", "Nobody's"))(t)
	must(f.Review("bob", free, "APPROVE"))(t)
	must(0, merge(free))(t)
}
