package sync

import (
	"fmt"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/storage/memory"

	"github.com/pullgrant/pullgrant/policies"
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
	wanted := policies.Wanted(policies.KindChange, "")
	d := differ{staged: s}
	if err := d.compare("", plumbing.ZeroHash, plumbing.NewHash(commit.Tree), 0); err != nil {
		return policies.Tree{}, fmt.Errorf("list commit %s of %s: %w", commit.Hash, dir, err)
	}
	tree := policies.Tree{Commit: commit.Hash, Files: map[string]policies.TreeFile{}}
	for _, f := range d.found {
		if !wanted(f.Path) {
			continue
		}
		if f.After.Fault != "" {
			tree.Files[f.Path] = policies.TreeFile{Mode: f.After.Mode, Blob: f.After.Hash, Unreadable: f.After.Fault}
			continue
		}
		content, err := s.bytes(plumbing.BlobObject, plumbing.NewHash(f.After.Hash))
		if err != nil {
			return policies.Tree{}, fmt.Errorf("read %s of commit %s: %w", f.Path, commit.Hash, err)
		}
		tree.Files[f.Path] = policies.NewTreeFile(f.After.Mode, f.After.Hash, content, int64(len(content)))
	}
	return tree, nil
}
