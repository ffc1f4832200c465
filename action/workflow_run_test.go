package action_test

import (
	"fmt"
	"testing"

	"github.com/pullgrant/pullgrant/policies"
)

// reviewed is the end of a workflow run, with pull requests as GitHub names them: those of branches
// of the repository.
func reviewed(head string, numbers ...int) map[string]any {
	var pulls []any
	for _, n := range numbers {
		pulls = append(pulls, map[string]any{"number": n,
			"base": map[string]any{"repo": map[string]any{"id": 9001}}})
	}
	return map[string]any{"repository": map[string]any{"id": 9001},
		"workflow_run": map[string]any{"head_sha": head, "pull_requests": pulls}}
}

// TestReviewFindsItsPullRequest: by the number in the event or by its head, whichever GitHub knows
// by now.
func TestReviewFindsItsPullRequest(t *testing.T) {
	const byCommit, list = "/repos/acme/access/commits/.*/pulls", "/repos/acme/access/pulls"
	for name, c := range map[string]struct {
		silent  []string // what answers that there are none
		numbers []int
		found   bool
	}{
		"by number":                  {[]string{byCommit, list}, []int{1}, true},
		"by the list":                {[]string{byCommit}, nil, true},
		"by the commit":              {[]string{list}, nil, true},
		"no way":                     {[]string{byCommit, list}, nil, false},
		"by a number of nobody's":    {[]string{byCommit, list}, []int{0}, false},
		"by number after another's":  {[]string{byCommit, list}, []int{0, 1}, true},
		"by a number as well as all": {nil, []int{1}, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.open(map[string]string{requestPath: fmt.Sprintf(request, "1h", "INC-123, slow")})
			w.approve("bob")
			for _, path := range c.silent {
				w.forge.Fail("GET", path, -1, 200, "[]")
			}
			head := w.forge.Branch("ask")
			result, err := w.run("workflow_run", reviewed(head, c.numbers...))
			if err != nil {
				t.Fatal(err)
			}
			if c.found {
				w.expect(result, policies.Allowed, "success", "Allowed")
			} else {
				w.expect(result, policies.Failed, "failure", "Error: EvaluationError")
			}
			if check := w.lastCheck(); check.HeadSHA != head {
				t.Errorf("the check run is on %s", check.HeadSHA)
			}
		})
	}
}

// TestNumberOfAnotherRepository: a run in a repository that this one was forked from names a pull
// request there.
func TestNumberOfAnotherRepository(t *testing.T) {
	w := newWorld(t)
	w.open(map[string]string{requestPath: fmt.Sprintf(request, "1h", "INC-123, checkout is slow")})
	payload := reviewed(w.forge.Branch("main"), 1)
	payload["repository"] = map[string]any{"id": 9002}
	result, err := w.run("workflow_run", payload)
	if err != nil {
		t.Fatal(err)
	}
	w.expect(result, policies.Failed, "failure", "Error: EvaluationError")
}

// TestOldGreenCheckDoesNotStand: when it cannot be found out which pull request an event is about,
// its commit turns red.
func TestOldGreenCheckDoesNotStand(t *testing.T) {
	w := newWorld(t)
	w.open(map[string]string{requestPath: fmt.Sprintf(request, "1h", "INC-123, checkout is slow")})
	w.approve("bob")
	head := w.forge.Branch("ask")
	events := map[string]any{
		"workflow_run": reviewed(head),
		"pull_request_target": map[string]any{"pull_request": map[string]any{"number": w.number,
			"head": map[string]any{"sha": head}}},
	}
	for event, payload := range events {
		for _, path := range []string{"/repos/acme/access", "/repos/acme/access/commits/.*/pulls",
			"/repos/acme/access/pulls"} {
			result, err := w.run(event, payload)
			if err != nil {
				t.Fatal(err)
			}
			w.expect(result, policies.Allowed, "success", "Allowed")
			w.forge.Fail("GET", path, -1, 403, `{"message": "Forbidden"}`)
			if result, err = w.run(event, payload); err != nil {
				t.Fatal(err)
			}
			w.forge.Heal()
			w.expect(result, policies.Failed, "failure", "Error: EvaluationError")
			if c := w.lastCheck(); c.HeadSHA != head {
				t.Errorf("%s: the check run is on %s", event, c.HeadSHA)
			}
		}
	}
}

// TestNothingToJudge: a push may leave nothing to judge; a review that is of no open pull request
// is told as an error on its commit, since nobody knows whether there is none or GitHub is late.
func TestNothingToJudge(t *testing.T) {
	w := newWorld(t)
	w.open(map[string]string{requestPath: fmt.Sprintf(request, "1h", "INC-123, checkout is slow")})
	head := w.forge.Branch("ask")
	if err := w.forge.Do(w.forge.Token("alice"), "PATCH", "/repos/acme/access/pulls/1",
		map[string]any{"state": "closed"}, nil); err != nil {
		t.Fatal(err)
	}
	result, err := w.run("push", map[string]any{})
	if err != nil || result.Outcome != policies.Allowed ||
		w.out.String() != "::notice::no open pull request to judge\n" {
		t.Errorf("push: %v, %v, log %q", result, err, w.out.String())
	}
	if len(w.forge.Checks()) != 0 || w.files["output"] != "" {
		t.Errorf("push: check runs %v, outputs %q", w.forge.Checks(), w.files["output"])
	}
	result, err = w.run("workflow_run",
		map[string]any{"workflow_run": map[string]any{"head_sha": head}})
	if err != nil {
		t.Fatal(err)
	}
	w.expect(result, policies.Failed, "failure", "Error: EvaluationError")
}
