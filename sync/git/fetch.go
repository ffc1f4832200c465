package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/storage/memory"
)

// What others put on a branch that is merged is history that the agent never reads, and a few
// kilobytes of it can stand for gigabytes. So it asks for commits alone, then for the trees of
// those on the first-parent line, then for the files that it reads, each by its id. A server that
// cannot do that is asked for whole commits, as few as will do.

const (
	maxWants   = 256 // objects asked for at once
	maxRefused = 64  // files of one tip that are too large; more refuse the tip
)

// mode is how the server is asked.
type mode struct {
	filter bool   // it can leave blobs out
	whole  string // why whole commits are fetched; empty: only what is needed
}

// lesser is an error that shows what a server cannot do, which it offered.
type lesser struct{ mode }

func (l *lesser) Error() string { return l.whole }

var (
	errIgnores = &lesser{mode{false, "the git server offers filters and ignores them"}}
	errNoWants = &lesser{mode{true, "the git server gives out no objects by their ids"}}
)

// byID says that what is needed can be asked for by its id; mu must be held.
func (r *Repository) byID() bool { return r.mode != nil && r.mode.whole == "" }

// Whole says, in a sentence, why whole commits with everything in them must be fetched; empty when
// they need not, or before the first Fetch.
func (r *Repository) Whole() string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.mode == nil {
		return ""
	}
	return r.mode.whole
}

// over is room for new objects over those in memory.
func (r *Repository) over() *objects {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return &objects{Storage: memory.NewStorage(), below: r.store}
}

// commit reads a commit that is in memory, or among the new objects.
func (r *Repository) commit(s *objects, h plumbing.Hash) (Commit, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return s.commit(h)
}

// commits asks for commits: alone where their trees can be had by id, else with these.
func (r *Repository) commits(have plumbing.Hash, depth int, wants ...plumbing.Hash) fetchRequest {
	if r.byID() {
		return fetchRequest{wants: wants, depth: depth, filter: onlyCommits}
	}
	return fetchRequest{wants: wants, have: have, depth: depth, thin: !have.IsZero(),
		filter: onlyTrees}
}

// first asks for one commit of which nothing is known yet: alone where what is read of it can be
// had by id, else with its files.
func (r *Repository) first(want plumbing.Hash) fetchRequest {
	f := r.commits(plumbing.ZeroHash, 1, want)
	if !r.byID() {
		f.filter = onlySmall
	}
	return f
}

// newest asks for a commit that may become the tip, with what it has and have has not: the trees
// and, where all files are read, those. Only a thin pack leaves out what have has, and deltas in it
// may build on trees that are not kept: such a tree is mostly none that is kept, either, and else it
// is asked for by its id.
func (r *Repository) newest(have, want plumbing.Hash) fetchRequest {
	f := fetchRequest{wants: []plumbing.Hash{want}, have: have, depth: 1, filter: onlyTrees,
		thin: !have.IsZero()}
	if len(r.read) == 0 || !r.byID() {
		f.filter = onlySmall
	}
	return f
}

// back asks for the commits before a new tip. By their ids they are had alone, and none of those
// that the old tip has: whose trees nobody asks for then, so it need not be told to be shallow.
func (r *Repository) back(depth int, tip plumbing.Hash) fetchRequest {
	switch {
	case depth == 1:
		return r.newest(r.tip, tip)
	case r.byID():
		return fetchRequest{wants: []plumbing.Hash{tip}, have: r.tip, whole: true, depth: depth,
			filter: onlyCommits}
	}
	return r.commits(r.tip, depth, tip)
}

// blobs asks for blobs alone.
func blobs(wants ...plumbing.Hash) fetchRequest {
	return fetchRequest{wants: wants, filter: onlyTrees}
}

// download fetches one answer, unpacked beside the store and beside so many bytes of objects that
// were taken before. Where the server has no filters, blobs that are not asked for are left out
// here.
func (r *Repository) download(ctx context.Context, c *conn, f fetchRequest, taken int64) (*objects,
	error) {
	l := r.limits.beside(taken)
	if f.depth == 0 && f.filter == onlyTrees {
		l.object = min(l.object, maxBlob)
	}
	r.mu.RLock()
	filters, narrow := r.mode != nil && r.mode.filter, r.narrow()
	r.mu.RUnlock()
	for {
		ask := f
		if !filters {
			ask.filter = ""
		}
		pack, err := c.fetch(ctx, ask, l.pack)
		if err != nil {
			return nil, err
		}
		s := r.over()
		s.parts = f.thin && narrow && f.filter == onlyTrees
		if !filters && f.filter == onlyTrees {
			pack, err = s.withoutBlobs(pack, l)
		}
		if err == nil {
			err = s.unpack(pack, l)
		}
		if err == nil && filters {
			err = s.filtered(f)
		}
		if err == nil {
			s.small = filters && f.filter == onlySmall
			return s, nil
		}
		// The server does not know that an earlier answer left something out, and may build a delta
		// on it.
		if f.thin && (errors.Is(err, plumbing.ErrObjectNotFound) ||
			errors.Is(err, packfile.ErrReferenceDeltaNotFound)) {
			f.thin = false
			continue
		}
		return nil, fmt.Errorf("unpacking %s from %s: %w", f.wants[0], c.url, err)
	}
}

// filtered checks that an answer left out what was not asked for.
func (s *objects) filtered(f fetchRequest) error {
	for h, o := range s.Objects {
		beside := !slices.Contains(f.wants, h)
		if f.filter == onlyCommits && beside && o.Type() != plumbing.CommitObject ||
			f.filter == onlyTrees && beside && o.Type() == plumbing.BlobObject {
			return errIgnores
		}
	}
	return nil
}

// bring adds what is wanted to s, in parts that stay within the limits, and returns those that do
// not even by themselves.
func (r *Repository) bring(ctx context.Context, c *conn, s *objects, f fetchRequest) (
	refused []plumbing.Hash, err error) {
	f.wants = sorted(slices.Values(f.wants)) // the same question each time, which answers can be kept of
	for parts := slices.Collect(slices.Chunk(f.wants, maxWants)); len(parts) > 0; {
		f.wants, parts = parts[0], parts[1:]
		got, err := r.download(ctx, c, f, s.size())
		switch n := len(f.wants); {
		case errors.Is(err, ErrLimit) && n > 1:
			parts = append(parts, f.wants[:n/2], f.wants[n/2:])
			continue
		case errors.Is(err, ErrLimit) && len(refused) < maxRefused &&
			s.size()+maxBlob <= r.limits.total: // else it is not its own size
			refused = append(refused, f.wants[0])
			continue
		case err != nil:
			return nil, err
		}
		// Where one that is wanted is below another one, git leaves it out.
		lacks := slices.DeleteFunc(slices.Clone(f.wants), func(h plumbing.Hash) bool {
			return got.Storage.HasEncodedObject(h) == nil
		})
		if len(lacks) == len(f.wants) {
			return nil, fmt.Errorf("the server's answer lacks object %s", lacks[0])
		}
		s.take(got)
		if len(lacks) > 0 {
			parts = append(parts, lacks)
		}
	}
	return refused, nil
}

// changes are what differs between two commits below the paths. Trees that are not in memory are
// fetched into s, where that can be; c may be nil.
func (r *Repository) changes(ctx context.Context, c *conn, s *objects, before, after Commit,
	paths ...string) ([]PathChange, error) {
	for {
		d := differ{objects: s, paths: paths, missing: map[plumbing.Hash]bool{}}
		r.mu.RLock()
		err := d.compare("", plumbing.NewHash(before.Tree), plumbing.NewHash(after.Tree), 0)
		byID := r.byID()
		r.mu.RUnlock()
		if err != nil || len(d.missing) == 0 {
			return d.found, err
		}
		wants := sorted(maps.Keys(d.missing))
		if !byID {
			return nil, fmt.Errorf("the server's answer lacks tree %s: %w", wants[0],
				ErrNotInMemory)
		}
		if err := r.bringTrees(ctx, c, s, wants); err != nil {
			return nil, fmt.Errorf("comparing commit %s: %w", after.Hash, err)
		}
	}
}

// fill makes a new tip complete: the trees below the folders that are listed, and the files of
// those that are read. What is in old is there already. It returns the files that are too large.
func (r *Repository) fill(ctx context.Context, c *conn, s *objects, old, tip plumbing.Hash) (
	large []plumbing.Hash, err error) {
	commit, err := r.commit(s, tip)
	if err != nil {
		return nil, err
	}
	trees, files, err := s.lacking(commit, r.listed, r.read)
	for ; err == nil && len(trees) > 0; trees, files, err = s.lacking(commit, r.listed, r.read) {
		if !r.byID() {
			return nil, fmt.Errorf("the server's answer lacks tree %s", trees[0])
		}
		if err := r.bringTrees(ctx, c, s, trees); err != nil {
			return nil, err
		}
	}
	if err == nil && len(files) > 0 && !r.byID() {
		var got *objects
		if got, err = r.download(ctx, c, r.newest(old, tip), s.size()); err == nil {
			s.take(got)
			_, files, err = s.lacking(commit, r.listed, r.read)
		}
	}
	files = slices.DeleteFunc(files, func(h plumbing.Hash) bool { return r.large[h] })
	switch {
	case err != nil || len(files) == 0 || !r.byID() && r.mode.filter: // it left the large ones out
		return nil, err
	case !r.byID():
		return nil, fmt.Errorf("the server's answer lacks blob %s", files[0])
	case s.small:
		return files, nil
	}
	return r.bring(ctx, c, s, blobs(files...))
}

// tryIDs finds out whether the server gives out objects by their ids, by one that it surely has.
func (r *Repository) tryIDs(ctx context.Context, c *conn, s *objects, commit plumbing.Hash) error {
	found, err := s.commit(commit)
	if err != nil {
		return err
	}
	root := fetchRequest{wants: []plumbing.Hash{plumbing.NewHash(found.Tree)}, filter: onlyCommits}
	got, err := r.download(ctx, c, root, s.size())
	switch {
	case errors.Is(err, errSaid):
		return errors.Join(errNoWants, err)
	case errors.Is(err, ErrLimit):
		return nil
	case err == nil:
		s.take(got)
	}
	return err
}

// lacking walks a commit's trees below the listed folders, and gives those that are not there, and
// the files below the folders that are read that are not there. Each is given and looked into once,
// however often it stands in the commit.
func (s *objects) lacking(c Commit, listed, read []string) (trees, files []plumbing.Hash,
	err error) {
	type place struct {
		path string // that of the whole branch below it, where all of that is treated alike
		tree plumbing.Hash
	}
	level, seen := []place{{tree: plumbing.NewHash(c.Tree)}}, map[place]bool{}
	found := map[plumbing.Hash]bool{}
	for depth := 0; len(level) > 0 && depth <= maxTreeDepth; depth++ {
		var next []place
		for _, at := range level {
			if s.missing(plumbing.TreeObject, at.tree) {
				trees = append(trees, at.tree)
				continue
			}
			entries, err := s.tree(at.tree)
			if err != nil {
				return nil, nil, err
			}
			for _, e := range entries {
				below := place{strings.TrimPrefix(at.path+"/"+e.name, "/"), e.hash}
				folder, all := within(below.path, read)
				if list, ok := within(below.path, listed); !all && ok && !isBelow(below.path,
					true, read) {
					folder = list
				} else if !all {
					folder = below.path
				}
				if e.isBlob() && all && !found[e.hash] && s.missing(plumbing.BlobObject, e.hash) {
					found[e.hash] = true
					files = append(files, e.hash)
				}
				if !e.isDir() || !isBelow(below.path, true, listed) {
					continue
				}
				below.path = folder
				if !seen[below] {
					seen[below] = true
					next = append(next, below)
				}
			}
		}
		level = next
	}
	return slices.Compact(sorted(slices.Values(trees))), files, nil
}

func sorted(hashes iter.Seq[plumbing.Hash]) []plumbing.Hash {
	return slices.SortedFunc(hashes, func(a, b plumbing.Hash) int { return bytes.Compare(a[:], b[:]) })
}

// within gives the one of paths that a path is or is below; with no paths all are.
func within(path string, paths []string) (folder string, ok bool) {
	i := slices.IndexFunc(paths, func(p string) bool { return isBelow(path, false, []string{p}) })
	if i < 0 {
		return "", len(paths) == 0
	}
	return paths[i], true
}

func (s *objects) missing(t plumbing.ObjectType, h plumbing.Hash) bool {
	_, err := s.EncodedObject(t, h)
	return err != nil
}
