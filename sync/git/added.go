package git

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// origins are the commits that added files, as far as anybody asked, up to a tip.
type origins struct {
	tip   string
	added map[string]Commit // by path
}

// maxOrigin bounds the changes of a commit that is remembered: what has more is refused anyway.
const maxOrigin = 100

// Trace finds the commits that added the files at some paths in one walk, so that Added knows them;
// of other files it is forgotten. The error is of the first that cannot be told.
func (r *Repository) Trace(ctx context.Context, tip string, paths []string,
	since time.Time) error {
	_, err := r.trace(ctx, tip, paths, since)
	r.mu.Lock()
	defer r.mu.Unlock()
	asked := map[string]bool{}
	for _, path := range paths {
		asked[path] = true
	}
	maps.DeleteFunc(r.origins.added, func(path string, _ Commit) bool { return !asked[path] })
	return err
}

// Added finds the commit that added the file at path, which the tip has: the newest on the branch's
// first-parent line that has it while its parent has not. Its Changes are complete. What is not
// known yet is not looked for beyond the first commit dated before since, unless that is zero: that
// one is returned, as if it had added the file and nothing else. History that is not in memory is
// fetched, so this may take a while; nothing else of the repository changes.
func (r *Repository) Added(ctx context.Context, tip, path string, since time.Time) (Commit, error) {
	found, err := r.trace(ctx, tip, []string{path}, since)
	c, ok := found[path]
	switch {
	case ok:
		return c, nil
	case err == nil:
		err = fmt.Errorf("looking for the commit that added %s: commit %s does not have it",
			clean(path), clean(tip))
	}
	return Commit{}, err
}

// trace goes back from the tip until what added each of paths is found, or from the tip of the last
// time on is known. What was found stays known for the next tip.
func (r *Repository) trace(ctx context.Context, tip string, paths []string, since time.Time) (
	map[string]Commit, error) {
	r.mu.RLock()
	known := origins{r.origins.tip, maps.Clone(r.origins.added)}
	r.mu.RUnlock()
	found, open := map[string]Commit{}, map[string]bool{}
	for _, path := range paths {
		if c, ok := known.added[path]; ok && known.tip == tip {
			found[path] = c
		} else {
			open[path] = true
		}
	}
	if len(open) == 0 {
		return found, nil
	}
	line, err := r.line(tip)
	if err != nil {
		return nil, err
	}
	before := slices.IndexFunc(line, func(c Commit) bool { return c.Hash == known.tip })
	if before > 0 {
		for path := range known.added {
			open[path] = true
		}
	} else if before < 0 {
		known = origins{} // the branch was rewritten, or nobody asked for so long
	}
	t := newTracer(r, slices.Collect(maps.Keys(open)), since, known)
	for depth := 64; ; depth *= 4 {
		if err = t.follow(ctx, line); !errors.Is(err, errShort) || depth > MaxDepth {
			break
		}
		if err = r.deepen(ctx, depth); err != nil {
			break
		}
		if line, err = r.line(tip); err != nil {
			break
		}
	}
	r.mu.Lock()
	if r.origins.tip != tip {
		r.origins = origins{tip, map[string]Commit{}}
	}
	for path, c := range t.added {
		if len(c.Changes) <= maxOrigin {
			r.origins.added[path] = c
		}
	}
	r.mu.Unlock()
	maps.Copy(found, t.added)
	maps.Copy(found, t.cut)
	if err != nil {
		path := strings.Join(paths, " ")
		if len(paths) > 1 {
			path = fmt.Sprintf("%d files", len(paths))
		}
		err = fmt.Errorf("looking for the commit that added %s: %w", clean(path), err)
	}
	return found, err
}

// tracer goes back along the first-parent line and keeps in mind which of the files that it looks
// for the commit before had, and in which folders: a folder that is the same is not read again.
type tracer struct {
	repository *Repository
	since      time.Time
	known      origins

	root  *traced
	open  map[string]bool
	done  int               // commits of the line that were looked at
	child Commit            // the last of them whose folders are known; it has what is open
	lost  []string          // of those, what the one looked at has not
	added map[string]Commit // by path
	cut   map[string]Commit // the same, of what is older than since
}

// traced is a folder or file on the way to what is looked for.
type traced struct {
	below map[string]*traced
	tree  plumbing.Hash // it was, of a folder
	path  string        // of a file that is looked for
	seen  [2]bool       // as a file and as a folder, in the commit looked at
}

func newTracer(r *Repository, paths []string, since time.Time, known origins) *tracer {
	t := &tracer{repository: r, since: since, known: known, root: &traced{},
		open: map[string]bool{}, added: map[string]Commit{}, cut: map[string]Commit{}}
	for _, path := range paths {
		at := t.root
		for name := range strings.SplitSeq(path, "/") {
			if at.below == nil {
				at.below = map[string]*traced{}
			}
			if at.below[name] == nil {
				at.below[name] = &traced{}
			}
			at = at.below[name]
		}
		at.path, t.open[path] = path, true
	}
	return t
}

// tracedAtOnce is the same for commits that are traced: each may have another tree of a folder with
// thousands of requests.
const tracedAtOnce = 32

// errShort says that what is looked for is before the commits of a line.
var errShort = fmt.Errorf("what is before is %w", ErrNotInMemory)

// follow looks at the commits of a line that it has not looked at yet.
func (t *tracer) follow(ctx context.Context, line []Commit) error {
	for t.done < len(line) && len(t.open) > 0 {
		part := line[t.done:min(t.done+tracedAtOnce, len(line))]
		w := wantedOf(slices.Sorted(maps.Keys(t.open))).entries()
		s, err := t.trees(ctx, w, part)
		if errors.Is(err, ErrLimit) && len(part) > 1 {
			part = part[:1] // there may be no room for them together
			s, err = t.trees(ctx, w, part)
		}
		switch {
		case errors.Is(err, ErrLimit): // what it has is not known, and its child is told to be too much
			t.child.TooMany = true
			t.done++
			continue
		case err != nil:
			return err
		}
		for _, c := range part {
			if err := t.look(ctx, s, c); err != nil {
				return err
			}
			t.done++
		}
	}
	switch {
	case len(t.open) == 0:
		return nil
	case len(line) >= MaxDepth:
		return fmt.Errorf("it is not among the last %d", MaxDepth)
	}
	return errShort
}

// trees brings those on the way to what is wanted.
func (t *tracer) trees(ctx context.Context, w *wanted, part []Commit) (*objects, error) {
	var roots []plumbing.Hash
	for _, c := range part {
		roots = append(roots, plumbing.NewHash(c.Tree))
	}
	s := t.repository.over()
	return s, t.repository.along(ctx, nil, s, w, roots...)
}

// look sees what of the files that are open a commit has not: its child added them.
func (t *tracer) look(ctx context.Context, s *objects, c Commit) error {
	t.lost = nil
	t.repository.mu.RLock()
	err := t.visit(s, t.root, plumbing.NewHash(c.Tree))
	t.repository.mu.RUnlock()
	if err != nil {
		return err
	}
	if len(t.lost) > 0 {
		if t.child.Hash != "" {
			if err := t.repository.compare(ctx, s, &t.child, c); err != nil {
				return err
			}
		}
		for _, path := range t.lost {
			delete(t.open, path)
			if t.child.Hash != "" { // else the tip has not what was asked for
				t.added[path] = t.child
			}
		}
	}
	t.child = c
	if c.Hash == t.known.tip {
		for path, added := range t.known.added {
			if t.open[path] {
				t.close(path, t.added, added)
			}
		}
	}
	into := t.added
	if len(c.Parents) > 0 {
		if c.Committer.When.IsZero() || !c.Committer.When.Before(t.since) {
			return nil
		}
		into = t.cut
	}
	entries, err := t.repository.Find(ctx, c.Hash, slices.Sorted(maps.Keys(t.open))...)
	if err != nil {
		return err
	}
	for path := range t.open {
		c.Changes = []PathChange{{Path: path, After: entries[path]}}
		t.close(path, into, c)
	}
	return nil
}

func (t *tracer) close(path string, into map[string]Commit, c Commit) {
	into[path] = c
	delete(t.open, path)
}

// visit notes in lost what a folder has not any more.
func (t *tracer) visit(s *objects, at *traced, tree plumbing.Hash) error {
	if at.tree == tree {
		return nil
	}
	type folder struct {
		*traced
		tree plumbing.Hash
	}
	var folders []folder
	for _, below := range at.below {
		below.seen = [2]bool{}
	}
	err := s.each(tree, func(e treeEntry) {
		below := at.below[e.name]
		switch {
		case below == nil:
		case e.isDir() && e.fault() == "":
			below.seen[1] = true
			folders = append(folders, folder{below, e.hash})
		default:
			below.seen[0] = true
		}
	})
	if err != nil {
		return err
	}
	at.tree = tree
	for name, below := range at.below {
		if below.path != "" && !below.seen[0] {
			t.lose(below)
		}
		if !below.seen[1] {
			for _, gone := range below.below {
				t.loseAll(gone)
			}
			below.below = nil
		}
		if below.path == "" && below.below == nil {
			delete(at.below, name)
		}
	}
	for _, f := range folders {
		if f.below == nil {
			continue
		}
		if err := t.visit(s, f.traced, f.tree); err != nil {
			return err
		}
	}
	return nil
}

func (t *tracer) lose(at *traced) {
	if t.open[at.path] {
		t.lost = append(t.lost, at.path)
	}
	at.path = ""
}

func (t *tracer) loseAll(at *traced) {
	if at.path != "" {
		t.lose(at)
	}
	for _, below := range at.below {
		t.loseAll(below)
	}
}
