package git

import (
	"context"
	"errors"
	"fmt"
	"iter"

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
func (s *objects) between(old, tip plumbing.Hash, depth int) (line []plumbing.Hash, whole bool,
	err error) {
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
// commit with its changes below the paths (none: all). An empty from means the branch's first
// commit; first is the one that it begins after. History that is not in memory is fetched. The
// errors are ErrNotOnLine, and ErrNotInMemory for what lies deeper than MaxDepth.
func (r *Repository) History(ctx context.Context, tip, from string, paths ...string) (first string,
	commits []Commit,
	err error) {
	if first, err = r.Reach(ctx, tip, from); err != nil {
		return "", nil, err
	}
	commits, err = r.Commits(ctx, first, tip, paths...)
	return first, commits, err
}

// Reach has the first-parent line from a commit to the tip in memory, as far as that is not there
// yet. from, first and the errors are as of History.
func (r *Repository) Reach(ctx context.Context, tip, from string) (first string, err error) {
	for depth := 64; ; depth *= 4 {
		if first, err = r.reach(tip, from); err == nil {
			return first, nil
		}
		if !errors.Is(err, ErrNotInMemory) || depth > MaxDepth {
			return "", err
		}
		if err := r.deepen(ctx, depth); err != nil {
			return "", fmt.Errorf("going back to commit %s: %w", from, err)
		}
	}
}

// Line lists the first-parent line from a commit (exclusive) to the tip, newest first, without
// Changes, and that commit itself as the last one. It reads memory alone, where Reach has it.
func (r *Repository) Line(tip, from string) (line []Commit, err error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for c, err := range r.view().firstParents(plumbing.NewHash(tip)) {
		if err != nil {
			return nil, fmt.Errorf("going back to commit %s: %w", clean(from), err)
		}
		if line = append(line, c); c.Hash == from {
			return line, nil
		}
	}
	return nil, fmt.Errorf("commit %s: %w", clean(from), ErrNotOnLine)
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

// After are the commits of the first-parent line after a commit, up to the tip. History that is not in
// memory, or was forgotten, is fetched.
func (r *Repository) After(ctx context.Context, tip, commit string) (map[string]bool, error) {
	if _, err := r.Reach(ctx, tip, commit); err != nil {
		return nil, err
	}
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

// line is the first-parent line that ends at tip as far as it is in memory, newest first, of at
// most MaxDepth commits.
func (r *Repository) line(tip string) (line []Commit, err error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for c, err := range r.view().firstParents(plumbing.NewHash(tip)) {
		switch {
		case errors.Is(err, ErrNotInMemory) && len(line) > 0 || len(line) == MaxDepth:
			return line, nil
		case err != nil:
			return nil, err
		}
		line = append(line, c)
	}
	return line, nil
}

// compare fills in what a commit changed below the paths, none meaning everything.
func (r *Repository) compare(ctx context.Context, s *objects, c *Commit, before Commit,
	paths ...string) (err error) {
	c.Changes, err = r.changes(ctx, nil, s, before, *c, paths...)
	if errors.Is(err, ErrLimit) || errors.Is(err, errTooManyEntries) {
		c.TooMany, err = true, nil
	}
	if err != nil {
		return fmt.Errorf("comparing %s with %s: %w", c.Hash, before.Hash, err)
	}
	return nil
}

// deepen takes the last commits of the branch's first-parent line into memory, as many as depth
// says.
func (r *Repository) deepen(ctx context.Context, depth int) error {
	ctx, end, err := r.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	c, err := r.remote.open(ctx)
	if err != nil {
		return err
	}
	s, err := r.download(ctx, c, r.commits(plumbing.ZeroHash, depth, r.tip), 0)
	if errors.Is(err, ErrLimit) {
		s = r.over()
		if problem := r.stepBack(ctx, c, s, depth); problem == nil {
			err = nil
		} else {
			err = errors.Join(err, problem)
		}
	}
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

// stepBack takes the commits before those in memory into s, each by itself.
func (r *Repository) stepBack(ctx context.Context, c *conn, s *objects, depth int) error {
	line, err := r.line(r.tip.String())
	if err != nil {
		return err
	}
	last := line[len(line)-1]
	if len(line) >= depth || len(last.Parents) == 0 {
		return nil
	}
	return r.step(ctx, c, s, plumbing.NewHash(last.Parents[0]), depth-len(line))
}
