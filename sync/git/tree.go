package git

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/storage/memory"
)

const (
	maxTreeEntries = 400_000 // entries listed or compared at once; a few small trees can stand for billions
	maxTreeDepth   = 64
)

// IsHash tells whether text is the full hash of a commit or blob in hex.
func IsHash(text string) bool { return plumbing.IsHash(text) }

// Entry is one file of a commit's tree, or what stands where a file should.
type Entry struct {
	Path string // from the root, with slashes; as stored, so it may hold any byte when Fault is set
	Mode string // six octal digits as git ls-tree prints them: 100644 for a regular file
	Hash string // of the blob
	// Fault says why this must not be read as a file, empty for a plain regular file: a symbolic
	// link, submodule or executable, a name that stands twice in its folder, a name that no file
	// can have. A folder at fault is listed itself, without what is in it.
	Fault string
}

// Faults that are no entry's own.
const (
	faultTwice  = "a name that stands twice in its folder"
	faultFolder = "a folder" // where a file is looked for
)

// IsFolder tells of what Find gave that it is a plain folder.
func (e Entry) IsFolder() bool { return e.Fault == faultFolder }

// treeEntry is one line of a tree object. Its mode stays as stored, so that a tree that is written
// again with one change differs in nothing else.
type treeEntry struct {
	mode string
	name string
	hash plumbing.Hash
}

func (e treeEntry) kind() uint64 {
	switch e.mode { // nearly all are one of these
	case "100644":
		return 0o100000
	case "40000":
		return 0o040000
	}
	m, err := strconv.ParseUint(e.mode, 8, 32)
	if err != nil {
		return 0
	}
	return m & 0o170000
}

func (e treeEntry) isDir() bool  { return e.kind() == 0o040000 }
func (e treeEntry) isBlob() bool { return e.kind() == 0o100000 || e.kind() == 0o120000 }

func (e treeEntry) listed(path, fault string) Entry {
	mode := strings.Repeat("0", 6-len(e.mode)) + e.mode // no tree is read with a longer one
	return Entry{Path: path, Mode: mode, Hash: e.hash.String(), Fault: fault}
}

// sortName is what git compares trees by: folders as if their name ended with a slash.
func (e treeEntry) sortName() string {
	if e.isDir() {
		return e.name + "/"
	}
	return e.name
}

func (e treeEntry) fault() string {
	bad := func(c rune) bool {
		return c == '/' || c == '\\' || c == utf8.RuneError ||
			!unicode.IsPrint(c)
	}
	switch {
	case e.name == "." || e.name == ".." || strings.EqualFold(e.name, ".git"):
		return "a name that no file can have"
	case strings.ContainsFunc(e.name, bad):
		return "a name with characters that are not allowed"
	case e.isDir() || e.mode == "100644":
		return ""
	case e.kind() == 0o120000:
		return "a symbolic link"
	case e.kind() == 0o160000:
		return "a submodule"
	default:
		return "not a regular file"
	}
}

// errTree marks a tree object that is none.
var errTree = errors.New("the tree object is malformed")

// cutEntry takes the first entry off a tree object: mode, space, name, NUL, 20 bytes of hash. The
// name is part of raw.
func cutEntry(raw string) (e treeEntry, rest string, err error) {
	mode, rest, ok := strings.Cut(raw, " ")
	name, rest, ok2 := strings.Cut(rest, "\x00")
	if !ok || !ok2 || len(mode) == 0 || len(mode) > 6 || len(name) == 0 || len(rest) < 20 {
		return e, "", errTree
	}
	e = treeEntry{mode: mode, name: name}
	copy(e.hash[:], rest)
	if e.kind() == 0 {
		return e, "", errors.New("the tree object has an entry without a kind")
	}
	return e, rest[20:], nil
}

// parseTree splits a tree object.
func parseTree(raw []byte) (out []treeEntry, err error) {
	err = eachEntry(string(raw), func(e treeEntry) { out = append(out, e) })
	if err != nil {
		return nil, err
	}
	return out, nil
}

func encodeTree(entries []treeEntry) []byte {
	var out bytes.Buffer
	for _, e := range entries {
		fmt.Fprintf(&out, "%s %s\x00", e.mode, e.name)
		out.Write(e.hash[:])
	}
	return out.Bytes()
}

func (s *objects) tree(h plumbing.Hash) ([]treeEntry, error) {
	raw, err := s.bytes(plumbing.TreeObject, h)
	if err != nil {
		return nil, err
	}
	entries, err := parseTree(raw)
	if err != nil {
		return nil, fmt.Errorf("tree %s: %w", h, err)
	}
	return entries, nil
}

// view is the store as objects without anything new; mu must be held.
func (r *Repository) view() *objects { return &objects{Storage: memory.NewStorage(), below: r.store} }

// Entries lists the files of a commit below the given paths (files or folders, with slashes; none:
// everything), by name within each folder. A path that is not there gives nothing. Entries with a
// Fault are listed too, and never followed. Folders that are not in memory are fetched.
func (r *Repository) Entries(ctx context.Context, commit string, paths ...string) ([]Entry, error) {
	s := r.over()
	c, err := r.commit(s, plumbing.NewHash(commit))
	if err != nil {
		return nil, fmt.Errorf("listing commit %s: %w", clean(commit), err)
	}
	found, err := r.changes(ctx, nil, s, Commit{}, c, paths...)
	if err != nil {
		return nil, fmt.Errorf("listing commit %s: %w", commit, err)
	}
	out := make([]Entry, 0, len(found))
	for _, f := range found {
		out = append(out, f.After)
	}
	return out, nil
}

// Blob gives a file's content by its hash; one above 1 MiB is ErrTooLarge. One that is not in
// memory is fetched, and not kept.
func (r *Repository) Blob(ctx context.Context, hash string) ([]byte, error) {
	h := plumbing.NewHash(hash)
	r.mu.RLock()
	o, err := r.store.EncodedObject(plumbing.BlobObject, h)
	large, byID, omits := r.large[h], r.byID(), r.mode != nil && r.mode.filter
	r.mu.RUnlock()
	s := r.over()
	switch {
	case large || err == nil && o.Size() > maxBlob:
		return nil, fmt.Errorf("blob %s: %w", hash, ErrTooLarge)
	case err == nil:
	case byID:
		c, err := r.remote.open(ctx)
		if err != nil {
			return nil, err
		}
		refused, err := r.bring(ctx, c, s, blobs(h))
		if errors.Is(err, errSaid) {
			return nil, fmt.Errorf("blob %s: %w", hash, errors.Join(ErrNotInMemory, err))
		}
		if err != nil {
			return nil, err
		}
		if len(refused) > 0 {
			return nil, fmt.Errorf("blob %s: %w", hash, ErrTooLarge)
		}
	case omits:
		return nil, fmt.Errorf("blob %s: %w, or it is %w", clean(hash), ErrTooLarge, ErrNotInMemory)
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	return s.bytes(plumbing.BlobObject, h)
}

// PathChange is one path that differs between two commits. The Entry of a side without the path is
// the zero value.
type PathChange struct {
	Path          string
	Before, After Entry
}

var errTooManyEntries = fmt.Errorf("more than %d entries", maxTreeEntries)

// differ compares two trees below some paths; against the zero hash it lists one.
type differ struct {
	*objects
	paths   []string
	found   []PathChange
	visited int
	missing map[plumbing.Hash]bool // nil: a tree that is not there is an error; else they are noted
}

// wants says whether a path is asked for: it is one of paths or below one, or a folder on the way
// to one.
func (d *differ) wants(path string, dir bool) bool { return isBelow(path, dir, d.paths) }

func isBelow(path string, dir bool, paths []string) bool {
	return len(paths) == 0 || slices.ContainsFunc(paths, func(p string) bool {
		return path == p || strings.HasPrefix(path, p+"/") || dir && strings.HasPrefix(p, path+"/")
	})
}

func (d *differ) compare(folder string, before, after plumbing.Hash, depth int) error {
	old, err := d.names(before)
	if err != nil {
		return err
	}
	new, err := d.names(after)
	if err != nil {
		return err
	}
	for len(old) > 0 || len(new) > 0 {
		order := 0
		switch {
		case len(old) == 0:
			order = 1
		case len(new) == 0:
			order = -1
		default:
			order = cmp.Compare(old[0].name, new[0].name)
		}
		var was, is []treeEntry
		if order <= 0 {
			was, old = cutName(old)
		}
		if order >= 0 {
			is, new = cutName(new)
		}
		if slices.Equal(was, is) {
			continue
		}
		if err := d.changed(folder, was, is, depth); err != nil {
			return err
		}
	}
	return nil
}

// names gives a tree's entries in the order of names.
func (d *differ) names(tree plumbing.Hash) ([]treeEntry, error) {
	if tree.IsZero() {
		return nil, nil
	}
	entries, err := d.tree(tree)
	if d.missing != nil && errors.Is(err, ErrNotInMemory) {
		d.missing[tree] = true
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if d.visited += len(entries); d.visited > maxTreeEntries {
		return nil, errTooManyEntries
	}
	byName := func(a, b treeEntry) int { return cmp.Compare(a.name, b.name) }
	if !slices.IsSortedFunc(entries, byName) { // folders may stand elsewhere
		slices.SortStableFunc(entries, byName)
	}
	return entries, nil
}

// cutName takes the first entries off that have one name; more than one is a fault of the tree.
func cutName(entries []treeEntry) (first, rest []treeEntry) {
	n := 1
	for n < len(entries) && entries[n].name == entries[0].name {
		n++
	}
	return entries[:n], entries[n:]
}

// changed records how one name of a folder differs, or goes into the folders of that name.
func (d *differ) changed(folder string, was, is []treeEntry, depth int) error {
	side := func(entries []treeEntry) (e Entry, dir plumbing.Hash) {
		if len(entries) == 0 {
			return
		}
		first := entries[0]
		fault := first.fault()
		if len(entries) > 1 {
			fault = faultTwice
		} else if depth >= maxTreeDepth {
			fault = "too deep"
		}
		if fault == "" && first.isDir() {
			return e, first.hash
		}
		return first.listed(folder+first.name, fault), plumbing.ZeroHash
	}
	before, oldDir := side(was)
	after, newDir := side(is)
	path := folder + slices.Concat(was, is)[0].name
	if (before.Path != "" || after.Path != "") && d.wants(path, before.Fault+after.Fault != "") {
		d.found = append(d.found, PathChange{Path: path, Before: before, After: after})
	}
	if (!oldDir.IsZero() || !newDir.IsZero()) && d.wants(path, true) {
		return d.compare(path+"/", oldDir, newDir, depth+1)
	}
	return nil
}
