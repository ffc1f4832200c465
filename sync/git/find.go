package git

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// wanted are paths as a tree of names, so that each folder of a commit is read through once,
// however many of its files are asked for.
type wanted struct {
	below map[string]*wanted // by name; "*" is every folder
	whole bool               // a path ends here: all that is below it is asked for
}

func wantedOf(paths []string) *wanted {
	root := &wanted{}
	for _, path := range paths {
		at := root
		for name := range strings.SplitSeq(path, "/") {
			next := at.below[name]
			if next == nil {
				next = &wanted{}
				if at.below == nil {
					at.below = map[string]*wanted{}
				}
				at.below[name] = next
			}
			at = next
		}
		at.whole = true
	}
	return root
}

// everything is what is wanted below a path that ends where it began.
var everything = &wanted{whole: true}

// folders are what is wanted below the folder e.
func (w *wanted) folders(e treeEntry) (all []*wanted) {
	if !e.isDir() {
		return nil
	}
	if w.whole {
		all = append(all, everything)
	}
	for _, name := range [...]string{e.name, "*"} {
		if next := w.below[name]; next != nil {
			all = append(all, next)
		}
	}
	return all
}

// along brings the trees into s that lie on the way to what is wanted, of each root, where they are
// not there: those of one level together. Which are too large is ErrLimit. c may be nil. Without
// objects by their ids nothing is brought.
func (r *Repository) along(ctx context.Context, c *conn, s *objects, w *wanted,
	roots ...plumbing.Hash) error {
	type place struct {
		tree plumbing.Hash
		*wanted
	}
	level, seen := map[place]bool{}, map[place]bool{}
	for _, root := range roots {
		level[place{root, w}] = true
	}
	for depth := 0; len(level) > 0 && depth <= maxTreeDepth; depth++ {
		wants := map[plumbing.Hash]bool{}
		r.mu.RLock()
		byID := r.byID()
		for at := range level {
			if s.missing(plumbing.TreeObject, at.tree) {
				wants[at.tree] = true
			}
		}
		r.mu.RUnlock()
		if !byID {
			return nil
		}
		if len(wants) > 0 {
			if err := r.bringTrees(ctx, c, s, slices.Collect(maps.Keys(wants))); err != nil {
				return err
			}
		}
		next := map[place]bool{}
		r.mu.RLock()
		for at := range level {
			if seen[at] || !at.whole && at.below == nil {
				continue
			}
			seen[at] = true
			err := s.each(at.tree, func(e treeEntry) {
				for _, below := range at.folders(e) {
					next[place{e.hash, below}] = true
				}
			})
			if err != nil {
				r.mu.RUnlock()
				return err
			}
		}
		r.mu.RUnlock()
		level = next
	}
	return nil
}

// bringTrees adds trees to s by their ids; ErrLimit says which one is too large. c may be nil.
func (r *Repository) bringTrees(ctx context.Context, c *conn, s *objects,
	wants []plumbing.Hash) (err error) {
	if c == nil {
		if c, err = r.remote.open(ctx); err != nil {
			return err
		}
	}
	refused, err := r.bring(ctx, c, s, fetchRequest{wants: wants, filter: onlyCommits})
	if err == nil && len(refused) > 0 {
		return tooMany("the folder %s", refused[0])
	}
	return err
}

// Find gives what a commit has at some paths, by path; a * between slashes is every folder there.
// Only the folders on the way are read: what a folder has beside, however much, costs a look at its
// names. A folder at a path is given itself, with a Fault. Trees that are not in memory are
// fetched, and those of the tip kept, so that the next tip brings what changed of them.
func (r *Repository) Find(ctx context.Context, commit string, paths ...string) (map[string]Entry,
	error) {
	s, w := r.over(), wantedOf(paths)
	c, err := r.commit(s, plumbing.NewHash(commit))
	if err == nil {
		err = r.along(ctx, nil, s, w.entries(), plumbing.NewHash(c.Tree))
	}
	f := finder{objects: s, found: map[string]Entry{}, passed: map[string]plumbing.Hash{}}
	if err == nil {
		r.mu.RLock()
		err = f.look("", plumbing.NewHash(c.Tree), w)
		r.mu.RUnlock()
	}
	if err != nil {
		return nil, fmt.Errorf("looking for files in commit %s: %w", clean(commit), err)
	}
	r.keepBeside(s, commit, f.passed)
	return f.found, nil
}

// entries is what is wanted without what is below the ends of paths.
func (w *wanted) entries() *wanted {
	only := &wanted{}
	for name, next := range w.below {
		if next.below == nil {
			continue
		}
		if only.below == nil {
			only.below = map[string]*wanted{}
		}
		only.below[name] = next.entries()
	}
	return only
}

// finder looks for the ends of paths.
type finder struct {
	*objects
	found  map[string]Entry
	passed map[string]plumbing.Hash // folders that were read
}

func (f *finder) look(folder string, tree plumbing.Hash, w *wanted) error {
	f.passed[strings.TrimSuffix(folder, "/")] = tree
	type below struct {
		treeEntry
		*wanted
	}
	var folders []below
	err := f.each(tree, func(e treeEntry) {
		if next := w.below[e.name]; next != nil && next.whole {
			f.end(folder, e)
		}
		for _, next := range w.folders(e) {
			if next.below != nil {
				folders = append(folders, below{e, next})
			}
		}
	})
	for _, b := range folders {
		if err == nil {
			err = f.look(folder+b.name+"/", b.hash, b.wanted)
		}
	}
	return err
}

// find gives a commit's file at path; the zero Entry when there is none.
func (s *objects) find(c Commit, path string) (Entry, error) {
	f := finder{objects: s, found: map[string]Entry{}, passed: map[string]plumbing.Hash{}}
	if err := f.look("", plumbing.NewHash(c.Tree), wantedOf([]string{path})); err != nil {
		return Entry{}, fmt.Errorf("looking for %s in commit %s: %w", clean(path), c.Hash, err)
	}
	if e := f.found[path]; !e.IsFolder() {
		return e, nil
	}
	return Entry{}, nil
}

func (f *finder) end(folder string, e treeEntry) {
	path, fault := folder+e.name, e.fault()
	if _, twice := f.found[path]; twice {
		fault = faultTwice
	} else if fault == "" && e.isDir() {
		fault = faultFolder
	}
	f.found[path] = e.listed(path, fault)
}

// each gives the entries of a tree, as they stand.
func (s *objects) each(tree plumbing.Hash, visit func(treeEntry)) error {
	raw, err := s.bytes(plumbing.TreeObject, tree)
	if err == nil {
		err = eachEntry(string(raw), visit)
	}
	if err != nil {
		return fmt.Errorf("tree %s: %w", tree, err)
	}
	return nil
}

func eachEntry(raw string, visit func(treeEntry)) (err error) {
	var e treeEntry
	for raw != "" && err == nil {
		if e, raw, err = cutEntry(raw); err == nil {
			visit(e)
		}
	}
	return err
}
