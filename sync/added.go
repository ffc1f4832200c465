package sync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// added finds the commit that added the file at path, which the tip has: the newest on the branch's first-parent line
// that has it while its parent has not. Its Changes are complete. The search does not go beyond the first commit dated
// before since, unless that is zero: that one is returned, as if it had added the file and nothing else. History that is
// not in memory is fetched, so this may take a while; nothing else of the repository changes.
func (r *Repository) added(ctx context.Context, tip, path string, since time.Time) (Commit, error) {
	for depth := 64; ; depth *= 4 {
		c, err := r.addedHere(tip, path, since)
		if !errors.Is(err, ErrNotInMemory) || depth > maxDepth {
			return c, err
		}
		if err := r.deepen(ctx, depth); err != nil {
			return Commit{}, fmt.Errorf("looking for the commit that added %s: %w", path, err)
		}
	}
}

func (r *Repository) addedHere(tip, path string, since time.Time) (Commit, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	s := r.view()
	at, err := s.commit(plumbing.NewHash(tip))
	if err != nil {
		return at, err
	}
	for range maxDepth {
		is, err := s.find(at, path)
		if err != nil {
			return at, err
		}
		at.Changes = []PathChange{{Path: path, After: is}}
		if len(at.Parents) == 0 || !at.Committer.When.IsZero() && at.Committer.When.Before(since) {
			return at, nil
		}
		before, err := s.commit(plumbing.NewHash(at.Parents[0]))
		if err != nil {
			return at, fmt.Errorf("looking for the commit that added %s: %w", path, err)
		}
		if was, err := s.find(before, path); err != nil {
			return at, err
		} else if was.Path == "" {
			return at, s.compare(&at, before)
		}
		at = before
	}
	return at, fmt.Errorf("looking for the commit that added %s: it is not among the last %d", path, maxDepth)
}

// find gives a commit's entry at path; the zero Entry when there is none.
func (s *staged) find(c Commit, path string) (Entry, error) {
	d := differ{staged: s, paths: []string{path}}
	if err := d.compare("", plumbing.ZeroHash, plumbing.NewHash(c.Tree), 0); err != nil {
		return Entry{}, fmt.Errorf("looking for %s in commit %s: %w", path, c.Hash, err)
	}
	at := slices.IndexFunc(d.found, func(f PathChange) bool { return f.Path == path })
	if at < 0 {
		return Entry{}, nil
	}
	return d.found[at].After, nil
}

// deepen takes the last commits of the branch's first-parent line into memory, as many as depth says.
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
	at := r.tip
	for range depth {
		here, err := s.commit(at)
		if errors.Is(err, ErrNotInMemory) {
			return nil // the server has no more, or sent no more
		}
		if err == nil {
			err = s.copyTo(r.store, at)
		}
		if err != nil {
			return fmt.Errorf("keeping commit %s: %w", at, err)
		}
		if len(here.Parents) == 0 {
			return nil
		}
		at = plumbing.NewHash(here.Parents[0])
	}
	return nil
}
