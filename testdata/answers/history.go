package answers

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"maps"
	"sort"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/testdata/cases"
)

// history writes what a scenario tells of commits and files as git objects. Git chooses their
// names, so the scenario is told again with those.
type history struct {
	store storer.EncodedObjectStorer
	names map[string]string // git's for the scenario's
	blobs map[string]node   // by the scenario's name
	err   error             // the first one
}

// node is one entry of a tree.
type node struct {
	mode filemode.FileMode
	hash plumbing.Hash
}

// write writes the scenario's commits and returns it with git's names, and the commit that brought
// its file or its changes to the branch, if one did. The line of the branch is then: first parent,
// that commit, tip. What happened to other files since the merge is in the tip.
func (h *history) write(c cases.Scenario) (cases.Scenario, plumbing.Hash, error) {
	f := &c.Facts
	base, head, first := f.Base, f.Head, f.Base
	if f.Merge != nil {
		first = f.Merge.FirstParent
	}
	// The head first: what other blobs are compared with is its.
	headFiles, baseFiles, firstFiles := h.files(&head), h.files(&base), h.files(&first)
	_, own, _ := policies.KindOf(f.Files)
	for _, path := range f.UsedNames {
		baseFiles[path] = h.blob("used")
		if path != own { // what came after the merge does not have the name
			firstFiles[path] = h.blob("used")
		}
	}
	for path, content := range owedFiles(f.Owed) {
		baseFiles[path] = h.blob(content)
		firstFiles[path] = h.blob(content)
	}
	var brought plumbing.Hash
	var line []plumbing.Hash // the parent of the tip, if any
	if f.Merge != nil || c.Merged || c.Trust {
		var parents []plumbing.Hash
		if first.Commit != "" {
			parents = append(parents, h.commit(first.Commit, firstFiles))
		}
		brought = h.commit(c.Commit, h.merged(c, firstFiles), parents...)
		line = append(line, brought)
	}
	if c.Merged {
		baseFiles[c.Path] = h.named(c.Blob)
	}
	tip := h.commit(base.Commit, baseFiles, line...)
	h.commit(head.Commit, change(baseFiles, f.Files, headFiles), tip)

	if f.Base, f.Head = base, head; c.Trust {
		c.Tree = first
	}
	h.rename(&c, first)
	return c, brought, h.err
}

// merged is what the merge made of its first parent's files.
func (h *history) merged(c cases.Scenario, first map[string]node) map[string]node {
	after := maps.Clone(first)
	for path, blob := range c.Diff {
		if delete(after, path); blob != "" {
			put(after, path, h.named(blob))
		}
	}
	blob := c.Blob
	if c.Facts.Merge != nil {
		blob = c.Facts.Merge.Blob
	}
	if !c.Trust && blob != "" {
		put(after, c.Path, h.named(blob))
	}
	return after
}

// rename puts git's names in the place of the scenario's.
func (h *history) rename(c *cases.Scenario, first policies.Tree) {
	f := &c.Facts
	for _, name := range []*string{&c.Commit, &c.Tree.Commit, &f.PullRequest.HeadSHA,
		&f.PullRequest.MergeCommitSHA, &f.Base.Commit, &f.Head.Commit} {
		*name = h.name(*name)
	}
	for i := range f.Commits {
		f.Commits[i].SHA = h.name(f.Commits[i].SHA)
	}
	for i := range f.Pushes {
		f.Pushes[i].After = h.name(f.Pushes[i].After)
	}
	for i := range f.Reviews {
		f.Reviews[i].CommitID = h.name(f.Reviews[i].CommitID)
	}
	c.Blob = h.name(c.Blob)
	for path, blob := range c.Diff {
		c.Diff[path] = h.name(blob)
	}
	if f.Merge != nil {
		merge := *f.Merge
		merge.Commit, merge.Blob, merge.FirstParent = h.name(merge.Commit),
			h.name(merge.Blob), first
		merge.FirstParent.Commit = h.name(first.Commit)
		f.Merge = &merge
	}
}

// name is git's name for one of the scenario's; of an object that was not written, one that no
// other object has.
func (h *history) name(scenarios string) string {
	if scenarios == "" {
		return ""
	}
	if h.names[scenarios] == "" {
		sum := sha1.Sum([]byte("nothing but a name: " + scenarios))
		h.names[scenarios] = hex.EncodeToString(sum[:])
	}
	return h.names[scenarios]
}

// files writes the files of a tree, whose blobs get git's names.
func (h *history) files(tree *policies.Tree) map[string]node {
	nodes, named := map[string]node{}, map[string]policies.TreeFile{}
	for path, file := range tree.Files {
		if file.Blob == "" {
			h.fail(fmt.Errorf("%s has no blob", path))
		}
		n := h.file(file)
		if _, known := h.blobs[file.Blob]; !known {
			h.blobs[file.Blob], h.names[file.Blob] = n, n.hash.String()
		}
		file.Blob = n.hash.String()
		nodes[path], named[path] = n, file
	}
	tree.Files = named
	return nodes
}

// file writes one file. Facts hold no content of what is no plain text.
func (h *history) file(file policies.TreeFile) node {
	mode, err := filemode.New(file.Mode)
	h.fail(err)
	content := file.Content
	switch {
	case mode == filemode.Submodule:
		return node{mode, plumbing.NewHash(h.name("a commit elsewhere"))}
	case mode != filemode.Regular:
		content = "elsewhere"
	case file.Unreadable == "not UTF-8":
		content = "\xff"
	case file.Unreadable != "":
		h.fail(fmt.Errorf("no file is known to be %q", file.Unreadable))
	}
	return node{mode, h.blob(content).hash}
}

// named is the file of that name, or one that nothing is known of.
func (h *history) named(blob string) node {
	if _, known := h.blobs[blob]; !known {
		h.blobs[blob] = h.blob("the content of " + blob)
		h.names[blob] = h.blobs[blob].hash.String()
	}
	return h.blobs[blob]
}

func (h *history) blob(content string) node {
	o := h.store.NewEncodedObject()
	o.SetType(plumbing.BlobObject)
	w, err := o.Writer()
	h.fail(err)
	_, err = w.Write([]byte(content))
	h.fail(err)
	h.fail(w.Close())
	return node{filemode.Regular, h.save(o)}
}

// change is what a pull request makes of the files of its base.
func change(base map[string]node, files []policies.File, head map[string]node) map[string]node {
	after := maps.Clone(base)
	for _, f := range files {
		if delete(after, f.Path); f.Status == "renamed" {
			delete(after, f.PreviousPath)
		}
	}
	for _, f := range files {
		if added, ok := head[f.Path]; ok && f.Status != "removed" {
			put(after, f.Path, added)
		}
	}
	return after
}

// put adds a file, which may stand where a folder was.
func put(files map[string]node, path string, n node) {
	maps.DeleteFunc(files, func(other string, _ node) bool {
		return strings.HasPrefix(other,
			path+"/")
	})
	files[path] = n
}

// commit writes a commit; an empty name is that of none.
func (h *history) commit(name string, files map[string]node,
	parents ...plumbing.Hash) plumbing.Hash {
	who := object.Signature{Name: "alice", Email: "alice@example.com", When: time.Date(2026, 11, 23,
		8, 0, 0, 0, time.UTC)}
	hash := h.encode(&object.Commit{Author: who, Committer: who, Message: name,
		TreeHash: h.tree(files), ParentHashes: parents})
	if name != "" {
		h.names[name] = hash.String()
	}
	return hash
}

// tree writes the folder of these files.
func (h *history) tree(files map[string]node) plumbing.Hash {
	folders := map[string]map[string]node{}
	tree := object.Tree{}
	for path, n := range files {
		folder, rest, below := strings.Cut(path, "/")
		if !below {
			tree.Entries = append(tree.Entries, object.TreeEntry{Name: path, Mode: n.mode,
				Hash: n.hash})
			continue
		}
		if folders[folder] == nil {
			folders[folder] = map[string]node{}
		}
		folders[folder][rest] = n
	}
	for folder, below := range folders {
		tree.Entries = append(tree.Entries, object.TreeEntry{Name: folder, Mode: filemode.Dir,
			Hash: h.tree(below)})
	}
	sort.Sort(object.TreeEntrySorter(tree.Entries))
	return h.encode(&tree)
}

func (h *history) encode(o interface {
	Encode(plumbing.EncodedObject) error
}) plumbing.Hash {
	encoded := h.store.NewEncodedObject()
	h.fail(o.Encode(encoded))
	return h.save(encoded)
}

func (h *history) save(o plumbing.EncodedObject) plumbing.Hash {
	hash, err := h.store.SetEncodedObject(o)
	h.fail(err)
	return hash
}

func (h *history) fail(err error) {
	if h.err == nil && err != nil {
		h.err = err
	}
}
