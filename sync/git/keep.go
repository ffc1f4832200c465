package git

import (
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// Of the tip there are in memory the folders that are listed, and beside them those that somebody
// looked into. The others can be had by their ids, and of those beside only the tip's are kept: a
// day of the ledger is another tree with each entry.

// narrow tells whether that is so; mu must be held, or op.
func (r *Repository) narrow() bool { return len(r.listed) > 0 && r.byID() }

// keep makes what was fetched of a commit, or is the agent's own, part of the store; mu must be
// held.
func (r *Repository) keep(s *objects, commit plumbing.Hash, own bool) error {
	if !r.narrow() {
		return s.copyTo(r.store, commit)
	}
	c, err := s.commit(commit)
	if err != nil {
		return err
	}
	if o, err := s.Storage.EncodedObject(plumbing.CommitObject, commit); err == nil {
		hold(r.store, o)
	}
	type place struct {
		path string
		tree plumbing.Hash
	}
	type kind struct {
		tree   plumbing.Hash
		listed bool
	}
	seen := map[kind]bool{}
	for stack := []place{{tree: plumbing.NewHash(c.Tree)}}; len(stack) > 0; {
		at := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		o, err := s.Storage.EncodedObject(plumbing.TreeObject, at.tree)
		listed := at.path == "" || isBelow(at.path, true, r.listed)
		_, beside := r.beside[at.path]
		if err != nil || !listed && !beside && !own || seen[kind{at.tree, listed}] {
			continue
		}
		seen[kind{at.tree, listed}] = true
		hold(r.store, o)
		if !listed {
			r.besides(at.path, at.tree, o.Size(), nil)
		}
		err = s.each(at.tree, func(e treeEntry) {
			path := strings.TrimPrefix(at.path+"/"+e.name, "/")
			if e.isDir() {
				stack = append(stack, place{path, e.hash})
			} else if blob, err := s.Storage.EncodedObject(plumbing.BlobObject, e.hash); err == nil &&
				isBelow(path, false, r.read) {
				hold(r.store, blob)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// keepBeside keeps the folders of a commit that were looked into and had to be fetched, if it is
// the tip.
func (r *Repository) keepBeside(s *objects, commit string, passed map[string]plumbing.Hash) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tip.String() != commit || !r.narrow() {
		return
	}
	for path, h := range passed {
		o, err := s.Storage.EncodedObject(plumbing.TreeObject, h)
		if err == nil && path != "" && !isBelow(path, true, r.listed) {
			hold(r.store, o)
			r.besides(path, h, o.Size(), passed)
		}
	}
}

// beside is a folder that somebody looked into.
type beside struct {
	tree plumbing.Hash
	size int64
}

// besides notes that a folder beside those that are listed is this tree now, and drops the one that
// it was; when all of them have become too much, all others but those that were passed to get there.
func (r *Repository) besides(path string, tree plumbing.Hash, size int64,
	passed map[string]plumbing.Hash) {
	total := size
	for _, b := range r.beside {
		total += b.size
	}
	for at, b := range r.beside {
		much := total > r.limits.total/4 && passed[at] != b.tree
		if (at == path || much) && b.tree != tree {
			r.store.drop(b.tree)
			delete(r.beside, at)
		}
	}
	r.beside[path] = beside{tree, size}
}
