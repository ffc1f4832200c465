package github

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/testdata/forge"
)

// TestMergeOfOneHead: a pull request is merged as it was judged or not at all, and a check counts for
// the head that it is about.
func TestMergeOfOneHead(t *testing.T) {
	w := newWorld(t)
	judged := w.push(forge.Change{Branch: "ask", Files: map[string]string{requestPath: requestFile}})
	n := w.open("ask")
	listed := OpenPull{Number: n, HeadSHA: judged, BaseRef: "main"}
	if asked, err := w.client.Asked(t.Context(), listed); err != nil || asked != requestPath {
		t.Errorf("it asks for %q: %v", asked, err)
	}
	w.check(w.Pass("pullgrant", "pullgrant", judged))
	if sign, err := w.client.Sign(t.Context(), judged); err != nil || !sign.Green {
		t.Errorf("the check of the head: %+v, %v", sign, err)
	}
	now := w.push(forge.Change{Branch: "ask", Files: map[string]string{requestPath: requestFile + "#\n"}})
	if sign, err := w.client.Sign(t.Context(), now); err != nil || sign.Green {
		t.Errorf("the check of a head that nobody judged: %+v, %v", sign, err)
	}
	if asked, err := w.client.Asked(t.Context(), listed); err != nil || asked != "" {
		t.Errorf("what moved asks for %q: %v", asked, err)
	}
	if err := w.client.Merge(t.Context(), n, judged); err == nil ||
		!strings.Contains(err.Error(), "Head branch was modified") {
		t.Errorf("merged although another head was pushed: %v", err)
	}
	w.Fail("PUT", fmt.Sprintf("/repos/acme/access/pulls/%d/merge", n), 1, 405,
		`{"message": "Merge commits are not allowed on this repository."}`)
	w.check(w.client.Merge(t.Context(), n, now)) // squashed, then
	if err := w.client.Merge(t.Context(), n, now); err == nil {
		t.Error("merged twice")
	}
}

// TestNotAsked: what does anything else than ask for one access is no request.
func TestNotAsked(t *testing.T) {
	w := newWorld(t)
	for branch, files := range map[string]map[string]string{
		"policy": {"policies/payments-debug.yaml": "x: y\n"},
		"two":    {requestPath: requestFile, otherPath: requestFile},
		"other":  {"README.md": "x\n"},
	} {
		p := OpenPull{HeadSHA: w.push(forge.Change{Branch: branch, Files: files}), BaseRef: "main"}
		p.Number = w.open(branch)
		if asked, err := w.client.Asked(t.Context(), p); err != nil || asked != "" {
			t.Errorf("%s: it asks for %q: %v", branch, asked, err)
		}
	}
}
