package github

import (
	"context"
	"crypto/sha1" //nolint:gosec // git's object names
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/pullgrant/pullgrant/requests"
)

// objects remembers git objects by name: a name stands for the same content for ever, and an agent
// asks for the same policies again and again. When full it starts again empty. The zero value is
// ready.
type objects struct {
	mu     sync.Mutex
	values map[string]any
	size   int
	coming map[string]*try // of objects that somebody reads just now
}

// try is one reading of an object.
type try struct {
	over chan struct{} // closed at its end
	err  error         // why there is no object; nil also when who read it gave up before
}

const maxObjects = 64 << 20 // bytes, roughly

// remembered returns the object of a name, from memory or else through load, which also says how
// many bytes it takes. Several who want an object at once wait for the first of them, and share also its
// error: asked again by each, GitHub would be asked most when it answers least.
func remembered[T any](ctx context.Context, o *objects, name string,
	load func() (T, int, error)) (T, error) {
	for {
		o.mu.Lock()
		value, ok := o.values[name].(T)
		coming, wait := o.coming[name]
		if !ok && !wait {
			if o.coming == nil {
				o.coming = map[string]*try{}
			}
			coming = &try{over: make(chan struct{})}
			o.coming[name] = coming
		}
		o.mu.Unlock()
		switch {
		case ok:
			return value, nil
		case !wait:
			return loaded(ctx, o, name, coming, load)
		}
		select {
		case <-coming.over:
			if coming.err != nil {
				return value, coming.err
			}
		case <-ctx.Done(): // load says what for, as it does to who reads: it fails at once
			value, _, err := load()
			return value, err
		}
	}
}

func loaded[T any](ctx context.Context, o *objects, name string, coming *try,
	load func() (T, int, error)) (T, error) {
	value, size, err := load()
	o.mu.Lock()
	defer o.mu.Unlock()
	defer close(coming.over)
	delete(o.coming, name)
	switch {
	case err == nil:
		o.keep(name, value, size)
	case ctx.Err() == nil:
		coming.err = err
	}
	return value, err
}

// put remembers an object that came otherwise.
func (o *objects) put(name string, value any, size int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.keep(name, value, size)
}

func (o *objects) keep(name string, value any, size int) {
	if o.values == nil || o.size+size > maxObjects {
		o.values, o.size = map[string]any{}, 0
	}
	o.values[name], o.size = value, o.size+size
}

// has tells whether a name is remembered.
func (o *objects) has(name string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, known := o.values[name]
	return known
}

// commit is a git commit: its tree, its parents and when it claims to be made.
type commit struct {
	tree      string
	parents   []string
	committed requests.Time
}

// entry is one entry of a git tree.
type entry struct {
	mode, kind, name string // kind: blob, tree or commit (a submodule); name: of the object
	size             int    // of a blob, in bytes; unsized when nobody told
}

const unsized = -1

var namePattern = regexp.MustCompile(`^[0-9a-f]{40}$`)

func isName(s string) bool { return namePattern.MatchString(s) }

func (c *Client) commit(ctx context.Context, name string) (commit, error) {
	return remembered(ctx, &c.objects, name, func() (commit, int, error) {
		if !isName(name) {
			return commit{}, 0, c.incomplete("a commit's name")
		}
		if held, ok := c.heldCommit(name); ok {
			return held, 100, nil
		}
		found, _, err := c.api.Git.GetCommit(ctx, c.owner, c.repo, name)
		if err != nil {
			return commit{}, 0, c.explain(err, "Contents: read", "read the commit %s", name)
		}
		result := commit{tree: found.GetTree().GetSHA(),
			committed: requests.At(found.GetCommitter().GetDate().Time)}
		for _, parent := range found.Parents {
			result.parents = append(result.parents, parent.GetSHA())
		}
		if found.GetSHA() != name || !isName(result.tree) || found.Parents == nil || // the first says []
			slices.ContainsFunc(result.parents, func(parent string) bool { return !isName(parent) }) {
			return commit{}, 0, c.incomplete("the commit %s", name)
		}
		return result, 100, nil
	})
}

// folder reads one git tree, not those below it: a recursive answer can be cut (R5).
func (c *Client) folder(ctx context.Context, name string) (map[string]entry, error) {
	return remembered(ctx, &c.objects, name, func() (map[string]entry, int, error) {
		if held, ok := c.heldFolder(name); ok {
			return held, 100 * len(held), nil
		}
		return c.readFolder(ctx, name)
	})
}

// sized is a folder with the sizes of all its files.
func (c *Client) sized(ctx context.Context, name string) (map[string]entry, error) {
	return remembered(ctx, &c.objects, "sized "+name, func() (map[string]entry, int, error) {
		return c.readFolder(ctx, name)
	})
}

func (c *Client) readFolder(ctx context.Context, name string) (map[string]entry, int, error) {
	tree, _, err := c.api.Git.GetTree(ctx, c.owner, c.repo, name, false)
	if err != nil {
		return nil, 0, c.explain(err, "Contents: read", "read the git tree %s", name)
	}
	if tree.GetSHA() != name || tree.Truncated == nil || tree.Entries == nil {
		return nil, 0, c.incomplete("the git tree %s", name)
	}
	if tree.GetTruncated() {
		return nil, 0, fmt.Errorf("read the git tree %s: GitHub cut it short; remove files "+
			"from the folder", name)
	}
	folder, size := map[string]entry{}, 0
	for _, e := range tree.Entries {
		path := e.GetPath()
		if slices.Contains([]string{"", ".", ".."}, path) || strings.Contains(path, "/") ||
			e.GetMode() == "" || !isName(e.GetSHA()) || e.GetType() != kindOf(e.GetMode()) ||
			e.GetType() == "blob" && e.Size == nil {
			return nil, 0, c.incomplete("the git tree %s", name)
		}
		if _, twice := folder[path]; twice {
			return nil, 0, fmt.Errorf("read the git tree %s: the entry %q stands in it "+
				"twice, so two readers can see two files; rewrite the folder", name, path)
		}
		folder[path] = entry{mode: e.GetMode(), kind: e.GetType(), name: e.GetSHA(),
			size: e.GetSize()}
		size += len(path) + 100
	}
	return folder, size, nil
}

// blob reads a file's content and checks it against its name.
func (c *Client) blob(ctx context.Context, name string) ([]byte, error) {
	return remembered(ctx, &c.objects, name, func() ([]byte, int, error) {
		if held, ok := c.heldBlob(name); ok {
			return held, len(held) + 100, nil
		}
		found, _, err := c.api.Git.GetBlob(ctx, c.owner, c.repo, name)
		if err != nil {
			return nil, 0, c.explain(err, "Contents: read", "read the git blob %s", name)
		}
		if found.GetEncoding() != "base64" || found.Content == nil {
			return nil, 0, c.incomplete("the git blob %s", name)
		}
		data, err := base64.StdEncoding.DecodeString(strings.NewReplacer("\n", "", "\r",
			"").Replace(found.GetContent()))
		if err != nil {
			return nil, 0, fmt.Errorf("read the git blob %s: %w", name, err)
		}
		if blobName(data) != name {
			return nil, 0, fmt.Errorf("read the git blob %s: the content that came does not "+
				"have this name; try again", name)
		}
		return data, len(data) + 100, nil
	})
}

// blobName is the name git gives to a file's content.
func blobName(data []byte) string { return objectName("blob", data) }

// objectName is the name git gives to an object of a kind.
func objectName(kind string, content []byte) string {
	whole := append(fmt.Appendf(nil, "%s %d\x00", kind, len(content)), content...)
	sum := sha1.Sum(whole) //nolint:gosec // git's object names
	return hex.EncodeToString(sum[:])
}

// tip is the commit a branch points to now.
func (c *Client) tip(ctx context.Context, branch string) (string, error) {
	return once(ctx, tipOf(branch), func() (string, error) { return c.readRef(ctx, branch) })
}

func (c *Client) readRef(ctx context.Context, branch string) (string, error) {
	ref, _, err := c.api.Git.GetRef(ctx, c.owner, c.repo, "refs/heads/"+branch)
	if err != nil {
		return "", c.explain(err, "Contents: read", "find the tip of the branch %s", branch)
	}
	if ref.GetRef() != "refs/heads/"+branch || !isName(ref.GetObject().GetSHA()) {
		return "", c.incomplete("the tip of the branch %s", branch)
	}
	return ref.GetObject().GetSHA(), nil
}
