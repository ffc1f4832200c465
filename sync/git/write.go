package git

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/storage/memory"
)

// ErrChange says that a change cannot be made on the tip as it is.
var ErrChange = errors.New("the change cannot be made")

// maxTries is how often one Commit pushes before it gives up; measured contention of ten writers
// needed five.
const maxTries = 8

// Change is what one commit does to the tip. Where it changes no file there is nothing to do, and no
// commit is made, unless that is allowed.
type Change struct {
	Put        map[string][]byte // path to content, of regular files that are new or replaced
	Remove     []string          // paths of files that must be there
	AllowEmpty bool              // the message alone is worth a commit
	Message    string            // subject, empty line, body, trailers; a final line end is added when missing
	Author     Person            // When is not used
	Committer  Person            // When is not used
	When       time.Time         // of both, to the second
	Sign       *Signer           // nil: unsigned
}

// Commit adds one commit to the branch and returns its hash, or "" when there was nothing to do.
// build is called with the tip that the commit will stand on, and may read it (Entries, Blob,
// Commits), but not call Fetch or Commit. The push is a compare-and-swap, never forced: when
// somebody else moved the branch, or the push failed in any other way, the branch is fetched and
// build is asked again, with growing pauses, at most eight times and as long as ctx allows. build
// may then find that nothing is left to do. A push whose answer was lost is recognised by its
// commit being on the branch. One that the server does not want, though nobody moved the branch, is
// ErrRefused; it is sent once. An error of build, a change that cannot be made (ErrChange),
// ErrNonFastForward and ErrLimit end it at once.
func (r *Repository) Commit(ctx context.Context, build func(tip string) (Change, error)) (string,
	error) {
	ctx, end, err := r.begin(ctx)
	if err != nil {
		return "", err
	}
	defer end()
	var sent []plumbing.Hash // commits that may have arrived
	var last error
	for try := range maxTries {
		if err := r.pause(ctx, try); err != nil {
			return "", errors.Join(err, last)
		}
		c, err := r.remote.open(ctx)
		if err != nil {
			return "", err
		}
		if try > 0 || r.tip.IsZero() {
			old := r.tip
			if err := r.fetch(ctx, c); errors.Is(err, ErrNonFastForward) || errors.Is(err,
				ErrLimit) {
				return "", err
			} else if err != nil {
				last = err
				continue
			}
			if old == r.tip && final(last) {
				return "", fmt.Errorf("%w: %w", ErrRefused, last)
			}
			line, _, err := r.view().between(old, r.tip, MaxDepth)
			if err != nil {
				return "", err
			}
			for _, h := range line {
				if slices.Contains(sent, h) {
					return h.String(), nil
				}
			}
		}
		change, err := build(r.tip.String())
		if err != nil {
			return "", err
		}
		// the folders on the way must be in memory, but nothing beside them
		paths := slices.AppendSeq(slices.Clone(change.Remove), maps.Keys(change.Put))
		if _, err := r.Find(ctx, r.tip.String(), paths...); err != nil {
			return "", err
		}
		s, commit, err := r.stage(change)
		if err != nil {
			return "", fmt.Errorf("%w: %w", ErrChange, err)
		}
		if commit.IsZero() {
			return "", nil
		}
		var pack bytes.Buffer
		if _, err := packfile.NewEncoder(&pack, s.Storage,
			false).Encode(slices.Collect(maps.Keys(s.Objects)), 0); err != nil {
			return "", fmt.Errorf("packing commit %s: %w", commit, err)
		}
		sent = append(sent, commit)
		if last = c.push(ctx, r.branch, r.tip, commit, pack.Bytes()); last == nil {
			return commit.String(), r.adopt(s, commit)
		}
	}
	return "", fmt.Errorf("giving up after %d tries: %w", maxTries, last)
}

// final tells whether a push that failed although nobody else moved the branch will fail again.
// What git says of another push that is under way is none of that.
func final(err error) bool {
	if errors.Is(err, errForbidden) {
		return true
	}
	underWay := func(words string) bool { return strings.Contains(err.Error(), words) }
	return errors.Is(err, errRefused) &&
		!slices.ContainsFunc([]string{"fetch first", "failed to update ref", "cannot lock ref"},
			underWay)
}

// adopt makes the agent's own commit the tip.
func (r *Repository) adopt(s *objects, commit plumbing.Hash) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.keep(s, commit, true); err != nil {
		return fmt.Errorf("keeping commit %s: %w", commit, err)
	}
	r.tip = commit
	return nil
}

// pause waits before a try: not at all before the first, then about 50 ms, doubling to 2 s, with
// half of it random so that agents that collided do not collide again.
func (r *Repository) pause(ctx context.Context, try int) error {
	if try > 0 {
		d := min(50*time.Millisecond<<(try-1), 2*time.Second)
		timer := time.NewTimer(d/2 + r.random(d/2))
		defer timer.Stop()
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
	}
	return ctx.Err()
}

// stage makes the objects of a change on the tip. A zero hash means that it changes nothing.
func (r *Repository) stage(change Change) (*objects, plumbing.Hash, error) {
	none := plumbing.ZeroHash
	edits := map[string][]byte{} // nil: remove
	for path, content := range change.Put {
		if err := checkPath(path); err != nil {
			return nil, none, err
		}
		edits[path] = append([]byte{}, content...)
	}
	for _, path := range change.Remove {
		if err := checkPath(path); err != nil {
			return nil, none, err
		}
		if _, both := edits[path]; both {
			return nil, none, fmt.Errorf("%s is both put and removed, or removed twice", path)
		}
		edits[path] = nil
	}
	if len(edits) == 0 && !change.AllowEmpty {
		return nil, none, nil
	}
	s := &objects{Storage: memory.NewStorage(), below: r.store}
	tip, err := s.commit(r.tip)
	if err != nil {
		return nil, none, err
	}
	tree := plumbing.NewHash(tip.Tree)
	if len(edits) > 0 {
		if tree, err = s.edit("", tree, edits); err != nil {
			return nil, none, err
		}
	}
	if tree.IsZero() { // the last file is gone; only the root may be empty
		tree = s.add(plumbing.TreeObject, nil)
	}
	if tree.String() == tip.Tree && !change.AllowEmpty {
		return nil, none, nil
	}
	raw, err := encodeCommit(tree, r.tip, change)
	if err != nil {
		return nil, none, err
	}
	return s, s.add(plumbing.CommitObject, raw), nil
}

// checkPath refuses paths that some filesystem or git itself would not take.
func checkPath(path string) error {
	if !fs.ValidPath(path) || path == "." {
		return fmt.Errorf("path %q is not a file's path from the root", clean(path))
	}
	for name := range strings.SplitSeq(path, "/") {
		if fault := (treeEntry{mode: "100644", name: name}).fault(); fault != "" {
			return fmt.Errorf("path %q has %s", clean(path), fault)
		}
	}
	return nil
}

// edit writes the tree of a folder again with the edits below it, and returns zero when nothing is
// left in it: git has no empty folders. Everything else in the tree stays byte for byte as it is,
// and of that nothing but the names is read.
func (s *objects) edit(folder string, tree plumbing.Hash, edits map[string][]byte) (plumbing.Hash,
	error) {
	below := map[string]map[string][]byte{} // name to edits inside it; the path "" is the name itself
	for path, content := range edits {
		name, rest, _ := strings.Cut(path, "/")
		if below[name] == nil {
			below[name] = map[string][]byte{}
		}
		below[name][rest] = content
	}
	raw := ""
	olds := map[string]treeEntry{}
	if !tree.IsZero() {
		b, err := s.bytes(plumbing.TreeObject, tree)
		if err != nil {
			return tree, err
		}
		raw = string(b)
		err = eachEntry(raw, func(e treeEntry) {
			if below[e.name] == nil {
				return
			}
			if _, twice := olds[e.name]; twice {
				e.mode = "" // stands for none
			}
			olds[e.name] = e
		})
		if err != nil {
			return tree, fmt.Errorf("tree %s: %w", tree, err)
		}
	}
	var news []treeEntry
	for _, name := range slices.Sorted(maps.Keys(below)) {
		old, there := olds[name]
		if there && old.mode == "" {
			return tree, fmt.Errorf("%s%s stands twice in its folder", folder, name)
		}
		old.name = name
		new, err := s.replace(folder+name, old, below[name])
		if err != nil {
			return tree, err
		}
		if !new.hash.IsZero() {
			news = append(news, new)
		}
	}
	slices.SortFunc(news, func(a, b treeEntry) int {
		return cmp.Compare(a.sortName(), b.sortName())
	})
	var out bytes.Buffer
	out.Grow(len(raw) + 64*len(news))
	for raw != "" {
		e, rest, err := cutEntry(raw)
		if err != nil {
			return tree, err
		}
		for len(news) > 0 && news[0].sortName() < e.sortName() {
			out.Write(encodeTree(news[:1]))
			news = news[1:]
		}
		if _, edited := olds[e.name]; !edited {
			out.WriteString(raw[:len(raw)-len(rest)])
		}
		raw = rest
	}
	out.Write(encodeTree(news))
	if out.Len() == 0 {
		return plumbing.ZeroHash, nil
	}
	return s.add(plumbing.TreeObject, out.Bytes()), nil
}

// replace makes the new entry of one name; with a zero hash the name goes.
func (s *objects) replace(path string, old treeEntry, edits map[string][]byte) (treeEntry, error) {
	content, itself := edits[""]
	switch {
	case itself && len(edits) > 1:
		return old, fmt.Errorf("%s would be both a file and a folder", path)
	case !itself && old.mode != "" && !old.isDir():
		return old, fmt.Errorf("%s is not a folder", path)
	case !itself:
		hash, err := s.edit(path+"/", old.hash, edits)
		if old.mode == "" {
			old.mode = "40000"
		}
		old.hash = hash
		return old, err
	case old.mode == "" && content == nil:
		return old, fmt.Errorf("removing %s: %w", path, fs.ErrNotExist)
	case old.mode != "" && old.mode != "100644":
		return old, fmt.Errorf("%s is not a regular file", path)
	case content == nil:
		old.hash = plumbing.ZeroHash
		return old, nil
	}
	hash := s.add(plumbing.BlobObject, content)
	return treeEntry{mode: "100644", name: old.name, hash: hash}, nil
}

// add makes an object; one that is there already is not sent again.
func (s *objects) add(t plumbing.ObjectType, content []byte) plumbing.Hash {
	o := &plumbing.MemoryObject{}
	o.SetType(t)
	_, _ = o.Write(content) // memory takes all
	if s.below.HasEncodedObject(o.Hash()) != nil {
		hold(s.Storage, o)
	}
	return o.Hash()
}

func encodeCommit(tree, parent plumbing.Hash, change Change) ([]byte, error) {
	for _, p := range []Person{change.Author, change.Committer} {
		for _, s := range []string{p.Name, p.Email} {
			if s == "" || strings.ContainsAny(s, "<>") || strings.ContainsFunc(s, isControl) {
				return nil, fmt.Errorf("%q cannot stand for a commit's author or committer",
					clean(s))
			}
		}
	}
	if change.Message == "" || strings.ContainsRune(change.Message, 0) ||
		!utf8.ValidString(change.Message) {
		return nil, errors.New("a commit needs a message in UTF-8 without NUL")
	}
	if change.When.IsZero() {
		return nil, errors.New("a commit needs a time")
	}
	var head bytes.Buffer
	fmt.Fprintf(&head, "tree %s\nparent %s\n", tree, parent)
	fmt.Fprintf(&head, "author %s <%s> %d +0000\n", change.Author.Name, change.Author.Email,
		change.When.Unix())
	fmt.Fprintf(&head, "committer %s <%s> %d +0000\n", change.Committer.Name,
		change.Committer.Email,
		change.When.Unix())
	body := "\n" + strings.TrimSuffix(change.Message, "\n") + "\n"
	if change.Sign != nil {
		signature, err := change.Sign.signCommit([]byte(head.String() + body))
		if err != nil {
			return nil, err
		}
		head.WriteString("gpgsig " + strings.ReplaceAll(strings.TrimSuffix(signature, "\n"), "\n",
			"\n ") + "\n")
	}
	return []byte(head.String() + body), nil
}
