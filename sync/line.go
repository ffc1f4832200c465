package sync

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-git/go-git/v5/plumbing"
)

// errNotOnLine says that a commit is not on the branch's first-parent line.
var errNotOnLine = errors.New("not on the branch's first-parent line")

// line lists the first-parent line from a commit (exclusive) to the tip, oldest first, each commit with all its changes.
// An empty from means the branch's first commit; first is the one that it begins after. History that is not in memory is
// fetched. The errors are errNotOnLine, and ErrNotInMemory for what lies deeper than is looked.
func (r *Repository) line(ctx context.Context, tip, from string) (first string, commits []Commit, err error) {
	for depth := 64; ; depth *= 4 {
		if first, err = r.reach(tip, from); err == nil {
			commits, err = r.Commits(first, tip)
			return first, commits, err
		}
		if !errors.Is(err, ErrNotInMemory) || depth > maxDepth {
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
	s := r.view()
	for at := tip; ; {
		c, err := s.commit(plumbing.NewHash(at))
		switch {
		case err != nil:
			return "", err
		case at == from || from == "" && len(c.Parents) == 0:
			return at, nil
		case len(c.Parents) == 0:
			return "", fmt.Errorf("commit %s: %w", clean(from), errNotOnLine)
		}
		at = c.Parents[0]
	}
}

// after are the commits of the first-parent line after a commit that is in memory, up to the tip.
func (r *Repository) after(tip, commit string) (map[string]bool, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	line, _, err := r.view().firstParents(plumbing.NewHash(tip), plumbing.NewHash(commit), maxDepth)
	if err == nil && line == nil && tip != commit {
		err = fmt.Errorf("going back to commit %s: %w", clean(commit), ErrNotInMemory)
	}
	all := map[string]bool{}
	for _, h := range line {
		all[h.String()] = true
	}
	return all, err
}
