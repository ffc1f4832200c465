package action_test

import (
	"fmt"
	"testing"

	"github.com/pullgrant/pullgrant/action"
	"github.com/pullgrant/pullgrant/policies"
)

// TestTwinFromAFork: a pull request from a fork that has the head of one of this repository changes
// nothing about its check, whichever of the two the run is for, and though nobody can judge it.
func TestTwinFromAFork(t *testing.T) {
	for name, approved := range map[string]bool{"approved": true, "pending": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.forge.AddUser("eve", 166)
			w.forge.SetPermission("eve", "read")
			w.open(map[string]string{requestPath: fmt.Sprintf(request, "1h", "INC-123, slow")})
			outcome, conclusion, title := policies.Pending, "action_required",
				"Pending: InsufficientApprovals"
			if approved {
				w.approve("bob")
				outcome, conclusion, title = policies.Allowed, "success", "Allowed"
			}
			head := w.forge.Branch("ask")
			if err := w.forge.SetBranch("eve", "eve:twin", head); err != nil {
				t.Fatal(err)
			}
			twin, err := w.forge.Open("eve", "eve:twin", "x")
			if err != nil {
				t.Fatal(err)
			}
			expect := func(result action.Result, err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
				w.expect(result, outcome, conclusion, title)
			}
			judge := func(number int) (action.Result, error) {
				return w.run("pull_request_target", map[string]any{"pull_request": map[string]any{
					"number": number, "head": map[string]any{"sha": head}}})
			}
			expect(judge(w.number))
			expect(judge(twin))
			expect(w.run("push", map[string]any{"ref": "refs/heads/main"}))
			w.forge.Fail("GET", fmt.Sprintf("/repos/acme/access/pulls/%d/.*", twin), -1, 403, `{}`)
			expect(judge(w.number))
		})
	}
}

// TestForkAloneDecides: where no pull request of this repository has the head, the one that is told
// loudest decides.
func TestForkAloneDecides(t *testing.T) {
	w := newWorld(t)
	w.open(map[string]string{requestPath: fmt.Sprintf(request, "1h", "INC-123, slow")})
	w.approve("bob")
	head := w.forge.Branch("ask")
	if err := w.forge.SetBranch("alice", "alice:twin", head); err != nil {
		t.Fatal(err)
	}
	var err error
	if w.number, err = w.forge.Open("alice", "alice:twin", "x"); err != nil {
		t.Fatal(err)
	}
	w.do("alice", "PATCH", "/repos/acme/access/pulls/1", map[string]any{"state": "closed"})
	result, err := w.judge()
	if err != nil {
		t.Fatal(err)
	}
	w.expect(result, policies.Denied, "failure", "Denied: WrongBase")
}
