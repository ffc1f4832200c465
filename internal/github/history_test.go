package github

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

// TestMergedRequests: merge commits and squash merges are understood (R45).
func TestMergedRequests(t *testing.T) {
	for _, method := range []string{"merge", "squash"} {
		t.Run(method, func(t *testing.T) {
			w := newWorld(t)
			before := w.Branch("main")
			n := w.ask()
			w.review("bob", n, "APPROVE")
			w.check(w.Do(w.Token("root"), "PUT", fmt.Sprintf("/repos/acme/access/pulls/%d/merge",
				n),
				map[string]any{"merge_method": method}, nil))
			merge := w.Branch("main")
			w.push(forge.Change{User: "root", Files: map[string]string{"README.md": "later\n"}})

			f := w.facts(n)
			blob := blobName([]byte(requestFile))
			if f.Merge == nil || f.Merge.Commit != merge || f.Merge.FirstParent.Commit != before ||
				f.Merge.Blob != blob || !slices.Equal(f.Merge.Introduced, []int{n}) {
				t.Fatalf("merge %+v", f.Merge)
			}
			if f.Merge.FirstParent.Files[policyPath].Content != repositoryFiles[policyPath] ||
				!slices.Equal(f.UsedNames, []string{requestPath}) {
				t.Errorf("first parent %v, used names %q", f.Merge.FirstParent.Files, f.UsedNames)
			}
			if d := policies.EvaluateMerged(f, requestPath, blob,
				noon.Add(time.Minute)); d.Outcome != policies.Allowed {
				t.Errorf("decision %s %s: %s", d.Outcome, d.Code, d.Message)
			}
			roundTrip(t, f)

			number, commit, err := w.client.Introduced(t.Context(), requestPath, w.Branch("main"))
			if err != nil || number != n || commit != merge {
				t.Errorf("introduced by #%d in %s, error %v; want #%d in %s", number, commit,
					err, n, merge)
			}
		})
	}
}

// Whoever merges also deletes the branch, which makes nobody a contributor.
func TestTheApproverMerges(t *testing.T) {
	w := newWorld(t)
	n := w.ask()
	w.review("bob", n, "APPROVE")
	_, err := w.Merge("bob", n)
	w.check(err)
	f := w.facts(n)
	if w.Branch("ask") != "" || len(f.Pushes) != 1 || f.Pushes[0].Actor.Login != "alice" {
		t.Errorf("branch %q, pushes %+v", w.Branch("ask"), f.Pushes)
	}
	if d := policies.EvaluateMerged(f, requestPath, blobName([]byte(requestFile)),
		noon); d.Outcome != policies.Allowed {
		t.Errorf("decision %s %s: %s", d.Outcome, d.Code, d.Message)
	}
}

func TestADirectPushIntroducesNothing(t *testing.T) {
	w := newWorld(t)
	sha := w.push(forge.Change{User: "root", Files: map[string]string{requestPath: requestFile}})
	number, commit, err := w.client.Introduced(t.Context(), requestPath, sha)
	if err != nil || number != 0 || commit != sha {
		t.Errorf("#%d in %s, error %v; want nothing in %s", number, commit, err, sha)
	}
	if _, _, err := w.client.Introduced(t.Context(), "requests/x.yaml", sha); err == nil ||
		!strings.Contains(err.Error(), "none did before") {
		t.Errorf("error %v for a path that never was", err)
	}
}

// A pull request merged into another one's branch was introduced by neither alone as far as its own
// merge shows.
func TestAPullRequestInsideAnother(t *testing.T) {
	w := newWorld(t)
	inner := w.ask()
	w.push(forge.Change{Branch: "outer", From: "ask",
		Files: map[string]string{"policies/evil.yaml": "x"}})
	outer := w.open("outer")
	w.merge(outer)
	f := w.facts(inner)
	if !f.PullRequest.Merged || slices.Equal(f.Merge.Introduced, []int{inner}) {
		t.Errorf("merged %v, introduced by %v", f.PullRequest.Merged, f.Merge.Introduced)
	}
	if d := policies.EvaluateMerged(f, requestPath, blobName([]byte(requestFile)),
		noon); d.Code != policies.NoPullRequest {
		t.Errorf("code %s: %s", d.Code, d.Message)
	}
	if number, commit, err := w.client.Introduced(t.Context(), requestPath,
		w.Branch("main")); err != nil || number != outer || commit != f.Merge.Commit {
		t.Errorf("introduced by #%d in %s, error %v; want the one whose merge it is, for "+
			"judging to refuse", number, commit, err)
	}
	if d := policies.EvaluateMerged(w.facts(outer), requestPath, blobName([]byte(requestFile)),
		noon); d.Code != policies.NotARequestPR {
		t.Errorf("code %s: %s", d.Code, d.Message)
	}
}

func TestRemovedBy(t *testing.T) {
	w := newWorld(t)
	w.push(forge.Change{User: "root", Files: map[string]string{requestPath: requestFile,
		"requests/prod-eu/p/other.yaml": "x"}})
	w.push(forge.Change{Branch: "drop", Files: map[string]string{requestPath: forge.Removed}})
	n := w.open("drop")
	w.merge(n)
	tip := w.push(forge.Change{User: "root",
		Files: map[string]string{"requests/prod-eu/p/other.yaml": forge.Removed}})
	alice := requests.Person{Login: "alice", ID: 101, PullRequest: n}
	if by, err := w.client.RemovedBy(t.Context(), requestPath, tip); err != nil || by != alice {
		t.Errorf("removed by %v, error %v", by, err)
	}
	if by, err := w.client.RemovedBy(t.Context(), "requests/prod-eu/p/other.yaml",
		tip); err != nil || by != (requests.Person{}) {
		t.Errorf("a direct push: removed by %v, error %v", by, err)
	}
}

// What reached the default branch through another branch was brought there by that branch's pull
// request.
func TestAPullRequestIntoAnotherBranch(t *testing.T) {
	w := newWorld(t)
	w.push(forge.Change{Branch: "other", User: "root", Files: map[string]string{"other": "x"}})
	w.push(forge.Change{Branch: "ask", From: "other",
		Files: map[string]string{requestPath: requestFile}})
	inner := w.open("ask")
	w.check(w.Do(w.Token("alice"), "PATCH", fmt.Sprintf("/repos/acme/access/pulls/%d", inner),
		map[string]any{"base": "other"}, nil))
	w.merge(inner)
	outer := w.open("other")
	merge := w.merge(outer)
	number, commit, err := w.client.Introduced(t.Context(), requestPath, w.Branch("main"))
	if err != nil || number != outer || commit != merge {
		t.Errorf("introduced by #%d in %s, error %v; want #%d in %s", number, commit, err,
			outer, merge)
	}
}

func TestAPullRequestThatChangesAPushedFile(t *testing.T) {
	w := newWorld(t)
	w.push(forge.Change{User: "root", Files: map[string]string{requestPath: requestFile}})
	sha := w.push(forge.Change{Branch: "edit", Files: map[string]string{requestPath: requestFile +
		"# more\n"}})
	w.merge(w.open("edit"))
	number, commit, err := w.client.Introduced(t.Context(), requestPath, w.Branch("main"))
	if err != nil || number != 0 || commit != sha {
		t.Errorf("introduced by #%d in %s, error %v; want nobody, last touched in %s", number,
			commit, err, sha)
	}
	if by, err := w.client.RemovedBy(t.Context(), requestPath, w.Branch("main")); err != nil ||
		by != (requests.Person{}) {
		t.Errorf("removed by %v, error %v, though it is there", by, err)
	}
}

func TestWhatApproversGoByIsDated(t *testing.T) {
	w := newWorld(t)
	n := w.ask()
	changes := func() map[string]int {
		found := map[string]int{}
		for _, c := range w.facts(n).Changes {
			found[c.Path] = c.PullRequest
			if (c.PullRequest != 0) != (c.MergedAt != nil) {
				t.Errorf("change %+v", c)
			}
		}
		return found
	}
	if found := changes(); len(found) != 3 || found["policies/payments-debug.yaml"] != 0 ||
		found[".github/CODEOWNERS"] != 0 || found[cataloguePath] != 0 {
		t.Errorf("changes of a repository as it began: %v", found)
	}
	policy := w.facts(n).Base.Files["policies/payments-debug.yaml"].Content + "# reviewed\n"
	w.push(forge.Change{Branch: "tighten", From: "main",
		Files: map[string]string{"policies/payments-debug.yaml": policy}})
	change, err := w.Open("alice", "tighten", "Tighten")
	w.check(err)
	w.review("bob", change, "APPROVE")
	w.merge(change)
	if found := changes(); found["policies/payments-debug.yaml"] != change ||
		found[".github/CODEOWNERS"] != 0 {
		t.Errorf("changes after #%d: %v", change, found)
	}
	for _, content := range []string{catalogued(t, "list"), forge.Removed} { // taking the file away is a change too
		w.push(forge.Change{Branch: "role", From: "main",
			Files: map[string]string{cataloguePath: content}})
		change, err := w.Open("alice", "role", "Catalogue")
		w.check(err)
		w.review("bob", change, "APPROVE")
		w.merge(change)
		if found := changes(); len(found) != 3 || found[cataloguePath] != change {
			t.Errorf("changes after #%d: %v", change, found)
		}
	}
	w.review("bob", n, "APPROVE")
	w.merge(n)
	w.push(forge.Change{User: "root", Branch: "main",
		Files: map[string]string{"policies/payments-debug.yaml": policy + "# again\n"}})
	if found := changes(); found["policies/payments-debug.yaml"] != change {
		t.Errorf("changes before the merge of #%d: %v", n, found)
	}
}

func TestMergedAs(t *testing.T) {
	w := newWorld(t)
	number, head := w.merged("a", map[string]string{"README.md": "1\n"})
	merge := w.Branch("main")
	direct, err := w.Push(forge.Change{User: "root", Message: "Push",
		Files: map[string]string{"README.md": "2\n"}})
	w.check(err)
	for commit, want := range map[string]int{merge: number, head: 0, direct: 0} {
		got, err := w.client.MergedAs(t.Context(), commit)
		if err != nil || got != want {
			t.Errorf("merged as %s: %d, %v; want %d", commit, got, err, want)
		}
	}
	if _, err := w.client.MergedAs(t.Context(), "main"); err == nil {
		t.Error("no error for what is no commit's name")
	}
	w.Fail("GET", "/repos/acme/access/commits/.*/pulls", -1, 403,
		`{"message":"Resource not accessible by integration"}`)
	if got, err := w.client.MergedAs(t.Context(), direct); err == nil {
		t.Errorf("no answer is taken for %d", got)
	}
}

// merged opens a pull request of alice's and merges it; head is the commit that it was made of.
func (w world) merged(branch string, files map[string]string) (number int, head string) {
	w.Helper()
	head, err := w.Push(forge.Change{User: "alice", Branch: branch, Message: "Change",
		Files: files})
	w.check(err)
	number, err = w.Open("alice", branch, "Change")
	w.check(err)
	_, err = w.Merge("root", number)
	w.check(err)
	return number, head
}

// TestWhoBroughtItIsAskedOfWholeObjects: an answer that lacks the parents of a merge, or what an entry of
// a folder is, is no answer: it does not say that no pull request brought the file.
func TestWhoBroughtItIsAskedOfWholeObjects(t *testing.T) {
	w := newWorld(t)
	tip := w.merge(w.ask())
	lacks := func(field string) func(any) any {
		return func(body any) any {
			delete(body.(map[string]any), field)
			return body
		}
	}
	for path, edit := range map[string]func(any) any{
		"/git/commits/" + tip: lacks("parents"),
		"/git/trees/" + w.git("rev-parse", "main:"): func(body any) any {
			for _, e := range body.(map[string]any)["tree"].([]any) {
				lacks("type")(e)
			}
			return body
		},
	} {
		w.client = w.edited(path, edit)
		if number, _, err := w.client.Introduced(t.Context(), requestPath, tip); err == nil ||
			!strings.Contains(err.Error(), "lacks a field") {
			t.Errorf("%s: #%d brought it, error %v", path, number, err)
		}
	}
}
