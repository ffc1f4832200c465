package runner_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/testdata/forge"
)

// One request from its opening on, with everything that must make GitHub judge it again.
func TestEveryEventJudgesAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.open("ask", "Access", map[string]string{requestFile: request("INC-123, checkout is slow")})
	w.expect(w.pullEvent("opened", "opened"), "action_required", "Pending: InsufficientApprovals")

	id := w.review("bob", "APPROVE")
	trigger, judge := w.reviewEvent("submitted")
	if trigger.result() != "success" {
		t.Errorf("the trigger:\n%s", trigger)
	}
	w.expect(judge, "success", "Allowed")

	w.do("PUT", fmt.Sprintf("/pulls/%d/reviews/%d/dismissals", w.number, id),
		map[string]any{"message": "no"}, nil)
	_, judge = w.reviewEvent("dismissed")
	w.expect(judge, "action_required", "Pending: InsufficientApprovals")

	w.review("bob", "APPROVE")
	const policy = "policies/payments-debug.yaml"
	if _, err := w.forge.Push(forge.Change{User: "dave",
		Files:   map[string]string{policy: forge.Removed},
		Message: "Drop a policy"}); err != nil {
		t.Fatal(err)
	}
	l := w.only(w.pushEvent(policy))
	w.expect(l, "failure", "Denied: NoPolicy")
	if comments := w.comments(); len(comments) != 1 || !strings.Contains(comments[0], "NoPolicy") {
		t.Errorf("comments of the App %q, want one that tells the last verdict\n%s", comments, l)
	}
}

// A queue merges commits that nobody reviewed. Its own event runs the file of such a commit, so the
// one with the key follows when that ended, and fails the check that the queue waits for.
func TestMergeQueueIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.open("ask", "Access", map[string]string{requestFile: request("INC-123, checkout is slow")})
	w.review("bob", "APPROVE")
	group, err := w.forge.Push(forge.Change{User: "dave", Branch: "gh-readonly-queue/main/pr-1",
		From:    w.forge.Branch("main"),
		Parents: []string{w.head()}, Files: map[string]string{requestFile: request(
			"INC-123, checkout is slow")}, Message: "Merge"})
	if err != nil {
		t.Fatal(err)
	}
	w.only(w.fire("merge_group", "checks_requested", w.payload("merge_group.checks_requested",
		map[string]any{
			"merge_group": map[string]any{"head_sha": group}})))
	l := w.only(w.runEvent("merge_group", group))
	checks := w.forge.Checks()
	if len(checks) != 1 || checks[0].App != "pullgrant" || checks[0].HeadSHA != group ||
		checks[0].Conclusion != "failure" {
		t.Errorf("check runs %+v\n%s", checks, l)
	}
}
