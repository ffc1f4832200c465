package policies_test

import (
	"slices"
	"testing"

	"github.com/pullgrant/pullgrant/policies"
)

func TestTeams(t *testing.T) {
	file := func(text string) policies.TreeFile {
		return policies.NewTreeFile(policies.PlainFile, "", []byte(text), int64(len(text)))
	}
	tree := policies.Tree{Owner: "acme", Files: map[string]policies.TreeFile{
		"policies/a.yaml": file(`apiVersion: pullgrant.dev/v1alpha1
kind: AccessPolicy
metadata: {name: a}
spec:
  clusters: [prod]
  subjects: [{kind: Group, name: acme/Devs}, {kind: User, name: alice}, {kind: Group, name: local}]
  challenges: [{kind: PeerReview, count: 1, reviewers: [{kind: Group, name: acme/leads}]}]
`),
		"CODEOWNERS": file("* @acme/platform @bob\n/policies/ @acme/leads\n"),
	}}
	if got := tree.Teams(); !slices.Equal(got, []string{"acme/devs", "acme/leads", "acme/platform"}) {
		t.Errorf("teams %q", got)
	}
	places, read := tree.Unowned()
	if !read || len(places) != 0 {
		t.Errorf("unowned %q, read %t", places, read)
	}
	tree.Files["CODEOWNERS"] = file("/policies/ @acme/leads\nCODEOWNERS @acme/leads\n/.github/ @others/leads\n")
	if places, _ = tree.Unowned(); !slices.Contains(places, ".github/workflows/") ||
		slices.Contains(places, "policies/") {
		t.Errorf("unowned %q", places)
	}
	delete(tree.Files, "CODEOWNERS")
	if _, read = tree.Unowned(); read {
		t.Error("a CODEOWNERS that is not there is read")
	}
}
