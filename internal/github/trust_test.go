package github

import (
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

// merged opens a pull request of alice's and merges it; head is the commit that it was made of.
func (w world) merged(branch string, files map[string]string) (number int, head string) {
	w.Helper()
	head, err := w.Push(forge.Change{User: "alice", Branch: branch, Message: "Change", Files: files})
	w.check(err)
	number, err = w.Open("alice", branch, "Change")
	w.check(err)
	_, err = w.Merge("root", number)
	w.check(err)
	return number, head
}

func TestMergedAs(t *testing.T) {
	w := newWorld(t)
	number, head := w.merged("a", map[string]string{"README.md": "1\n"})
	merge := w.Branch("main")
	direct, err := w.Push(forge.Change{User: "root", Message: "Push", Files: map[string]string{"README.md": "2\n"}})
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
	w.Fail("GET", "/repos/acme/access/commits/.*/pulls", -1, 403, `{"message":"Resource not accessible by integration"}`)
	if got, err := w.client.MergedAs(t.Context(), direct); err == nil {
		t.Errorf("no answer is taken for %d", got)
	}
}

// TestUnder: an older CODEOWNERS takes the place of the one before the merge, and its team is asked about.
func TestUnder(t *testing.T) {
	w := newWorld(t)
	const path = ".github/CODEOWNERS"
	f, err := w.client.Facts(t.Context(), w.reviewedChange(), noon)
	w.check(err)
	if _, asked := f.Answers[policies.AboutMember("acme/squad-b", "bob")]; asked {
		t.Fatalf("teams already: %v", f.Answers)
	}
	old := []byte("* @acme/squad-b\n")
	_, err = w.Push(forge.Change{User: "root", Branch: "old", Message: "Old", Files: map[string]string{path: string(old)}})
	w.check(err)
	tree, err := w.client.Under(t.Context(), &f, map[string]policies.TreeFile{path: {Mode: "100644", Blob: blobName(old)}, "policies/identities.yaml": {}})
	w.check(err)
	if tree.Files[path].Content != string(old) || !f.Answers[policies.AboutMember("acme/squad-b", "bob")] || tree.Commit != f.Merge.FirstParent.Commit {
		t.Errorf("tree %+v, teams %v", tree.Files[path], f.Answers)
	}
	if _, still := tree.Files["policies/identities.yaml"]; still || f.Merge.FirstParent.Files[path].Content == string(old) ||
		f.Merge.FirstParent.Files["policies/identities.yaml"].Blob == "" {
		t.Error("a file that is not to be there is, or the facts were changed")
	}
	if _, err := w.client.Under(t.Context(), &f, map[string]policies.TreeFile{path: {Mode: "100644", Blob: blobName([]byte("x"))}}); err == nil {
		t.Error("no error for a blob that does not exist")
	}
}

// reviewedChange is a merged change of a policy that bob approved.
func (w world) reviewedChange() (number int) {
	w.Helper()
	_, err := w.Push(forge.Change{User: "alice", Branch: "change", Message: "Change", Files: map[string]string{policyPath: repositoryFiles[policyPath] + "# longer\n"}})
	w.check(err)
	number, err = w.Open("alice", "change", "Change")
	w.check(err)
	_, err = w.Review("bob", number, "APPROVE")
	w.check(err)
	_, err = w.Merge("root", number)
	w.check(err)
	return number
}

func TestSkew(t *testing.T) {
	w := newWorld(t)
	if _, known := w.client.Skew(); known {
		t.Error("a clock that was never heard of is known")
	}
	w.client.wire.clock = func() time.Time { return noon.Add(-time.Minute) }
	w.check(w.client.ReadClock(t.Context()))
	if ahead, known := w.client.Skew(); !known || ahead != time.Minute {
		t.Errorf("GitHub is ahead by %s, %t; want 1m", ahead, known)
	}
	// A refusal tells the time as well.
	w.client.wire.clock = func() time.Time { return noon.Add(time.Minute) }
	w.Fail("GET", "/repos/acme/access", -1, 403, `{"message":"no"}`)
	if err := w.client.ReadClock(t.Context()); err == nil {
		t.Error("no error")
	}
	if ahead, _ := w.client.Skew(); ahead != -time.Minute {
		t.Errorf("GitHub is ahead by %s; want -1m", ahead)
	}
}
