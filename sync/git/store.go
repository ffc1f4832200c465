package git

import (
	gosync "sync"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/storage/memory"
)

// store is the git objects in memory. Whoever fetches or commits reads it at any time, while others
// keep what they had to fetch of the tip; so it has a lock of its own, held for one object.
type store struct {
	mu      gosync.RWMutex
	objects *memory.Storage
}

func newStore() *store { return &store{objects: memory.NewStorage()} }

// EncodedObject is an object by its kind and name.
func (s *store) EncodedObject(t plumbing.ObjectType, h plumbing.Hash) (plumbing.EncodedObject,
	error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.objects.EncodedObject(t, h)
}

// SetEncodedObject adds an object.
func (s *store) SetEncodedObject(o plumbing.EncodedObject) (plumbing.Hash, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.objects.SetEncodedObject(o)
}

// HasEncodedObject is nil when there is an object of that name.
func (s *store) HasEncodedObject(h plumbing.Hash) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.objects.HasEncodedObject(h)
}

// drop removes a tree.
func (s *store) drop(tree plumbing.Hash) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects.Objects, tree)
	delete(s.objects.Trees, tree)
}

// count is how many objects there are.
func (s *store) count() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.objects.Objects)
}
