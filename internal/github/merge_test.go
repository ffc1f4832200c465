package github

import (
	"fmt"
	"os/exec"
	"path"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/testdata/forge"
)

// TestMergeWithAFolderInPlace: where the merge has a folder under the name of the request, it
// brought no file.
func TestMergeWithAFolderInPlace(t *testing.T) {
	w := newWorld(t)
	folder, name := path.Split(requestPath)
	beside := func(slug string) forge.Change { // so that head, merge and tip have other folders there
		return forge.Change{User: "root", Message: "Beside", Files: map[string]string{
			folder + slug + ".txt": slug}}
	}
	n := w.ask()
	w.review("bob", n, "APPROVE")
	w.push(beside("before"))
	w.merge(n)
	merged := w.Branch("main")
	w.push(beside("after"))
	show := exec.Command("git", "--git-dir", w.GitDir(), "rev-parse",
		merged+":"+strings.TrimSuffix(folder, "/"))
	tree, err := show.Output()
	if err != nil {
		t.Fatal(err)
	}
	sha := strings.TrimSpace(string(tree))
	w.Fail("GET", "/repos/acme/access/git/trees/"+sha, -1, 200, fmt.Sprintf(`{"sha": %q, "tree": `+
		`[{"path": %q, "mode": "040000", "type": "tree", "sha": %[1]q}], "truncated": false}`, sha,
		name))
	if blob := w.facts(n).Merge.Blob; blob != "" {
		t.Errorf("blob %s of a folder", blob)
	}
}
