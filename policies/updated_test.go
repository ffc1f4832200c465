package policies_test

import (
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/testdata/cases"
)

// TestUpdateBranchIsExplained: the button makes approvals stale, and whoever presses it a
// contributor. Both are told with what to do.
func TestUpdateBranchIsExplained(t *testing.T) {
	const told = `as "Update branch"`
	for _, by := range []string{"alice", "bob"} {
		for _, merges := range []bool{true, false} {
			c := cases.Base(t)
			f := cases.Copy(t, c.Facts)
			approved := f.PullRequest.HeadSHA
			f.PullRequest.HeadSHA, f.Head.Commit = "updated", "updated"
			who := f.PullRequest.Author
			if by == "bob" {
				who = f.Reviews[0].User
				f.Reviews[0].CommitID = "updated"
				approved = "updated"
			}
			f.Commits = append(f.Commits, policies.Commit{SHA: "updated", Author: who,
				Committer: who,
				Merges:    merges})
			push := f.Pushes[len(f.Pushes)-1]
			push.After, push.Actor = "updated", who
			f.Pushes = append(f.Pushes, push)
			d := c.Judge(f)
			want := policies.ApprovalStale
			if by == "bob" {
				want = policies.ContributorApproval
			}
			if d.Code != want || strings.Contains(d.Message, told) != merges {
				t.Errorf("by %s, a merge: %t, approved %s: %s %s %s", by, merges,
					approved, d.Outcome,
					d.Code, d.Message)
			}
		}
	}
}
