package github

import (
	"fmt"
	"slices"
	"testing"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

func TestOpenPullRequests(t *testing.T) {
	w := newWorld(t)
	for i := range 3 {
		w.push(forge.Change{Branch: fmt.Sprint("b", i),
			Files: map[string]string{fmt.Sprint(i): "x"}})
		w.open(fmt.Sprint("b", i))
	}
	w.check(w.Do(w.Token("alice"), "PATCH", "/repos/acme/access/pulls/2",
		map[string]any{"state": "closed"}, nil))
	alice := policies.User{Login: "alice", ID: 101, Type: "User"}
	first, last := OpenPull{1, w.Branch("b0"), "main", false, alice}, OpenPull{3, w.Branch("b2"),
		"main", false, alice}
	if got, err := w.client.OpenPulls(t.Context()); err != nil || !slices.Equal(got,
		[]OpenPull{first, last}) {
		t.Errorf("open %v, error %v", got, err)
	}
	if got, err := w.client.PullsByHead(t.Context(), w.Branch("b2")); err != nil ||
		!slices.Equal(got, []OpenPull{last}) {
		t.Errorf("by head %v, error %v", got, err)
	}
	if got, err := w.client.PullsByHead(t.Context(), w.Branch("main")); err != nil ||
		len(got) != 0 {
		t.Errorf("by main's tip %v, error %v", got, err)
	}
	if _, err := w.client.PullsByHead(t.Context(), "main"); err == nil {
		t.Error("a branch was taken for a commit")
	}
}
