package action_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

// TestSweepReadsAgain: what changes after a sweep judged a head, and before it tells, is not
// overtaken: each case begins with an approved request and ends with what stands on its old head.
func TestSweepReadsAgain(t *testing.T) {
	const reviews, pull = "/repos/acme/access/pulls/1/reviews", "/repos/acme/access/pulls/1"
	const checks = "/repos/acme/access/commits/.*/check-runs"
	for name, c := range map[string]struct {
		meanwhile func(w *world)
		every     bool   // meanwhile happens each time that the head is judged
		want      string // conclusion and title of the last check run; empty: there is none
		says      string
	}{
		"nothing": {func(*world) {}, false, "success Allowed", ""},
		"another head": {func(w *world) {
			w.push(forge.Change{User: "alice", Branch: "ask",
				Files: map[string]string{"README.md": "x\n"}})
		}, false, "", "another head"},
		"a policy that takes it away": {func(w *world) {
			w.push(forge.Change{User: "dave", Files: map[string]string{
				"policies/payments-debug.yaml": forge.Removed}})
		}, false, "failure Denied: NoPolicy", ""},
		"the ledger": {func(w *world) {
			w.push(forge.Change{User: "dave", Files: map[string]string{"README.md": "x\n"}})
		}, false, "success Allowed", ""},
		"a default branch that never rests": {func(w *world) {
			w.moves++
			w.push(forge.Change{User: "dave", Files: map[string]string{
				"README.md": fmt.Sprint(w.moves)}})
		}, true, "failure Error: EvaluationError", ""},
		"another base": {func(w *world) {
			if err := w.forge.SetBranch("dave", "stable", w.forge.Branch("main")); err != nil {
				w.t.Error(err)
			}
			w.do("alice", "PATCH", pull, map[string]any{"base": "stable"})
		}, false, "failure Denied: WrongBase", ""},
		"a refusal of ours": {func(w *world) {
			w.check("pullgrant", "failure")
		}, false, "failure Refused meanwhile", "another run"},
		"a refusal by somebody else": {func(w *world) {
			w.forge.AddApp("other", 7003)
			w.check("other", "failure")
		}, false, "success Allowed", ""},
		"no answer about it": {func(w *world) {
			w.forge.Fail("GET", pull, -1, 403, `{"message": "Forbidden"}`)
		}, false, "failure Error: EvaluationError", ""},
		"no answer about the branch": {func(w *world) {
			w.forge.Fail("GET", "/repos/acme/access/git/ref/.*", -1, 403,
				`{"message": "Forbidden"}`)
		}, false, "failure Error: EvaluationError", ""},
		"no answer about checks": {func(w *world) {
			w.forge.Fail("GET", checks, -1, 403, `{"message": "Forbidden"}`)
		}, false, "failure Error: EvaluationError", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.open(map[string]string{requestPath: fmt.Sprintf(request, "1h", "INC-123, slow")})
			w.approve("bob")
			head := w.forge.Branch("ask")
			w.forge.Protect(forge.Rules{Off: true})
			// The first reading ends with the second call for the pull request.
			var arm func()
			arm = func() {
				w.forge.Before("GET", reviews, func() {
					w.forge.Before("GET", pull, func() {
						if name == "no answer about it" { // the next call has none
							c.meanwhile(w)
							return
						}
						w.forge.Before("GET", pull, func() {
							c.meanwhile(w)
							if c.every {
								arm()
							}
						})
					})
				})
			}
			arm()
			if _, err := w.run("push", map[string]any{"ref": "refs/heads/main"}); err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, check := range w.forge.Checks() {
				if check.App == "pullgrant" && check.HeadSHA == head {
					got = check.Conclusion + " " + check.Title
				} else if check.App == "pullgrant" {
					t.Errorf("a check run on %s: %+v", check.HeadSHA, check)
				}
			}
			if got != c.want || !strings.Contains(w.out.String(), c.says) {
				t.Errorf("the last check run: %q; want %q\n%s", got, c.want, w.out.String())
			}
		})
	}
}

// TestSweepWithoutItsName: a sweep that does not know whose token it has allows nothing, and old
// green checks do not stand.
func TestSweepWithoutItsName(t *testing.T) {
	w := newWorld(t)
	w.open(map[string]string{requestPath: fmt.Sprintf(request, "1h", "INC-123, checkout is slow")})
	w.approve("bob")
	w.forge.Fail("POST", "/graphql", -1, 403, `{"message": "Forbidden"}`)
	result, err := w.run("push", map[string]any{"ref": "refs/heads/main"})
	if err != nil {
		t.Fatal(err)
	}
	w.expect(result, policies.Failed, "failure", "Error: EvaluationError")
}

func (w *world) push(change forge.Change) {
	w.t.Helper()
	change.Message = "Meanwhile"
	if _, err := w.forge.Push(change); err != nil {
		w.t.Error(err)
	}
}

func (w *world) do(login, method, path string, body any) {
	w.t.Helper()
	if err := w.forge.Do(w.forge.Token(login), method, path, body, nil); err != nil {
		w.t.Error(err)
	}
}

// check is what another run, or another App, posts on the head.
func (w *world) check(app, conclusion string) {
	w.t.Helper()
	err := w.forge.Do(w.forge.AppToken(app), "POST", "/repos/acme/access/check-runs",
		map[string]any{"name": policies.CheckName, "head_sha": w.forge.Branch("ask"),
			"status": "completed", "conclusion": conclusion, "output": map[string]any{
				"title": "Refused meanwhile", "summary": "-"}}, nil)
	if err != nil {
		w.t.Error(err)
	}
}

// TestReviewOfAMergedPullRequest: a review's run that ends after the merge, and whose pull request
// GitHub does not number, turns nothing red, whichever way GitHub tells that it was merged.
func TestReviewOfAMergedPullRequest(t *testing.T) {
	for name, silent := range map[string]string{"both ways": "/none",
		"by the list": "/repos/acme/access/commits/.*/pulls"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.open(map[string]string{requestPath: fmt.Sprintf(request, "1h", "INC-123, slow")})
			head := w.forge.Branch("ask")
			w.forge.Protect(forge.Rules{Off: true})
			if _, err := w.forge.Merge("dave", w.number); err != nil {
				t.Fatal(err)
			}
			w.forge.Fail("GET", silent, -1, 200, "[]")
			result, err := w.run("workflow_run", reviewed(head))
			if err != nil || result.Outcome != policies.Allowed ||
				!strings.Contains(w.out.String(), "#1 is merged") {
				t.Errorf("%+v, error %v\n%s", result, err, w.out.String())
			}
			if checks := w.forge.Checks(); len(checks) != 0 {
				t.Errorf("check runs %+v", checks)
			}
		})
	}
}

// TestSweepTakesTime: each pull request is judged as of the moment when its turn comes, so that what
// people do while a sweep goes on is not of its future.
func TestSweepTakesTime(t *testing.T) {
	w := newWorld(t)
	w.open(map[string]string{requestPath: fmt.Sprintf(request, "1h", "INC-123, checkout is slow")})
	w.forge.Before("GET", "/repos/acme/access/pulls", func() { // it begins by listing them
		w.now = w.now.Add(time.Minute)
		w.approve("bob")
	})
	result, err := w.run("push", map[string]any{"ref": "refs/heads/main"})
	if err != nil {
		t.Fatal(err)
	}
	w.expect(result, policies.Allowed, "success", "Allowed")
}
