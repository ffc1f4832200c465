package forge

import (
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// entry is one line of a tree; only a blob that is read from one has a size.
type entry struct{ Mode, Type, SHA, Path, Size string }

// tree lists a tree, or that of a commit; recursive leaves out the folders between, as GitHub does
// not: it lists them too (-t).
func (g repository) tree(sha string, recursive bool) ([]entry, error) {
	if entries, ok := g.looseTree(sha, "", recursive); ok {
		return entries, nil
	}
	args := []string{"ls-tree", "-z", "-l"}
	if recursive {
		args = append(args, "-r", "-t")
	}
	out, err := g.run("", append(args, sha)...)
	if err != nil {
		return nil, err
	}
	var entries []entry
	for _, line := range strings.Split(strings.TrimSuffix(out, "\x00"), "\x00") {
		meta, path, found := strings.Cut(line, "\t")
		if fields := strings.Fields(meta); found && len(fields) == 4 {
			entries = append(entries, entry{fields[0], fields[1], fields[2], path,
				strings.Trim(fields[3], "-")})
		}
	}
	return entries, nil
}

// looseTree is tree, of objects in files of their own, with folder before each path.
func (g repository) looseTree(sha, folder string, recursive bool) (entries []entry, ok bool) {
	direct, ok := g.entries(sha)
	if !ok {
		return nil, false
	}
	for _, e := range direct {
		if e.Type == "blob" {
			kind, size, ok := g.looseKind(e.SHA)
			if !ok || kind != "blob" {
				return nil, false
			}
			e.Size = strconv.Itoa(size)
		}
		name := e.Path
		e.Path = folder + name
		entries = append(entries, e)
		if e.Type == "tree" && recursive {
			below, ok := g.looseTree(e.SHA, folder+name+"/", true)
			if !ok {
				return nil, false
			}
			entries = append(entries, below...)
		}
	}
	return entries, true
}

// entries are those of one tree, or of a commit's, without sizes.
func (g repository) entries(sha string) (entries []entry, ok bool) {
	if known, found := g.known.Load("entries " + sha); found {
		return known.([]entry), true
	}
	tree, ok, err := g.peeled(sha, "tree")
	if !ok || err != nil {
		return nil, false
	}
	if tree != sha {
		if entries, ok = g.entries(tree); ok {
			g.known.Store("entries "+sha, entries)
		}
		return entries, ok
	}
	raw, err := g.content(tree, "tree")
	if err != nil {
		return nil, false
	}
	for raw != "" {
		meta, rest, found := strings.Cut(raw, "\x00")
		mode, name, _ := strings.Cut(meta, " ")
		if !found || len(rest) < 20 {
			return nil, false
		}
		e := entry{Mode: strings.Repeat("0", 6-len(mode)) + mode, Type: "blob", Path: name,
			SHA: hex.EncodeToString([]byte(rest[:20]))}
		switch e.Mode {
		case "040000":
			e.Type = "tree"
		case "160000":
			e.Type = "commit"
		}
		entries = append(entries, e)
		raw = rest[20:]
	}
	g.known.Store("entries "+sha, entries)
	return entries, true
}

// direct is what a commit or tree has by a name; nothing: no entry.
func (g repository) direct(sha, name string) (e entry, ok bool) {
	if sha == emptyTree {
		return entry{}, true
	}
	entries, ok := g.entries(sha)
	if i := slices.IndexFunc(entries, func(e entry) bool { return e.Path == name }); i >= 0 {
		e = entries[i]
	}
	return e, ok
}

// below finds what a commit or tree has at a path; itself, as a tree, at none.
func (g repository) below(sha, path string) (string, error) {
	at, known := sha, true
	for name := range strings.SplitSeq(path, "/") {
		e, ok := g.direct(at, name)
		known = known && ok && name != "" && name != "." && name != ".."
		if known && e == (entry{}) {
			return "", errNoObject
		}
		if known {
			at = e.SHA
		}
	}
	if known {
		return at, nil
	}
	return g.named(sha + ":" + path)
}

// file is the content of the file that a commit has at a path.
func (g repository) file(revision, path string) (string, error) {
	commit, err := g.resolve(revision, "commit")
	if err != nil {
		return "", err
	}
	sha, err := g.below(commit, path)
	if err != nil {
		return "", err
	}
	return g.content(sha, "blob")
}

// writeTree stores the tree that has base's entries (none when base is empty) with the given ones
// put over them; an entry with an empty SHA is removed.
func (g repository) writeTree(base string, entries []entry) (string, error) {
	if sha, ok := g.writeLooseTree(base, entries); ok {
		return sha, nil
	}
	return g.writeTreeByIndex(base, entries)
}

// writeLooseTree is writeTree for plain files with plain names; false leaves it to git to do, or to
// refuse.
func (g repository) writeLooseTree(base string, entries []entry) (sha string, ok bool) {
	for _, e := range entries {
		plain := e.SHA == "" || slices.Contains([]string{"100644", "100755", "120000"}, e.Mode)
		for name := range strings.SplitSeq(e.Path, "/") {
			plain = plain && name != "" && name != "." && name != ".." && !strings.Contains(name, "\x00") &&
				!strings.HasPrefix(strings.ToLower(name), ".git") || plain && name == ".github"
		}
		if !plain || e.Type == "tree" {
			return "", false
		}
		if e.SHA == "" { // to be removed
			continue
		}
		if kind, _, err := g.kind(e.SHA); err != nil || kind != "blob" {
			return "", false
		}
	}
	sha, err := g.putOver(base, entries)
	return sha, err == nil
}

// putOver stores the tree that has the given entries, whose paths begin there, over those of base.
func (g repository) putOver(base string, over []entry) (string, error) {
	names := map[string]entry{}
	if base != "" {
		direct, ok := g.entries(base)
		if !ok {
			return "", errNoObject
		}
		for _, e := range direct {
			names[e.Path] = e
		}
	}
	below := map[string][]entry{}
	for _, e := range over {
		folder, rest, deeper := strings.Cut(e.Path, "/")
		switch {
		case deeper:
			e.Path = rest
			below[folder] = append(below[folder], e)
		case e.SHA != "":
			names[e.Path] = e
		case names[e.Path].Type != "tree":
			delete(names, e.Path)
		}
	}
	for folder, entries := range below {
		had := names[folder]
		if had.SHA != "" && had.Type != "tree" { // a file where a folder goes: git knows which one stays
			return "", errNoObject
		}
		sha, err := g.putOver(had.SHA, entries)
		if err != nil {
			return "", err
		}
		names[folder] = entry{Mode: "040000", Type: "tree", SHA: sha, Path: folder}
		if sha == emptyTree {
			delete(names, folder)
		}
	}
	sorted := make([]entry, 0, len(names))
	for _, e := range names {
		sorted = append(sorted, e)
	}
	slices.SortFunc(sorted, func(a, b entry) int { return strings.Compare(a.sortKey(), b.sortKey()) })
	var raw strings.Builder
	for _, e := range sorted {
		sum, err := hex.DecodeString(e.SHA)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&raw, "%s %s\x00%s", strings.TrimPrefix(e.Mode, "0"), e.Path, sum)
	}
	return g.store("tree", raw.String())
}

// sortKey: git sorts a folder as if its name ended with a slash.
func (e entry) sortKey() string {
	if e.Type == "tree" {
		return e.Path + "/"
	}
	return e.Path
}

// writeTreeByIndex is writeTree through an index of git's.
func (g repository) writeTreeByIndex(base string, entries []entry) (string, error) {
	index, err := os.CreateTemp("", "forge-index-*")
	if err != nil {
		return "", err
	}
	index.Close()
	os.Remove(index.Name()) // git wants to make the file itself
	defer os.Remove(index.Name())
	env := []string{"GIT_INDEX_FILE=" + index.Name()}
	if base != "" {
		if _, err := g.runEnv(env, "", "read-tree", base); err != nil {
			return "", err
		}
	}
	var info strings.Builder
	for _, e := range entries {
		if e.Type == "tree" {
			if _, err := g.runEnv(env, "", "read-tree", "--prefix="+e.Path+"/", e.SHA); err != nil {
				return "", err
			}
			continue
		}
		if e.SHA == "" {
			e.Mode, e.SHA = "0", zeroSHA
		}
		fmt.Fprintf(&info, "%s %s\t%s\x00", e.Mode, e.SHA, e.Path)
	}
	if _, err := g.runEnv(env, info.String(), "update-index", "-z", "--index-info"); err != nil {
		return "", err
	}
	out, err := g.runEnv(env, "", "write-tree")
	return strings.TrimSpace(out), err
}

// replay stores the tree of onto with the files that changed between two commits as they are after.
func (g repository) replay(before, after, onto string) (string, error) {
	out, err := g.run("", "diff-tree", "-r", "-z", "--no-renames", before, after)
	if err != nil {
		return "", err
	}
	var entries []entry
	parts := strings.Split(out, "\x00") // of each file: ":mode mode object object status", path
	for i := 0; i+1 < len(parts); i += 2 {
		fields := strings.Fields(parts[i])
		e := entry{Mode: fields[1], Type: "blob", SHA: fields[3], Path: parts[i+1]}
		if e.SHA == zeroSHA {
			e.SHA = ""
		}
		entries = append(entries, e)
	}
	return g.writeTree(onto, entries)
}
