package git

import (
	"fmt"
	"iter"
	gosync "sync"

	gogit "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/storage/memory"
)

// Checkout is a clone on disk. Its git objects are read, never the worktree, so that names and
// links in the repository reach no filesystem. Commits and blobs are named by their full hash in
// hex. Methods may be called from several goroutines.
type Checkout struct {
	local   *gogit.Repository
	objects *objects
}

// inTurn reads one object at a time: go-git's storage on disk notes where it found what.
type inTurn struct {
	storer.EncodedObjectStorer
	mu gosync.Mutex
}

// EncodedObject reads an object.
func (t *inTurn) EncodedObject(kind plumbing.ObjectType, h plumbing.Hash) (plumbing.EncodedObject,
	error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.EncodedObjectStorer.EncodedObject(kind, h)
}

// OpenCheckout opens the clone in dir, which may also be one of git's linked worktrees.
func OpenCheckout(dir string) (*Checkout, error) {
	local, err := gogit.PlainOpenWithOptions(dir,
		&gogit.PlainOpenOptions{EnableDotGitCommonDir: true})
	if err != nil {
		return nil, fmt.Errorf("open the git checkout %s: %w", dir, err)
	}
	return &Checkout{local: local,
		objects: &objects{Storage: memory.NewStorage(), below: &inTurn{EncodedObjectStorer: local.Storer}}}, nil
}

// Head is the commit at HEAD.
func (c *Checkout) Head() (string, error) {
	head, err := c.local.Head()
	if err != nil {
		return "", err
	}
	return head.Hash().String(), nil
}

// Resolve gives the commit that a revision names: a branch, a tag, a hash or HEAD.
func (c *Checkout) Resolve(revision string) (string, error) {
	at, err := c.local.ResolveRevision(plumbing.Revision(revision))
	if err != nil {
		return "", err
	}
	return at.String(), nil
}

// Commit reads one commit, without its Changes.
func (c *Checkout) Commit(hash string) (Commit, error) {
	return c.objects.commit(plumbing.NewHash(hash))
}

// Blob gives a file's content by its hash, however large.
func (c *Checkout) Blob(hash string) ([]byte, error) {
	return c.objects.bytes(plumbing.BlobObject, plumbing.NewHash(hash))
}

// FirstParents are the commits of the first-parent line that ends at tip, newest first, down to the
// one without parents. An error is the last thing it gives, with a Commit that has nothing but the
// Hash.
func (c *Checkout) FirstParents(tip string) iter.Seq2[Commit, error] {
	return c.objects.firstParents(plumbing.NewHash(tip))
}

// Compare fills in what a commit changed against another one.
func (c *Checkout) Compare(commit *Commit, before Commit) error {
	return c.objects.compare(commit, before)
}

// Changes lists what differs between two commits below the paths, none meaning everywhere. Against
// the zero Commit that is all there is.
func (c *Checkout) Changes(before, after Commit, paths ...string) ([]PathChange, error) {
	d := differ{objects: c.objects, paths: paths}
	err := d.compare("", plumbing.NewHash(before.Tree), plumbing.NewHash(after.Tree), 0)
	return d.found, err
}

// Find gives a commit's entry at path; the zero Entry when there is none.
func (c *Checkout) Find(commit Commit, path string) (Entry, error) {
	return c.objects.find(commit, path)
}
