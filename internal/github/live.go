package github

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// maxLive bounds how many other requests of one person are read, and judged, which takes as many
// calls as the request itself; beyond it more is shown as new than is.
const maxLive = 5

// readLive reads the author's other requests on the base branch, with their policies and whether
// they were granted, so that approvers can be shown what a request adds.
func (c *Client) readLive(ctx context.Context, f *policies.Facts, now time.Time) error {
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
			if err := c.readOne(ctx, f, other, policies.Path(policy), now); err != nil {
				return err
			}
		}
	}
	return nil
}

// isOf tells by its name whether a request may be somebody's: alice-sre's begin as alice's do.
func isOf(name string, u policies.User) bool {
	_, rest, _ := strings.Cut(name, "-")
	return u.Login != "" && strings.HasPrefix(rest, requests.NamePart(u.Login)+"-")
}

func (c *Client) readOne(ctx context.Context, f *policies.Facts, path, policy string,
	now time.Time) error {
	if _, ok, err := c.entry(ctx, f.Base.Commit, policy); err != nil || !ok {
		return err // a request whose policy is gone gives nothing
	}
	tree, err := c.files(ctx, f.Base.Commit, []string{path, policy})
	if err != nil {
		return err
	}
	live := policies.Live{Path: path, File: tree.Files[path], Policy: tree.Files[policy]}
	request, findings := requests.ParseRequest(path, []byte(live.File.Content))
	switch {
	case len(findings) > 0:
		live.Ungranted = policies.SchemaError
	case !strings.EqualFold(request.Spec.Requester, f.PullRequest.Author.Login):
		return nil
	default:
		d, err := c.granted(ctx, path, live.File.Blob, f.Base.Commit, now)
		if err != nil {
			return err
		}
		if live.Ungranted = d.Code; d.Grant != nil {
			live.Window, live.Narrowed = d.Grant.Window, d.Narrowed
		}
	}
	f.Live = append(f.Live, live)
	return nil
}

// granted judges a request that stands on the base branch as the agent does. It allows nothing
// about the pull request that is judged, so that what cannot be gathered is not granted, and no
// error.
func (c *Client) granted(ctx context.Context, path, blob, tip string,
	now time.Time) (policies.Decision, error) {
	number, _, err := c.Introduced(ctx, path, tip)
	if err == nil && number == 0 {
		return policies.Refuse(policies.NoPullRequest, "it was pushed"), nil
	}
	var f policies.Facts
	if err == nil {
		f, err = c.facts(ctx, number, now)
	}
	if err == nil {
		err = c.readExtended(ctx, &f, now, 1)
	}
	switch {
	case ctx.Err() != nil:
		return policies.Decision{}, ctx.Err()
	case err != nil:
		return policies.Refuse(policies.EvaluationError, "%v", err), nil
	}
	return policies.EvaluateMerged(f, path, blob, now), nil
}
