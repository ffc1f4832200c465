package ledger

import (
	"fmt"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/codeowners"
	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/sync/git"
)

// TreeAt reads the policies of the checkout in dir as they stand at ref: a branch, a tag, a commit
// or HEAD. It reads the git objects only, never the worktree.
func TreeAt(dir, ref string) (policies.Tree, error) {
	local, err := git.OpenCheckout(dir)
	if err != nil {
		return policies.Tree{},
			fmt.Errorf("%w; policies of another commit are in git, so clone the access "+
				"repository and name it", err)
	}
	at, err := local.Resolve(ref)
	if err != nil {
		return policies.Tree{}, fmt.Errorf("find the commit %q in %s: %w", ref, dir, err)
	}
	commit, err := local.Commit(at)
	if err != nil {
		return policies.Tree{}, fmt.Errorf("read %q of %s: %w", ref, dir, err)
	}
	tree, err := policyTree(local, commit, policies.Wanted(policies.KindChange, ""))
	if err != nil {
		return tree, fmt.Errorf("read %q of %s: %w", ref, dir, err)
	}
	return tree, nil
}

// folders are where the files stand that decide.
var folders = append([]string{policies.Folder, rbac.CatalogFolder, policies.TestsFolder},
	codeowners.Paths...)

// policyTree reads the wanted files of a commit.
func policyTree(local *git.Checkout, c git.Commit, wanted func(string) bool) (
	policies.Tree, error) {
	tree := policies.Tree{Commit: c.Hash, Files: map[string]policies.TreeFile{}}
	found, err := local.Changes(git.Commit{}, c, folders...)
	for _, f := range found {
		if err == nil && wanted(f.Path) {
			tree.Files[f.Path], err = treeFile(local, f.After)
		}
	}
	if err != nil {
		return tree, fmt.Errorf("commit %s: %w", c.Hash, err)
	}
	return tree, nil
}

// treeFile reads an entry.
func treeFile(local *git.Checkout, e git.Entry) (policies.TreeFile, error) {
	if e.Fault != "" {
		return policies.TreeFile{Mode: e.Mode, Blob: e.Hash, Unreadable: e.Fault}, nil
	}
	content, err := local.Blob(e.Hash)
	return policies.NewTreeFile(e.Mode, e.Hash, content, int64(len(content))), err
}
