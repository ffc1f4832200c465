package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// Person is who a commit names as its author or committer. Both are claims: anybody can write
// anything there.
type Person struct {
	Name, Email string
	When        time.Time // UTC, to the second; zero when the commit's own cannot be read
}

// Commit is one commit of the branch's first-parent line, with what it changed against its first
// parent.
type Commit struct {
	Hash      string
	Tree      string
	Parents   []string // in order; the first is the branch before
	Author    Person
	Committer Person
	Message   string
	Raw       []byte // the object as stored, which is what signatures cover
	// Changes are the paths that differ from the first parent, in order of path within each folder.
	Changes []PathChange
	// TooMany says that more differs than can be listed, or than there is memory for, and Changes
	// is cut: nothing may be concluded from it but refusal.
	TooMany bool
}

// Commits lists the first-parent line from old (exclusive) to new, oldest first (rule R44), each
// with the changes below the given paths (none: every path). Both commits must be in memory:
// between the commit of Resume, or the first tip, and the tip; else the error is ErrNotInMemory.
// Their trees are fetched where they are not. One that has TooMany is passed over: the next one has
// the changes since the one before it.
func (r *Repository) Commits(ctx context.Context, old, new string, paths ...string) ([]Commit,
	error) {
	from, to := plumbing.NewHash(old), plumbing.NewHash(new)
	r.mu.RLock()
	line, _, err := r.view().between(from, to, MaxDepth)
	r.mu.RUnlock()
	if err != nil {
		return nil, fmt.Errorf("following %s: %w", clean(new), err)
	}
	if line == nil && from != to {
		return nil, fmt.Errorf("following %s back to %s: %w", clean(new), clean(old),
			ErrNotInMemory)
	}
	before, err := r.commit(r.over(), from)
	if err != nil {
		return nil, fmt.Errorf("following %s back to %s: %w", new, clean(old), err)
	}
	slices.Reverse(line)
	out := make([]Commit, 0, len(line))
	for part := range slices.Chunk(line, atOnce) {
		s, err := r.together(ctx, wantedOf(paths), append(part, plumbing.NewHash(before.Hash)))
		if err != nil {
			return nil, err
		}
		for _, h := range part {
			c, err := r.commit(s, h)
			if err != nil {
				return nil, err
			}
			if err := r.compare(ctx, s, &c, before, paths...); err != nil {
				return nil, err
			}
			out = append(out, c)
			if !c.TooMany {
				before = c
			}
		}
	}
	return out, nil
}

// atOnce is how many commits are looked at with their trees in memory together.
const atOnce = 128

// together has the trees on the way to what is wanted of some commits. What there is no room for
// together is left out: it is fetched when it is looked at.
func (r *Repository) together(ctx context.Context, w *wanted, commits []plumbing.Hash) (*objects,
	error) {
	s := r.over()
	if w.below == nil {
		return s, nil // of everything, what two of them have alike is not needed
	}
	var roots []plumbing.Hash
	for _, h := range commits {
		c, err := r.commit(s, h)
		if err != nil {
			return nil, err
		}
		roots = append(roots, plumbing.NewHash(c.Tree))
	}
	if err := r.along(ctx, nil, s, w, roots...); errors.Is(err, ErrLimit) {
		return r.over(), nil
	} else if err != nil {
		return nil, err
	}
	return s, nil
}

// Complete gives a commit that is in memory, and its first parent too, with all its changes.
func (r *Repository) Complete(ctx context.Context, c Commit) (Commit, error) {
	s := r.over()
	before, err := r.commit(s, plumbing.NewHash(c.Parents[0]))
	if err != nil {
		return c, err
	}
	return c, r.compare(ctx, s, &c, before)
}

// compare fills in what a commit changed below the paths, none meaning everything.
func (s *objects) compare(c *Commit, before Commit, paths ...string) error {
	d := differ{objects: s, paths: paths}
	err := d.compare("", plumbing.NewHash(before.Tree), plumbing.NewHash(c.Tree), 0)
	if err != nil && !errors.Is(err, errTooManyEntries) {
		return fmt.Errorf("comparing %s with %s: %w", c.Hash, before.Hash, err)
	}
	c.Changes, c.TooMany = d.found, err != nil
	return nil
}

// commit reads one commit in memory, without its Changes.
func (s *objects) commit(h plumbing.Hash) (Commit, error) {
	raw, err := s.bytes(plumbing.CommitObject, h)
	if err != nil {
		return Commit{}, err
	}
	c, err := parseCommit(raw)
	if err != nil {
		return c, fmt.Errorf("commit %s: %w", h, err)
	}
	c.Hash = h.String()
	return c, nil
}

// parseCommit reads a commit object in the one order of headers that git writes. go-git also takes
// others, and two readers that disagree about a commit's tree or parents are what CVE-2026-45022
// and CVE-2026-44309 are about.
func parseCommit(raw []byte) (Commit, error) {
	malformed := func(what string) (Commit, error) {
		return Commit{}, fmt.Errorf("the commit object is malformed: %s", what)
	}
	head, message, ok := bytes.Cut(raw, []byte("\n\n"))
	if !ok {
		head = bytes.TrimSuffix(raw, []byte("\n"))
	}
	if bytes.IndexByte(head, 0) >= 0 {
		return malformed("NUL in a header")
	}
	c := Commit{Raw: raw, Message: strings.ToValidUTF8(string(message), "\uFFFD")}
	lines := strings.Split(string(head), "\n")
	next := func(key string) (string, bool) {
		if len(lines) == 0 {
			return "", false
		}
		value, ok := strings.CutPrefix(lines[0], key+" ")
		if ok {
			lines = lines[1:]
		}
		return value, ok
	}
	if c.Tree, ok = next("tree"); !ok || !plumbing.IsHash(c.Tree) {
		return malformed("no tree")
	}
	for {
		parent, ok := next("parent")
		if !ok {
			break
		}
		if !plumbing.IsHash(parent) {
			return malformed("a parent that is no hash")
		}
		c.Parents = append(c.Parents, parent)
	}
	author, ok := next("author")
	if !ok {
		return malformed("no author")
	}
	committer, ok := next("committer")
	if !ok {
		return malformed("no committer")
	}
	c.Author, c.Committer = parsePerson(author), parsePerson(committer)
	for _, line := range lines {
		key, _, _ := strings.Cut(line, " ")
		if slices.Contains([]string{"tree", "parent", "author", "committer"}, key) {
			return malformed("a second " + key)
		}
	}
	return c, nil
}

// parsePerson reads "Name <email> seconds zone". What cannot be read stays empty, as git itself is
// lenient here.
func parsePerson(s string) Person {
	s = strings.ToValidUTF8(s, "\uFFFD")
	var p Person
	name, rest, ok := strings.Cut(s, "<")
	end := strings.LastIndexByte(rest, '>')
	if !ok || end < 0 {
		return Person{Name: strings.TrimSpace(s)}
	}
	p.Name, p.Email = strings.TrimSpace(name), rest[:end]
	seconds, _, _ := strings.Cut(strings.TrimSpace(rest[end+1:]), " ")
	if n, err := strconv.ParseInt(seconds, 10, 64); err == nil && n > 0 && n < 1<<40 {
		p.When = time.Unix(n, 0).UTC()
	}
	return p
}
