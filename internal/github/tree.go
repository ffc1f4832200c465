package github

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/rbac"
)

// Tree reads the wanted files of a commit: those in the root, .github/, docs/, policies/ and
// catalog/, and below any folder that is wanted itself. commit is a full object name, or empty for
// the tip of the default branch.
func (c *Client) Tree(ctx context.Context, commit string,
	wanted func(path string) bool) (policies.Tree, error) {
	commit, err := c.orTip(ctx, commit)
	if err != nil {
		return policies.Tree{}, err
	}
	tree, err := c.tree(ctx, commit, "", wanted)
	if err != nil {
		return policies.Tree{}, err
	}
	tree.Owner = c.owner
	return tree, nil
}

// Tip is the commit that the default branch is at now.
func (c *Client) Tip(ctx context.Context) (string, error) { return c.orTip(ctx, "") }

// orTip is commit, or the tip of the default branch when it is empty.
func (c *Client) orTip(ctx context.Context, commit string) (string, error) {
	if commit != "" {
		return commit, nil
	}
	repository, err := c.repository(ctx)
	if err != nil {
		return "", err
	}
	return c.tip(ctx, repository.DefaultBranch)
}

// Files reads every plain file below a folder, for example requests/ for a list. commit is a full
// object name, or empty for the tip of the default branch. A folder that does not exist has no
// files; entries that are no plain text files are left out.
func (c *Client) Files(ctx context.Context, commit, folder string) (map[string][]byte, error) {
	commit, err := c.orTip(ctx, commit)
	if err != nil {
		return nil, err
	}
	top, ok, err := c.entry(ctx, commit, folder)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	if !ok || top.kind != "tree" {
		return files, nil
	}
	all := func(string) bool { return true }
	found, err := c.walk(ctx, top.name, folder, all, all)
	if err != nil {
		return nil, err
	}
	for name, file := range found {
		if file.Mode == policies.PlainFile && file.Unreadable == "" {
			files[name] = []byte(file.Content)
		}
	}
	return files, nil
}

// tree reads the wanted files of a commit. Beside the folders of trust it looks into those above
// path.
func (c *Client) tree(ctx context.Context, commit, request string,
	wanted func(string) bool) (policies.Tree, error) {
	tree := policies.Tree{Commit: commit}
	root, err := c.commit(ctx, commit)
	if err != nil {
		return tree, err
	}
	enter := func(folder string) bool {
		return folder == ".github" || folder == "docs" || folder == policies.Folder ||
			folder == rbac.CatalogFolder ||
			strings.HasPrefix(folder, policies.Folder+"/") || strings.HasPrefix(request,
			folder+"/") ||
			wanted(folder)
	}
	tree.Files, err = c.walk(ctx, root.tree, "", enter, wanted)
	return tree, err
}

// walk reads the wanted files of a folder, and of the folders below it that may be entered, by their
// paths.
func (c *Client) walk(ctx context.Context, name, at string, enter, wanted func(string) bool) (
	map[string]policies.TreeFile, error) {
	folder, err := c.folder(ctx, name)
	if err != nil {
		return nil, err
	}
	for base, e := range folder {
		if e.size == unsized && wanted(path.Join(at, base)) { // it may be too large to be read
			if folder, err = c.sized(ctx, name); err != nil {
				return nil, err
			}
			break
		}
	}
	var names, plain, apart []string
	for _, base := range slices.Sorted(maps.Keys(folder)) {
		e := folder[base]
		switch full := path.Join(at, base); {
		case e.kind == "tree" && enter(full):
			names, apart = append(names, e.name), append(apart, base)
		case wanted(full) && e.small():
			names, plain = append(names, e.name), append(plain, base)
		case wanted(full):
			plain = append(plain, base)
		}
	}
	if err := c.readAll(ctx, names); err != nil {
		return nil, err
	}
	files := map[string]policies.TreeFile{}
	for _, base := range plain {
		e := folder[base]
		if e.small() && !c.atHand(e.name) { // it could not be had with the others
			apart = append(apart, base)
		} else if files[path.Join(at, base)], err = c.file(ctx, e); err != nil {
			return nil, err
		}
	}
	slices.Sort(apart)
	found, err := gather(ctx, apart, func(ctx context.Context, base string) (
		map[string]policies.TreeFile, error) {
		e, full := folder[base], path.Join(at, base)
		if e.kind == "tree" {
			return c.walk(ctx, e.name, full, enter, wanted)
		}
		file, err := c.file(ctx, e)
		return map[string]policies.TreeFile{full: file}, err
	})
	if err != nil {
		return nil, err
	}
	for _, some := range found {
		maps.Copy(files, some)
	}
	return files, nil
}

// small tells whether an entry is a plain file that is not too large to matter.
func (e entry) small() bool {
	return e.kind == "blob" && e.mode == policies.PlainFile && e.size <= policies.MaxFileSize
}

// file reads one entry. What is not a plain file, or is too large to matter, keeps its mode and
// name without content.
func (c *Client) file(ctx context.Context, e entry) (policies.TreeFile, error) {
	if !e.small() {
		return policies.NewTreeFile(e.mode, e.name, nil, int64(e.size)), nil
	}
	data, err := c.blob(ctx, e.name)
	if err != nil {
		return policies.TreeFile{}, err
	}
	return policies.NewTreeFile(e.mode, e.name, data, int64(len(data))), nil
}

// entry finds what a commit has at a path; ok is false when there is nothing.
func (c *Client) entry(ctx context.Context, commit, name string) (found entry, ok bool, err error) {
	root, err := c.commit(ctx, commit)
	if err != nil {
		return entry{}, false, err
	}
	found = entry{kind: "tree", name: root.tree}
	for _, segment := range strings.Split(name, "/") {
		if found.kind != "tree" {
			return entry{}, false, nil
		}
		folder, err := c.folder(ctx, found.name)
		if err != nil {
			return entry{}, false, err
		}
		if found, ok = folder[segment]; !ok {
			return entry{}, false, nil
		}
	}
	return found, true, nil
}

// files reads the given paths of a commit, which must all be there: what is at one depth at once, and
// then the files.
func (c *Client) files(ctx context.Context, commit string, paths []string) (policies.Tree, error) {
	tree := policies.Tree{Commit: commit, Files: map[string]policies.TreeFile{}}
	entries, err := c.entries(ctx, commit, paths)
	var small []string
	for _, e := range entries {
		if e.small() && len(paths) > 1 {
			small = append(small, e.name)
		}
	}
	if err == nil {
		err = c.readAll(ctx, small)
	}
	for _, name := range paths {
		if err == nil {
			tree.Files[name], err = c.file(ctx, entries[name])
		}
	}
	return tree, err
}

// entries finds what a commit has at the paths that its pull request changes, by these paths.
func (c *Client) entries(ctx context.Context, commit string, paths []string) (map[string]entry, error) {
	if err := c.readFolders(ctx, commit, paths); err != nil {
		return nil, err
	}
	entries := map[string]entry{}
	for _, name := range paths {
		e, ok, err := c.entry(ctx, commit, name)
		if err == nil && !ok {
			err = fmt.Errorf("%w: the pull request changes %q, which its head commit does not have",
				errMoved, name)
		}
		if err != nil {
			return nil, err
		}
		entries[name] = e
	}
	return entries, nil
}

// readFolders asks for the folders that paths of a commit lead through, those of one depth at once.
func (c *Client) readFolders(ctx context.Context, commit string, paths []string) error {
	if len(paths) < 2 { // one is read as it is met
		return nil
	}
	root, err := c.commit(ctx, commit)
	if err != nil {
		return err
	}
	at := map[string]string{"": root.tree} // the folders of a depth: their names by their paths
	for len(at) > 0 {
		if err := c.readAll(ctx, slices.Collect(maps.Values(at))); err != nil {
			return err
		}
		below := map[string]string{}
		for _, parent := range slices.Sorted(maps.Keys(at)) {
			folder, err := c.folder(ctx, at[parent])
			if err != nil {
				return err
			}
			for _, p := range paths {
				rest, under := strings.CutPrefix(p, parent)
				base, _, deeper := strings.Cut(rest, "/")
				if e := folder[base]; under && deeper && e.kind == "tree" {
					below[parent+base+"/"] = e.name
				}
			}
		}
		at = below
	}
	return nil
}
