package cases

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// Landed is the scenario of an open request or change after somebody merged it at that moment,
// whatever was to be said of it, so that it is the agent's to judge. Nothing is pending then, and a
// request that is allowed has a window. ok is false when there is nothing of the kind that could be
// merged, and when it waits for what only the agent can ask, or nobody answered: that one asks again.
func (c Scenario) Landed(t testing.TB) (landed Scenario, ok bool) {
	t.Helper()
	kind, path, _ := policies.KindOf(c.Facts.Files)
	switch _, isRequest := requests.SplitPath(path); {
	case c.Merged, c.Trust, c.Facts.PullRequest.State != "open", c.Facts.Base.Commit == "":
		return c, false
	case kind == policies.KindRequest:
		_, exists := c.Facts.Head.Files[path]
		ok = isRequest && exists && !slices.Contains(c.Facts.UsedNames, path)
	case kind == policies.KindChange:
		ok = true
	}
	for _, a := range policies.Inquiries(c.Facts) {
		verdict := c.Facts.Replies[a.Inquiry].Verdict
		ok = ok && (verdict == policies.Yes || verdict == policies.No)
	}
	if !ok {
		return c, false
	}
	window := requests.Window{}
	if d := c.Judge(c.Facts); d.Outcome == policies.Allowed && d.Grant != nil {
		window = d.Grant.From(c.Now)
	}
	f, at := Copy(t, c.Facts), requests.At(c.Now)
	first := f.Base
	first.Commit = "9999999999999999"
	f.PullRequest.State, f.PullRequest.Merged, f.PullRequest.MergedAt,
		f.PullRequest.MergeCommitSHA = "closed", true, &at, c.Commit
	f.Merge = &policies.Merge{Commit: c.Commit, FirstParent: first, Blob: f.Head.Files[path].Blob,
		Introduced: []int{f.PullRequest.Number}}
	if c.Facts = f; kind == policies.KindChange {
		c.Trust, c.Tree, c.Diff = true, first, readDiff(t, f, "")
	} else {
		c.Facts.UsedNames = append(f.UsedNames, path)
		c.Merged, c.Path, c.Blob = true, path, f.Merge.Blob
	}
	before, again, _ := strings.Cut(c.Want, "again: ") // nobody waits for that any more
	_, after, _ := strings.Cut(again, "\n")
	if c.Want = strings.Replace(before+after, "decision: pending", "decision: denied",
		1); !window.End.IsZero() {
		c.Want += fmt.Sprintf("window: %s to %s\n", window.Start, window.End)
	}
	return c, true
}
