package sync

import (
	"fmt"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/storage/memory"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/codeowners"
	"github.com/pullgrant/pullgrant/policies/rbac"
)

// TreeAt reads the policies of the checkout in dir as they stand at ref: a branch, a tag, a commit or HEAD. It reads the
// git objects only, never the worktree.
func TreeAt(dir, ref string) (policies.Tree, error) {
	local, err := git.PlainOpenWithOptions(dir, &git.PlainOpenOptions{EnableDotGitCommonDir: true})
	if err != nil {
		return policies.Tree{}, fmt.Errorf("open the git checkout %s: %w; policies of another commit are in git, so clone the access repository and name it", dir, err)
	}
	at, err := local.ResolveRevision(plumbing.Revision(ref))
	if err != nil {
		return policies.Tree{}, fmt.Errorf("find the commit %q in %s: %w", ref, dir, err)
	}
	s := &staged{Storage: memory.NewStorage(), below: local.Storer}
	commit, err := s.commit(*at)
	if err != nil {
		return policies.Tree{}, fmt.Errorf("read %q of %s: %w", ref, dir, err)
	}
	tree, err := s.policyTree(commit, policies.Wanted(policies.KindChange, ""))
	if err != nil {
		return tree, fmt.Errorf("read %q of %s: %w", ref, dir, err)
	}
	return tree, nil
}

// folders are where the files stand that decide.
var folders = append([]string{policies.Folder, rbac.CatalogFolder, policies.TestsFolder}, codeowners.Paths...)

// policyTree reads the wanted files of a commit.
func (s *staged) policyTree(c Commit, wanted func(string) bool) (policies.Tree, error) {
	tree := policies.Tree{Commit: c.Hash, Files: map[string]policies.TreeFile{}}
	d := differ{staged: s, paths: folders}
	err := d.compare("", plumbing.ZeroHash, plumbing.NewHash(c.Tree), 0)
	for _, f := range d.found {
		if err == nil && wanted(f.Path) {
			tree.Files[f.Path], err = s.file(f.After)
		}
	}
	if err != nil {
		return tree, fmt.Errorf("commit %s: %w", c.Hash, err)
	}
	return tree, nil
}

// file reads an entry.
func (s *staged) file(e Entry) (policies.TreeFile, error) {
	if e.Fault != "" {
		return policies.TreeFile{Mode: e.Mode, Blob: e.Hash, Unreadable: e.Fault}, nil
	}
	content, err := s.bytes(plumbing.BlobObject, plumbing.NewHash(e.Hash))
	return policies.NewTreeFile(e.Mode, e.Hash, content, int64(len(content))), err
}
