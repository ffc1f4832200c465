package github

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

// proposal is alice's request as the command line makes it.
func proposal() Proposal {
	return Proposal{Branch: "pullgrant/" + requestName,
		Files: map[string][]byte{requestPath: []byte(requestFile)}, Message: "Request access",
		Title: "Access",
		Body:  "Please", Reviewers: []string{"Alice", "bob"}, TeamReviewers: []string{"squad-b"}}
}

func (w world) as(login string) world {
	w.token = w.Token(login)
	w.client = w.clientOf(w.URL, w.Token(login))
	return w
}

func TestPropose(t *testing.T) {
	w := newWorld(t).as("alice")
	made, err := w.client.Propose(t.Context(), proposal())
	w.check(err)
	if made.Number != 1 || made.HeadSHA != w.Branch("pullgrant/"+requestName) ||
		!strings.HasSuffix(made.URL, "/pull/1") || len(made.Notes) != 0 {
		t.Errorf("%+v", made)
	}
	if got := w.git("show", "-s", "--format=%an %cn %P %s", made.HeadSHA); got != "alice alice "+
		w.Branch("main")+" Request access" {
		t.Errorf("commit %q", got)
	}
	var asked struct {
		Users []struct{ Login string }
		Teams []struct{ Slug string }
	}
	w.check(w.Do(w.Token("root"), "GET", "/repos/acme/access/pulls/1/requested_reviewers",
		nil, &asked))
	if len(asked.Users) != 1 || asked.Users[0].Login != "bob" || len(asked.Teams) != 1 {
		t.Errorf("asked %+v", asked)
	}
	w.review("bob", 1, "APPROVE")
	w.client = w.clientOf(w.URL, w.AppToken("agent"))
	f := w.facts(1)
	if d := policies.Evaluate(f.Base, f, noon); d.Outcome != policies.Allowed {
		t.Errorf("decision %s %s: %s", d.Outcome, d.Code, d.Message)
	}

	again := w.as("alice")
	if _, err := again.client.Propose(t.Context(), proposal()); err == nil ||
		!strings.Contains(err.Error(), "is there already, with the open pull request "+made.URL) {
		t.Errorf("error %v for the second time", err)
	}
	w.check(w.Do(w.Token("alice"), "PATCH", "/repos/acme/access/pulls/1",
		map[string]any{"state": "closed"}, nil))
	if _, err := again.client.Propose(t.Context(), proposal()); err == nil ||
		!strings.Contains(err.Error(), "GitHub lists no open pull request of it yet, which may be "+
			"seconds behind; look again in a minute, with `pullgrant list` or on GitHub, and "+
			"delete the branch only when there is none") {
		t.Errorf("error %v for a branch that was left over", err)
	}
}

func TestOnBranch(t *testing.T) {
	w := newWorld(t).as("alice")
	branch := "pullgrant/" + requestName
	if on, err := w.client.OnBranch(t.Context(), branch, requestPath); on != nil || err != nil {
		t.Errorf("%+v, error %v before there is a branch", on, err)
	}
	made, err := w.client.Propose(t.Context(), proposal())
	w.check(err)
	on, err := w.as("alice").client.OnBranch(t.Context(), branch, requestPath)
	w.check(err)
	if on.URL != made.URL || on.File.Content != requestFile {
		t.Errorf("%+v", on)
	}
	on, err = w.as("alice").client.OnBranch(t.Context(), branch, policyPath+"x")
	w.check(err)
	if on.URL != made.URL || on.File != (policies.TreeFile{}) {
		t.Errorf("%+v of a file that it has not", on)
	}
	for _, call := range []string{"git/ref/heads/.*", "git/commits/.*", "git/trees/.*", "pulls"} {
		w.Fail("GET", "/repos/acme/access/"+call, attempts, 500, "{}")
		on, err := w.as("alice").client.OnBranch(t.Context(), branch, requestPath)
		if on != nil || err == nil {
			t.Errorf("%+v, error %v without %s", on, err, call)
		}
		w.Heal()
	}
}

func TestProposeRemoves(t *testing.T) {
	w := newWorld(t).as("alice")
	w.push(forge.Change{User: "root", Files: map[string]string{requestPath: requestFile}})
	made, err := w.client.Propose(t.Context(), Proposal{Branch: "drop",
		Files: map[string][]byte{requestPath: nil}, Message: "Give back", Title: "Give back"})
	w.check(err)
	w.client = w.clientOf(w.URL, w.AppToken("agent"))
	if f := w.facts(made.Number); len(f.Files) != 1 || f.Files[0].Status != "removed" {
		t.Errorf("files %+v", f.Files)
	}
}

// Apart, what others have open for the same is in nobody's way, and the same commit once more takes
// nothing back of what the first one opened.
func TestProposeApart(t *testing.T) {
	w := newWorld(t)
	w.push(forge.Change{User: "root", Files: map[string]string{requestPath: requestFile}})
	drop := Proposal{Branch: "drop", Apart: true, Files: map[string][]byte{requestPath: nil},
		Message: "Give back", Title: "Give back"}
	for _, login := range []string{"alice", "bob"} {
		made, err := w.as(login).client.Propose(t.Context(), drop)
		w.check(err)
		branch := "drop-" + made.HeadSHA[:12]
		if w.Branch(branch) != made.HeadSHA {
			t.Errorf("%s: no branch %s", login, branch)
		}
		if _, err := w.as(login).client.Propose(t.Context(), drop); err == nil ||
			!strings.Contains(err.Error(), "is there already, with the open pull request "+made.URL) ||
			w.Branch(branch) != made.HeadSHA {
			t.Errorf("%s: error %v for the same once more, branch at %q", login, err, w.Branch(branch))
		}
	}
}

func TestProposeSeveralFiles(t *testing.T) {
	w := newWorld(t).as("alice")
	w.push(forge.Change{User: "root", Files: map[string]string{"old": "x", "same": "y"}})
	made, err := w.client.Propose(t.Context(), Proposal{Branch: "several", Message: "m", Title: "t",
		Files: map[string][]byte{"catalog/a.yaml": []byte("a"), "catalog/b.yaml": []byte("b"),
			"old": nil, "same": []byte("y")}})
	w.check(err)
	if got := w.git("diff-tree", "-r", "--name-status", "--no-commit-id",
		made.HeadSHA); got != "A\tcatalog/a.yaml\nA\tcatalog/b.yaml\nD\told" {
		t.Errorf("changed:\n%s", got)
	}
}

func TestAProposalLeavesNothingHalfWritten(t *testing.T) {
	w := newWorld(t).as("alice")
	for _, step := range []string{"GET git/ref/heads/.*", "GET git/commits/.*", "POST git/blobs",
		"POST git/trees", "POST git/commits", "POST git/refs", "POST pulls"} {
		for _, status := range []int{403, 500, 0} {
			method, path, _ := strings.Cut(step, " ")
			times := 1
			if method == "GET" && status != 403 { // what is read is asked for again
				times = attempts
			}
			w.Fail(method, "/repos/acme/access/"+path, times, status, "{}")
			_, err := w.as("alice").client.Propose(t.Context(), proposal())
			if err == nil {
				t.Errorf("%s with %d: no error", step, status)
			}
			if w.Branch("pullgrant/"+requestName) != "" {
				t.Errorf("%s with %d: the branch is left after %v", step, status, err)
			}
			w.Heal()
		}
	}
}

// The branch is taken back although the caller has gone, and when that fails the error says so.
func TestTakingBackABranch(t *testing.T) {
	w := newWorld(t).as("alice")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	head := w.push(forge.Change{Branch: "half", Files: map[string]string{"a": "b"}})
	if err := w.client.removeBranch(ctx, "half", w.Branch("main")); err != nil ||
		w.Branch("half") != head {
		t.Errorf("error %v; somebody else's branch is at %q", err, w.Branch("half"))
	}
	if err := w.client.removeBranch(ctx, "half", head); err != nil || w.Branch("half") != "" {
		t.Errorf("error %v, branch %q", err, w.Branch("half"))
	}
	w.Fail("POST", "/repos/acme/access/pulls", 1, 500, "{}")
	w.Fail("DELETE", ".*", 1, 500, "{}")
	_, err := w.client.Propose(t.Context(), proposal())
	if err == nil || !strings.Contains(err.Error(), "open the pull request") ||
		!strings.Contains(err.Error(), "delete it by hand") {
		t.Errorf("error %v", err)
	}
}

func TestNothingToPropose(t *testing.T) {
	w := newWorld(t).as("alice")
	p := proposal()
	p.Files = map[string][]byte{policyPath: []byte(repositoryFiles[policyPath])}
	if _, err := w.client.Propose(t.Context(), p); err == nil || !strings.Contains(err.Error(),
		"nothing to propose") {
		t.Errorf("error %v", err)
	}
}

func TestNotesOfAProposal(t *testing.T) {
	w := newWorld(t).as("alice")
	p := proposal()
	p.Reviewers = []string{"stranger"}
	made, err := w.client.Propose(t.Context(), p)
	w.check(err)
	if len(made.Notes) != 1 || !strings.Contains(made.Notes[0],
		"ask one of stranger, squad-b yourself") {
		t.Errorf("notes %q", made.Notes)
	}
}

func TestAutoMerge(t *testing.T) {
	w := newWorld(t).as("alice")
	w.Protect(forge.Rules{Approvals: 1})
	p := proposal()
	p.AutoMerge = true
	made, err := w.client.Propose(t.Context(), p)
	w.check(err)
	if len(made.Notes) != 0 {
		t.Errorf("notes %q", made.Notes)
	}
	w.review("bob", made.Number, "APPROVE")
	w.client = w.clientOf(w.URL, w.AppToken("agent"))
	if f := w.facts(made.Number); !f.PullRequest.Merged {
		t.Errorf("not merged by itself: %+v", f.PullRequest)
	}

	w = newWorld(t).as("alice")
	w.Protect(forge.Rules{Approvals: 1})
	w.client = w.edited("", with(map[string]any{"allow_merge_commit": false}))
	p.Branch = "squashed"
	made, err = w.client.Propose(t.Context(), p)
	w.check(err)
	var pull struct {
		AutoMerge struct {
			Method string `json:"merge_method"`
		} `json:"auto_merge"`
	}
	w.check(w.Do(w.Token("root"), "GET", fmt.Sprintf("/repos/acme/access/pulls/%d", made.Number),
		nil, &pull))
	if pull.AutoMerge.Method != "squash" {
		t.Errorf("merge method %q where merge commits are off", pull.AutoMerge.Method)
	}
	p.Branch = "refused"
	w.Fail("POST", "/graphql", 1, 200,
		`{"data": null, "errors": [{"message": "Auto merge is not allowed for this repository"}]}`)
	made, err = w.client.Propose(t.Context(), p)
	w.check(err)
	if !slices.ContainsFunc(made.Notes, func(n string) bool {
		return strings.Contains(n, "Auto merge is not allowed") && strings.Contains(n,
			"merge the pull request by hand")
	}) {
		t.Errorf("notes %q", made.Notes)
	}
}

func TestUser(t *testing.T) {
	w := newWorld(t).as("alice")
	if login, id, err := w.client.User(t.Context()); err != nil || login != "alice" || id != 101 {
		t.Errorf("%s %d, error %v", login, id, err)
	}
	w.client = w.clientOf(w.URL, w.AppToken("agent"))
	if _, _, err := w.client.User(t.Context()); err == nil || !strings.Contains(err.Error(),
		"a user's token") {
		t.Errorf("error %v for an App", err)
	}
}
