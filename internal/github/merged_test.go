package github

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

// land merges a pull request by a method and returns the commit that main has then.
func (w world) land(number int, method string) string {
	w.Helper()
	w.check(w.Do(w.Token("root"), "PUT", fmt.Sprintf("/repos/acme/access/pulls/%d/merge", number),
		map[string]any{"merge_method": method}, nil))
	return w.Branch("main")
}

// manners are GitHubs that tell of a merge in other ways.
var manners = map[string]forge.Manners{
	"at once":         {Rebase: true},
	"an hour later":   {Rebase: true, AssociationLag: time.Hour},
	"as in 2026":      {Rebase: true, Version2026: true},
	"2026 and late":   {Rebase: true, Version2026: true, AssociationLag: time.Hour},
	"branches are no": {Rebase: true, NoActivityByDeletedRef: true},
}

// TestMergesAreFound: whatever the method of merging, and whether GitHub ties the merge to its
// commit yet, or says in REST which it was, the pull request is found, and judged the same.
func TestMergesAreFound(t *testing.T) {
	for name, m := range manners {
		for _, method := range []string{"merge", "squash", "rebase"} {
			t.Run(name+" "+method, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.SetManners(m)
				n := w.ask()
				w.review("bob", n, "APPROVE")
				merge := w.land(n, method)
				number, commit, err := w.client.Introduced(t.Context(), requestPath, merge)
				if err != nil || number != n || commit != merge {
					t.Errorf("introduced by #%d in %s, error %v; want #%d in %s", number, commit,
						err, n, merge)
				}
				if number, err := w.client.MergedAs(t.Context(), merge); err != nil || number != n {
					t.Errorf("merged as %s: #%d, error %v", merge, number, err)
				}
				f := w.facts(n)
				if f.PullRequest.MergeCommitSHA != merge {
					t.Errorf("merged as %s, want %s", f.PullRequest.MergeCommitSHA, merge)
				}
				if d := policies.EvaluateMerged(f, requestPath, blobName([]byte(requestFile)),
					noon.Add(time.Minute)); d.Outcome != policies.Allowed {
					t.Errorf("decision %s %s: %s", d.Outcome, d.Code, d.Message)
				}
				w.push(forge.Change{Branch: "drop", From: "main",
					Files: map[string]string{requestPath: forge.Removed}})
				drop := w.open("drop")
				tip := w.land(drop, method)
				by, err := w.client.RemovedBy(t.Context(), requestPath, tip)
				if err != nil || by.Login != "alice" || by.ID == 0 || by.PullRequest != drop {
					t.Errorf("removed by %v, error %v", by, err)
				}
				if by, err = w.client.MergedBy(t.Context(), tip); err != nil ||
					by.PullRequest != drop || by.Login != "alice" {
					t.Errorf("commit %s is by %v, error %v", tip, by, err)
				}
			})
		}
	}
}

// TestWhatApproversGoByIsDatedAtOnce: an approval that is older than a change of the policy does
// not count because GitHub is late to tell of the change; one that came after the merge does not
// matter.
func TestWhatApproversGoByIsDatedAtOnce(t *testing.T) {
	for _, method := range []string{"merge", "squash", "rebase"} {
		t.Run(method, func(t *testing.T) {
			w := newWorld(t)
			w.SetManners(manners["an hour later"])
			n := w.ask()
			policy := repositoryFiles[policyPath]
			change := func(branch string) int {
				policy += "# " + branch + "\n"
				w.push(forge.Change{Branch: branch, From: "main",
					Files: map[string]string{policyPath: policy}})
				number := w.open(branch)
				w.land(number, method)
				return number
			}
			dated := func(want int) {
				t.Helper()
				for _, c := range w.facts(n).Changes {
					// all of this happens in one second, so either change may be the last
					if c.Path == policyPath && (c.PullRequest < 2 || c.PullRequest > want ||
						c.MergedAt == nil) {
						t.Errorf("the policy was changed by #%d, %v; want #%d", c.PullRequest,
							c.MergedAt, want)
					}
				}
			}
			dated(change("one"))
			two := change("two")
			dated(two)
			w.review("bob", n, "APPROVE")
			w.land(n, method)
			dated(two)
		})
	}
}

// TestMergesThatCannotBeListed: an answer that lacks what GitHub always sends is none.
func TestMergesThatCannotBeListed(t *testing.T) {
	w := newWorld(t)
	w.SetManners(manners["2026 and late"])
	n, _ := w.merged("a", map[string]string{"README.md": "1\n"})
	tip := w.Branch("main")
	for body, words := range map[string]string{
		`{"data": {"repository": null}}`: "lacks a field",
		`{"data": {}}`:                   "lacks a field",
		`{"data": {"repository": {"pullRequests": {"nodes": [{"number": 0}]}}}}`: "lacks a field",
		`{"errors": [{"message": "Something went wrong"}]}`:                      "went wrong",
		`{"data": {"repository": {"pullRequest": null, "pullRequests": {"nodes": [` + // as what?
			fmt.Sprintf(`{"number": %d, "mergeCommit": {"oid": %q}}]}}}}`, n, tip): "lacks a field",
	} {
		w.Heal()
		w.Fail("POST", "/graphql", -1, 200, body)
		if number, err := w.client.MergedAs(t.Context(), tip); err == nil || number != 0 ||
			!strings.Contains(err.Error(), words) {
			t.Errorf("%s: #%d, error %v", body, number, err)
		}
	}
	w.Heal()
	if number, err := w.client.MergedAs(t.Context(), tip); err != nil || number != n {
		t.Errorf("#%d, error %v", number, err)
	}
}

// TestFactsAreThoseOfAnyVersion: what REST no longer says changes nothing of the facts.
func TestFactsAreThoseOfAnyVersion(t *testing.T) {
	w := newWorld(t)
	n := w.ask()
	w.review("bob", n, "APPROVE")
	w.merge(n)
	before := w.facts(n)
	w.SetManners(forge.Manners{Version2026: true})
	if after := w.facts(n); !reflect.DeepEqual(before, after) {
		t.Errorf("facts %+v\nin 2026  %+v", before, after)
	}
}

// TestPushesToABranchThatIsGone: GitHub need not tell of them by the branch's name, nor at all.
// Then it is an error that says what was asked, and no facts in which nobody pushed.
func TestPushesToABranchThatIsGone(t *testing.T) {
	w := newWorld(t)
	n := w.ask()
	w.push(forge.Change{Branch: "ask", User: "carol", Files: map[string]string{
		requestPath: requestFile + "# carol was here\n"}})
	w.review("bob", n, "APPROVE")
	w.merge(n)
	want := w.facts(n).Pushes
	w.SetManners(forge.Manners{NoActivityByDeletedRef: true})
	if got := w.facts(n).Pushes; len(got) != 2 || !reflect.DeepEqual(got, want) {
		t.Errorf("pushes %+v, want %+v", got, want)
	}
	w.SetManners(forge.Manners{NoActivityOfDeletedRef: true})
	w.refused(n, fmt.Sprintf("#%d: asked for the activity of its branch \"ask\", and for all that "+
		"the repository has", n), // and at once: it did not change while it was read
		"GitHub does not list yet who pushed its head", "try again")
}

// TestAllActivityIsReadToALimit: of a repository whose pushes are not told by the branch's name, so
// many pages are read and no more. What lies behind them is not taken for nothing.
func TestAllActivityIsReadToALimit(t *testing.T) {
	w := newWorld(t)
	n := w.ask()
	head := w.Branch("ask")
	w.merge(n)
	w.SetManners(forge.Manners{NoActivityByDeletedRef: true})
	for last, words := range map[int]string{maxActivity: "",
		maxActivity + 1: "the repository has more than 50 pages of activity"} {
		pages := 0
		w.client = w.between(func(rw http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, "/activity") || r.URL.Query().Has("ref") {
				return false
			}
			if pages++; pages > last {
				_, _ = fmt.Fprintf(rw, `[{"ref": "refs/heads/ask", "after": %q, "timestamp":
					"2026-11-23T12:00:00Z", "activity_type": "push", "actor":
					{"login": "alice", "id": 101, "type": "User"}}]`, head)
				return true
			}
			rw.Header().Set("Link", fmt.Sprintf(`<%s/repos/acme/access/activity?after=%d>; rel="next"`,
				w.URL, pages))
			_, _ = rw.Write([]byte("[]"))
			return true
		})
		if words != "" {
			w.refused(n, words)
		} else if pushes := w.facts(n).Pushes; len(pushes) != 1 {
			t.Errorf("pushes %+v after %d pages", pushes, pages)
		}
	}
}
