package github

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

// TestApprovalsCoverWhatWasSeen: after the approval somebody else gets the access, or may approve,
// by an approved change, for a while or for good: the approval is stale at every later moment
// (R56). A change that concerns other people alone stales nothing.
func TestApprovalsCoverWhatWasSeen(t *testing.T) {
	const identities, groups = "policies/identities.yaml", "policies/groups.yaml"
	people := repositoryFiles[identities]
	group := func(members string) string {
		return "apiVersion: pullgrant.dev/v1alpha1\nkind: GroupMap\nmetadata: {name: groups}\n" +
			"spec:\n  groups:\n    - {name: others, members: [root]}\n    - {name: reviewers, members: [" +
			members + "]}\n"
	}
	policy := strings.Replace(repositoryFiles[policyPath], "{kind: CodeOwnerReview, count: 1}",
		"{kind: PeerReview, reviewers: [{kind: Group, name: reviewers}], count: 1}", 1)
	for _, c := range []struct {
		name, path string
		after      []string // contents, one merged after the other
		policy     string
		before     string // of path; empty: as in every test
		stale      bool
	}{
		{"subject", identities, []string{strings.Replace(people, "alice@", "mallory@", 1)},
			"", "", true},
		{"subject for a while", identities, []string{strings.Replace(people, "alice@",
			"mallory@", 1),
			people}, "", "", true},
		{"account of the approver", identities, []string{strings.Replace(people, "102", "999", 1),
			people}, policy, "", true},
		{"unreadable for a while", identities, []string{"kind: [", people}, "", "", true},
		{"another person", identities, []string{strings.Replace(people, "bob@", "robert@", 1)}, "",
			"", false},
		{"one more person", identities, []string{people +
			"    - {github: carol, githubID: 103, kubernetes: {username: carol@example.com}}\n"},
			"", "",
			false},
		{"who may approve", groups, []string{group("bob, carol")}, policy, group("bob"), true},
		{"the approver joins", groups, []string{group("bob")}, policy, group("carol"), true},
		{"another group", groups, []string{strings.Replace(group("bob"), "[root]", "[eve]", 1)},
			policy,
			group("bob"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var passed atomic.Int64
			now := func() time.Time { return noon.Add(time.Duration(passed.Load())) }
			wait := func() { passed.Add(int64(time.Minute)) }
			w := newWorldAt(t, now)
			files := map[string]string{groups: group("bob")}
			if c.policy != "" {
				files[policyPath] = c.policy
			}
			if c.before != "" {
				files[c.path] = c.before
			}
			w.push(forge.Change{User: "root", Files: files})
			n := w.ask()
			wait()
			w.review("bob", n, "APPROVE")
			judge := func(when string) {
				t.Helper()
				f, err := w.client.Facts(t.Context(), n, now())
				w.check(err)
				roundTrip(t, f)
				d := policies.Evaluate(f.Base, f, now())
				merged := policies.EvaluateMerged(f, requestPath, blobName([]byte(requestFile)),
					now())
				if f.PullRequest.Merged {
					d = merged
				}
				if stale := d.Code == policies.ApprovalStale; stale != c.stale {
					t.Errorf("%s: %s %s %s, stood %+v", when, d.Outcome, d.Code, d.Message, f.Stood)
				}
			}
			for i, content := range c.after {
				wait()
				branch := "change-" + string(rune('a'+i))
				w.push(forge.Change{User: "root", Branch: branch,
					Files: map[string]string{c.path: content}})
				change, err := w.Open("root", branch, "Change")
				w.check(err)
				wait()
				w.merge(change)
			}
			wait()
			judge("open")
			w.merge(n)
			judge("merged")
		})
	}
}

// TestApprovalStandsBesideOthers: more commits of other requests than one would read at once say nothing
// against an approval, however long it waits.
func TestApprovalStandsBesideOthers(t *testing.T) {
	var passed atomic.Int64
	now := func() time.Time { return noon.Add(time.Duration(passed.Load())) }
	w := newWorldAt(t, now)
	n := w.ask()
	w.review("bob", n, "APPROVE")
	passed.Add(int64(time.Minute))
	for i := range maxStood + 10 {
		w.push(forge.Change{User: "root", Files: map[string]string{"requests/staging/note.txt": fmt.Sprintln(i)}})
	}
	f, err := w.client.Facts(t.Context(), n, now())
	w.check(err)
	if d := policies.Evaluate(f.Base, f, now()); d.Outcome != policies.Allowed || len(f.Stood) != 1 {
		t.Errorf("%s %s %s, stood %d", d.Outcome, d.Code, d.Message, len(f.Stood))
	}
}
