package github

import "github.com/pullgrant/pullgrant/requests"

// Held are git objects that are at hand, by their names: what is among them GitHub is not asked for.
type Held interface {
	Commit(name string) (HeldCommit, bool)
	Folder(name string) (map[string]HeldEntry, bool) // by the names of the entries
	Blob(name string) ([]byte, bool)
}

// HeldCommit is a git commit.
type HeldCommit struct {
	Tree      string
	Parents   []string
	Committed requests.Time
}

// HeldEntry is an entry of a git tree: its mode in six octal digits, and the name of its object.
type HeldEntry struct{ Mode, Name string }

// Hold has the client take git objects from where they are at hand; it is called before any other.
func (c *Client) Hold(h Held) { c.held = h }

// heldCommit, heldFolder and heldBlob are objects as GitHub would give them, but for the sizes of
// files that are not at hand, which are unsized: a tree does not tell them.
func (c *Client) heldCommit(name string) (commit, bool) {
	if c.held == nil {
		return commit{}, false
	}
	found, ok := c.held.Commit(name)
	return commit{tree: found.Tree, parents: found.Parents, committed: found.Committed}, ok
}

func (c *Client) heldFolder(name string) (map[string]entry, bool) {
	if c.held == nil {
		return nil, false
	}
	found, ok := c.held.Folder(name)
	folder := map[string]entry{}
	for base, e := range found {
		one := entry{mode: e.Mode, kind: kindOf(e.Mode), name: e.Name}
		if one.kind == "blob" {
			one.size = unsized
			if data, ok := c.held.Blob(e.Name); ok {
				one.size = len(data)
			}
		}
		folder[base] = one
	}
	return folder, ok
}

func (c *Client) heldBlob(name string) ([]byte, bool) {
	if c.held == nil {
		return nil, false
	}
	return c.held.Blob(name)
}

// atHand tells whether an object need not be asked for.
func (c *Client) atHand(name string) bool {
	if c.objects.has(name) {
		return true
	}
	if _, ok := c.heldBlob(name); ok {
		return true
	}
	_, ok := c.heldFolder(name)
	return ok
}
