package github

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// maxOwedFolders bounds the folders that are looked into for what is owed: those of clusters, and of
// policies under which something waits or is live.
const maxOwedFolders = 500

// readOwed reads what nobody has answered for, where a request may break the glass: as the default
// branch has it, or had it before the merge, so that what came later takes nothing from it. Names tell
// which files are read; who owes what, on whichever cluster, their contents.
func (c *Client) readOwed(ctx context.Context, f *policies.Facts) error {
	kind, path, _ := policies.KindOf(f.Files)
	place, ok := requests.SplitPath(path)
	if kind != policies.KindRequest || !ok || !requests.MayBreakGlass(place.Name) {
		return nil
	}
	commit := f.Base.Commit
	if f.Merge != nil {
		commit = f.Merge.FirstParent.Commit
	}
	at, err := c.commit(ctx, commit)
	if err != nil {
		return err
	}
	found := &owing{path: path}
	for _, top := range []string{requests.RevocationsFolder, requests.Folder} {
		if err := c.look(ctx, found, at.tree, top); err != nil {
			return err
		}
	}
	slices.Sort(found.files)
	tree, err := c.files(ctx, commit, found.files)
	if err != nil {
		return err
	}
	f.Owed = &policies.Owed{Debts: []policies.Owing{}}
	for _, name := range found.files {
		if o, owes := policies.OwingOf(name, []byte(tree.Files[name].Content)); owes {
			f.Owed.Debts = append(f.Owed.Debts, o)
		}
	}
	return nil
}

// owing is what was found on the way.
type owing struct {
	path    string // of the request itself, which owes itself nothing
	folders int
	files   []string
}

// look goes through the folders of clusters below a folder of the root, and of what is below these
// through those that can hold what is owed.
func (c *Client) look(ctx context.Context, found *owing, root, top string) error {
	all, err := c.folder(ctx, root)
	if err != nil {
		return err
	}
	e, ok := all[top]
	if !ok || e.kind != "tree" {
		return nil
	}
	clusters, err := c.folders(ctx, found, e.name, func(string) bool { return true })
	if err != nil {
		return err
	}
	for _, cluster := range slices.Sorted(maps.Keys(clusters)) {
		below, err := c.folders(ctx, found, clusters[cluster], func(name string) bool {
			return top == requests.Folder || top+"/"+cluster+"/"+name == requests.DebtsFolder(cluster)
		})
		if err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(below)) {
			files, err := c.folder(ctx, below[name])
			if err != nil {
				return err
			}
			for file := range files {
				full := top + "/" + cluster + "/" + name + "/" + file
				place, asked := requests.SplitPath(full)
				_, owed := requests.SplitDebtPath(full)
				if full != found.path && (owed || asked && requests.MayBreakGlass(place.Name)) {
					found.files = append(found.files, full)
				}
			}
		}
	}
	if len(found.files) > policies.MaxOwed {
		return fmt.Errorf("read what is owed for break-glass: %d files tell of it, more than %d; have some "+
			"of it reviewed first", len(found.files), policies.MaxOwed)
	}
	return nil
}

// folders are the folders in a folder that are to be looked into, with their trees.
func (c *Client) folders(ctx context.Context, found *owing, tree string, into func(string) bool) (
	map[string]string, error) {
	all, err := c.folder(ctx, tree)
	if err != nil {
		return nil, err
	}
	below, names := map[string]string{}, []string{}
	for name, e := range all {
		if e.kind == "tree" && into(name) {
			below[name] = e.name
			names = append(names, e.name)
		}
	}
	if found.folders += len(names); found.folders > maxOwedFolders {
		return nil, fmt.Errorf("read what is owed for break-glass: more than %d folders can hold it",
			maxOwedFolders)
	}
	return below, c.readAll(ctx, names)
}
