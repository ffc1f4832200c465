package git

import "github.com/go-git/go-git/v5/plumbing"

// HeldCommit is a commit that is in memory, without its Changes.
func (r *Repository) HeldCommit(name string) (Commit, bool) {
	c, err := r.commit(r.over(), plumbing.NewHash(name))
	return c, err == nil
}

// HeldFolder lists a tree that is in memory, not those below it, by the names of its entries. One
// with an entry at fault is not given.
func (r *Repository) HeldFolder(name string) (map[string]Entry, bool) {
	r.mu.RLock()
	entries, err := r.view().tree(plumbing.NewHash(name))
	r.mu.RUnlock()
	folder := map[string]Entry{}
	for _, e := range entries {
		folder[e.name] = e.listed(e.name, e.fault())
		if folder[e.name].Fault != "" {
			return nil, false
		}
	}
	return folder, err == nil && len(folder) == len(entries)
}

// HeldBlob is the content of a file that is in memory.
func (r *Repository) HeldBlob(name string) ([]byte, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	data, err := r.view().bytes(plumbing.BlobObject, plumbing.NewHash(name))
	return data, err == nil
}
