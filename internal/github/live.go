package github

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// maxLive bounds how many other requests of one person are read; beyond it more is shown as new
// than is.
const maxLive = 20

// readLive reads the author's other requests on the base branch, with their policies, so that
// approvers can be shown what a request adds.
func (c *Client) readLive(ctx context.Context, f *policies.Facts, _ snapshot) error {
	kind, path, _ := policies.KindOf(f.Files)
	place, ok := requests.SplitPath(path)
	if kind != policies.KindRequest || !ok {
		return nil
	}
	folder := requests.Folder + "/" + place.Cluster
	cluster, ok, err := c.entry(ctx, f.Base.Commit, folder)
	if err != nil || !ok || cluster.kind != "tree" {
		return err
	}
	found, err := c.folder(ctx, cluster.name)
	if err != nil {
		return err
	}
	for _, policy := range slices.Sorted(maps.Keys(found)) {
		if found[policy].kind != "tree" {
			continue
		}
		files, err := c.folder(ctx, found[policy].name)
		if err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(files)) {
			other := folder + "/" + policy + "/" + name
			if at, ok := requests.SplitPath(other); !ok || other == path ||
				len(f.Live) == maxLive ||
				!isOf(at.Name, f.PullRequest.Author) {
				continue
			}
			if err := c.readOne(ctx, f, other, policies.Path(policy)); err != nil {
				return err
			}
		}
	}
	return nil
}

// isOf tells by its name whether a request is somebody's.
func isOf(name string, u policies.User) bool {
	_, rest, _ := strings.Cut(name, "-")
	return u.Login != "" && strings.HasPrefix(rest, requests.NamePart(u.Login)+"-")
}

func (c *Client) readOne(ctx context.Context, f *policies.Facts, path, policy string) error {
	if _, ok, err := c.entry(ctx, f.Base.Commit, policy); err != nil || !ok {
		return err // a request whose policy is gone gives nothing
	}
	tree, err := c.files(ctx, f.Base.Commit, []string{path, policy})
	if err != nil {
		return err
	}
	f.Live = append(f.Live, policies.Live{Path: path, File: tree.Files[path],
		Policy: tree.Files[policy]})
	return nil
}
