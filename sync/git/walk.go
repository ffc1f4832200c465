package git

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// ErrNotOnLine says that a commit is not on the branch's first-parent line.
var ErrNotOnLine = errors.New("not on the branch's first-parent line")

// firstParents are the commits of the first-parent line that ends at tip, newest first, down to the
// one without parents. What a merge brought is the merge's: the line of its second parent was never
// the branch. An error is the last thing it gives, with a Commit that has nothing but the Hash.
func (s *objects) firstParents(tip plumbing.Hash) iter.Seq2[Commit, error] {
	return func(yield func(Commit, error) bool) {
		for at := tip; ; {
			c, err := s.commit(at)
			if err != nil {
				yield(Commit{Hash: at.String()}, err)
				return
			}
			if !yield(c, nil) || len(c.Parents) == 0 {
				return
			}
			at = plumbing.NewHash(c.Parents[0])
		}
	}
}

// between lists the commits from tip back to old, without old, newest first. nil means that old was
// not met: whole is true when the line ended at a commit without parents, false when depth commits,
// or those in memory, were not enough.
func (s *objects) between(old, tip plumbing.Hash, depth int) (line []plumbing.Hash,
	whole bool, err error) {
	if old == tip {
		return nil, false, nil
	}
	for c, err := range s.firstParents(tip) {
		if errors.Is(err, ErrNotInMemory) && len(line) > 0 {
			return nil, false, nil
		}
		if err != nil {
			return nil, false, err
		}
		line = append(line, plumbing.NewHash(c.Hash))
		switch {
		case len(c.Parents) == 0: // the last one
		case plumbing.NewHash(c.Parents[0]) == old:
			return line, false, nil
		case len(line) >= depth:
			return nil, false, nil
		}
	}
	return nil, true, nil
}

// History lists the first-parent line from a commit (exclusive) to the tip, oldest first, each
// commit with all its changes. An empty from means the branch's first commit; first is the one that
// it begins after. History that is not in memory is fetched. The errors are ErrNotOnLine, and
// ErrNotInMemory for what lies deeper than MaxDepth.
func (r *Repository) History(ctx context.Context, tip, from string) (first string,
	commits []Commit, err error) {
	for depth := 64; ; depth *= 4 {
		if first, err = r.reach(tip, from); err == nil {
			commits, err = r.Commits(first, tip)
			return first, commits, err
		}
		if !errors.Is(err, ErrNotInMemory) || depth > MaxDepth {
			return "", nil, err
		}
		if err := r.deepen(ctx, depth); err != nil {
			return "", nil, fmt.Errorf("going back to commit %s: %w", from, err)
		}
	}
}

// reach goes back from the tip until it meets from, or the first commit of all when that is empty.
func (r *Repository) reach(tip, from string) (string, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for c, err := range r.view().firstParents(plumbing.NewHash(tip)) {
		if err != nil {
			return "", err
		}
		if c.Hash == from || from == "" && len(c.Parents) == 0 {
			return c.Hash, nil
		}
	}
	return "", fmt.Errorf("commit %s: %w", clean(from), ErrNotOnLine)
}

// After are the commits of the first-parent line after a commit that is in memory, up to the tip.
func (r *Repository) After(tip, commit string) (map[string]bool, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	line, _, err := r.view().between(plumbing.NewHash(commit), plumbing.NewHash(tip), MaxDepth)
	if err == nil && line == nil && tip != commit {
		err = fmt.Errorf("going back to commit %s: %w", clean(commit), ErrNotInMemory)
	}
	all := map[string]bool{}
	for _, h := range line {
		all[h.String()] = true
	}
	return all, err
}

// Added finds the commit that added the file at path, which the tip has: the newest on the branch's
// first-parent line that has it while its parent has not. Its Changes are complete. The search does
// not go beyond the first commit dated before since, unless that is zero: that one is returned, as
// if it had added the file and nothing else. History that is not in memory is fetched, so this may
// take a while; nothing else of the repository changes.
func (r *Repository) Added(ctx context.Context, tip, path string, since time.Time) (Commit, error) {
	for depth := 64; ; depth *= 4 {
		c, err := r.addedHere(tip, path, since)
		if !errors.Is(err, ErrNotInMemory) || depth > MaxDepth {
			return c, err
		}
		if err := r.deepen(ctx, depth); err != nil {
			return Commit{}, fmt.Errorf("looking for the commit that added %s: %w", path, err)
		}
	}
}

// addedHere is Added as far as memory goes.
func (r *Repository) addedHere(tip, path string, since time.Time) (Commit, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	s := r.view()
	var child Commit // the one looked at before, which has the file
	looked := 0
	for c, err := range s.firstParents(plumbing.NewHash(tip)) {
		if err != nil && child.Hash != "" {
			err = fmt.Errorf("looking for the commit that added %s: %w", path, err)
		}
		if err != nil {
			return child, err
		}
		is, err := s.find(c, path)
		switch {
		case err != nil:
			return child, err
		case is.Path == "" && child.Hash != "":
			return child, s.compare(&child, c)
		}
		c.Changes = []PathChange{{Path: path, After: is}}
		if len(c.Parents) == 0 || !c.Committer.When.IsZero() && c.Committer.When.Before(since) {
			return c, nil
		}
		child = c
		if looked++; looked == MaxDepth {
			break
		}
	}
	return child, fmt.Errorf("looking for the commit that added %s: it is not among the last %d",
		path, MaxDepth)
}

// deepen takes the last commits of the branch's first-parent line into memory, as many as depth
// says.
func (r *Repository) deepen(ctx context.Context, depth int) error {
	r.op.Lock()
	defer r.op.Unlock()
	ctx, cancel := context.WithTimeout(ctx, exchangeTimeout)
	defer cancel()
	c, err := r.remote.open(ctx)
	if err != nil {
		return err
	}
	s, err := r.download(ctx, c, r.tip, plumbing.ZeroHash, depth)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := 0
	for c, err := range s.firstParents(r.tip) {
		if errors.Is(err, ErrNotInMemory) {
			return nil // the server has no more, or sent no more
		}
		if err == nil {
			err = s.copyTo(r.store, plumbing.NewHash(c.Hash))
		}
		if err != nil {
			return fmt.Errorf("keeping commit %s: %w", c.Hash, err)
		}
		if taken++; taken == depth {
			return nil
		}
	}
	return nil
}
