package github

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

const otherPath = "requests/prod-eu/payments-debug/20261123-alice-inc-124.yaml"

// TestWithdrawal: only an open pull request that removes one request file from the default branch,
// and does nothing else, is one.
func TestWithdrawal(t *testing.T) {
	w := newWorld(t)
	w.push(forge.Change{User: "root", Files: map[string]string{requestPath: requestFile,
		otherPath: "x"}})
	w.push(forge.Change{User: "root", Branch: "stable",
		Files: map[string]string{"README.md": "old\n"}})
	drop := map[string]string{requestPath: forge.Removed}
	for name, test := range map[string]struct {
		files map[string]string
		after func(number int)
		is    bool
	}{
		"one file":  {drop, func(int) {}, true},
		"in a fork": {drop, nil, true},
		"two files": {map[string]string{requestPath: forge.Removed, otherPath: forge.Removed},
			func(int) {}, false},
		"and more": {map[string]string{requestPath: forge.Removed, "README.md": "x"},
			func(int) {}, false},
		"changed":    {map[string]string{requestPath: requestFile + "#\n"}, func(int) {}, false},
		"no request": {map[string]string{"README.md": forge.Removed}, func(int) {}, false},
		"draft": {drop, func(n int) {
			w.check(w.Do(w.Token("alice"), "POST", "/graphql", map[string]any{"query": fmt.Sprintf(
				`mutation { convertPullRequestToDraft(input: {pullRequestId: "PR_%d"}) { pullRequest { id } } }`,
				n)}, nil))
		}, false},
		"closed": {drop, func(n int) { w.check(w.client.Close(t.Context(), n)) }, false},
		"other base": {drop, func(n int) {
			w.check(w.Do(w.Token("alice"), "PATCH", fmt.Sprintf("/repos/acme/access/pulls/%d", n),
				map[string]any{"base": "stable"}, nil))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			branch := strings.ReplaceAll(name, " ", "-")
			if test.after == nil {
				branch = "alice:" + branch
			}
			p := OpenPull{HeadSHA: w.push(forge.Change{Branch: branch, Files: test.files}),
				BaseRef: "main", Draft: name == "draft"}
			n := w.open(branch)
			if p.Number = n; name == "other base" {
				p.BaseRef = "stable"
			}
			if test.after != nil {
				test.after(n)
			}
			got, err := w.client.Withdrawal(t.Context(), p)
			want := policies.Withdrawal{PullRequest: n, Author: policies.User{Login: "alice",
				ID: 101, Type: "User"}, Path: requestPath}
			if err != nil || (got != nil) != test.is || got != nil && *got != want {
				t.Errorf("%+v, error %v; want one: %t", got, err, test.is)
			}
		})
	}
}

// TestWithdrawalThatMoves: the files of one head are never taken for those of another.
func TestWithdrawalThatMoves(t *testing.T) {
	w := newWorld(t)
	w.push(forge.Change{User: "root", Files: map[string]string{requestPath: requestFile}})
	head := w.push(forge.Change{Branch: "drop",
		Files: map[string]string{requestPath: forge.Removed}})
	drop := OpenPull{Number: w.open("drop"), HeadSHA: head, BaseRef: "main"}
	for name, p := range map[string]OpenPull{
		"head":  {Number: drop.Number, HeadSHA: w.Branch("main"), BaseRef: "main"},
		"base":  {Number: drop.Number, HeadSHA: head, BaseRef: "stable"},
		"draft": {Number: drop.Number, HeadSHA: head, BaseRef: "main", Draft: true},
	} {
		if got, err := w.client.Withdrawal(t.Context(), p); got != nil ||
			!errors.Is(err, errMoved) {
			t.Errorf("listed with another %s: %+v, error %v", name, got, err)
		}
	}
	client := w.between(func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/files") {
			w.push(forge.Change{Branch: "drop",
				Files: map[string]string{"README.md": r.URL.RawQuery}})
		}
		return false
	})
	if got, err := client.Withdrawal(t.Context(), drop); got != nil || err == nil ||
		!strings.Contains(err.Error(), errMoved.Error()) {
		t.Errorf("%+v, error %v", got, err)
	}
}

func TestClose(t *testing.T) {
	w := newWorld(t)
	n := w.ask()
	for range 2 {
		w.check(w.client.Close(t.Context(), n))
	}
	if f := w.facts(n); f.PullRequest.State != "closed" || f.PullRequest.Merged {
		t.Errorf("it is %s, merged %t", f.PullRequest.State, f.PullRequest.Merged)
	}
	w.Fail("PATCH", ".*", 1, 200, `{"state": "open"}`)
	if err := w.client.Close(t.Context(), n); err == nil || !strings.Contains(err.Error(),
		"lacks a field") {
		t.Errorf("one that stays open: error %v", err)
	}
	w.Fail("PATCH", ".*", -1, 403, `{"message": "Resource not accessible by integration"}`)
	if err := w.client.Close(t.Context(), n); err == nil || !strings.Contains(err.Error(),
		"lacks a permission: Pull requests: write") {
		t.Errorf("error %v", err)
	}
}
