package github

import (
	"context"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// readNames finds where the name of the request stands on the default branch already. Another
// request that came after the merge of this one does not have it: the first one does.
func (c *Client) readNames(ctx context.Context, f *policies.Facts, _ snapshot) error {
	_, path, _ := policies.KindOf(f.Files)
	place, ok := requests.SplitPath(path)
	if !ok {
		return nil
	}
	used, err := c.UsedNames(ctx, f.Base.Commit, place.Name)
	if err != nil {
		return err
	}
	for _, other := range used {
		if _, asked := requests.SplitPath(other); asked && other != path && f.Merge != nil {
			_, before, err := c.entry(ctx, f.Merge.FirstParent.Commit, other)
			if err != nil {
				return err
			}
			if !before {
				continue
			}
		}
		f.UsedNames = append(f.UsedNames, other)
	}
	return nil
}

// UsedNames lists where the name of a request stands in a commit: under any policy of any cluster, or in
// the ledger of any (R48).
func (c *Client) UsedNames(ctx context.Context, commit, name string) ([]string, error) {
	return c.find(reads(ctx, c.byREST), commit, requests.Path("*", "*", name),
		requests.RevocationPath("*", name))
}

// find lists what a commit has at some paths, in which a * between slashes is every folder there. All
// folders of one depth are read at once, and nothing beside them.
func (c *Client) find(ctx context.Context, commit string, paths ...string) (found []string, err error) {
	root, err := c.commit(ctx, commit)
	if err != nil {
		return nil, err
	}
	type place struct {
		at, tree string
		rest     []string // segments below it
	}
	var level []place
	for _, p := range paths {
		level = append(level, place{"", root.tree, strings.Split(p, "/")})
	}
	for len(level) > 0 {
		var names []string
		for _, p := range level {
			names = append(names, p.tree)
		}
		if err := c.readAll(ctx, names); err != nil {
			return nil, err
		}
		folders, err := gather(ctx, names, c.folder)
		if err != nil {
			return nil, err
		}
		var below []place
		for n, p := range level {
			bases := p.rest[:1]
			if bases[0] == "*" {
				bases = slices.Collect(maps.Keys(folders[n]))
			}
			for _, base := range bases {
				e, ok := folders[n][base]
				full, rest := path.Join(p.at, base), p.rest[1:]
				switch {
				case ok && len(rest) == 0:
					found = append(found, full)
				case ok && e.kind == "tree":
					below = append(below, place{full, e.name, rest})
				}
			}
		}
		level = below
	}
	slices.Sort(found)
	return found, nil
}
