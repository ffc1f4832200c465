package github

import (
	"testing"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

// TestUnder: an older CODEOWNERS takes the place of the one before the merge, and its team is
// asked about.
func TestUnder(t *testing.T) {
	w := newWorld(t)
	const path = ".github/CODEOWNERS"
	f, err := w.client.Facts(t.Context(), w.reviewedChange(), noon)
	w.check(err)
	if _, asked := f.Answers[policies.AboutMember("acme/squad-b", "bob")]; asked {
		t.Fatalf("teams already: %v", f.Answers)
	}
	old := []byte("* @acme/squad-b\n")
	_, err = w.Push(forge.Change{User: "root", Branch: "old", Message: "Old",
		Files: map[string]string{path: string(old)}})
	w.check(err)
	tree, err := w.client.Under(t.Context(), &f, map[string]policies.TreeFile{path: {Mode: "100644",
		Blob: blobName(old)}, "policies/identities.yaml": {}})
	w.check(err)
	if tree.Files[path].Content != string(old) || !f.Answers[policies.AboutMember("acme/squad-b",
		"bob")] || tree.Commit != f.Merge.FirstParent.Commit {
		t.Errorf("tree %+v, teams %v", tree.Files[path], f.Answers)
	}
	if _, still := tree.Files["policies/identities.yaml"]; still ||
		f.Merge.FirstParent.Files[path].Content == string(old) ||
		f.Merge.FirstParent.Files["policies/identities.yaml"].Blob == "" {
		t.Error("a file that is not to be there is, or the facts were changed")
	}
	if _, err := w.client.Under(t.Context(), &f, map[string]policies.TreeFile{path: {Mode: "100644",
		Blob: blobName([]byte("x"))}}); err == nil {
		t.Error("no error for a blob that does not exist")
	}
}

// reviewedChange is a merged change of a policy that bob approved.
func (w world) reviewedChange() (number int) {
	w.Helper()
	_, err := w.Push(forge.Change{User: "alice", Branch: "change", Message: "Change",
		Files: map[string]string{policyPath: repositoryFiles[policyPath] + "# longer\n"}})
	w.check(err)
	number, err = w.Open("alice", "change", "Change")
	w.check(err)
	_, err = w.Review("bob", number, "APPROVE")
	w.check(err)
	_, err = w.Merge("root", number)
	w.check(err)
	return number
}
