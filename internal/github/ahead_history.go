package github

import (
	"context"
	"fmt"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

const pullsFragment = accountFragment + `fragment pulls on Commit { oid associatedPullRequests(first: 20) {
  totalCount nodes {
    number state isDraft merged mergedAt updatedAt mergeCommit { oid } headRefOid baseRefName
    baseRepository { databaseId } author { ...account }
  }
} }`

func touched(path, tip string) string { return "last that touched " + path + " before " + tip }
func pullsOf(commit string) string    { return "pull requests of " + commit }

// readPulls asks at once for what readChanges and readStood will ask.
func (c *Client) readPulls(ctx context.Context, f *policies.Facts, _ snapshot) error {
	tip, paths, ok := decided(f)
	if !ok {
		return nil
	}
	return c.readHistory(ctx, tip, paths)
}

// readHistory asks at once for the commits that touched paths last before a tip, each with the pull
// requests that GitHub ties it to, and for those of the tip.
func (c *Client) readHistory(ctx context.Context, tip string, paths []string) error {
	if len(paths) > maxAtOnce {
		return nil
	}
	q := &query{}
	q.part(repositoryPart)
	q.part("tip: object(oid: %s) { ... on Commit { ...pulls", q.variable("GitObjectID", tip))
	for n, path := range paths {
		q.part("h%d: history(first: 1, path: %s) { nodes { ...pulls } }", n,
			q.variable("String", path))
	}
	q.part("} }")
	told, ok, err := c.inRepository(ctx, q, pullsFragment)
	if err != nil {
		return c.explain(err, "Contents: read", "find the last commits that touched files")
	}
	if !ok {
		return nil
	}
	if err := c.takeRepository(ctx, told); err != nil {
		return err
	}
	at := told.field("tip")
	if at.null() {
		return *told.wrong
	}
	if takePulls(ctx, at) != tip {
		at.fail("is another commit")
	}
	for n, path := range paths {
		for _, node := range at.field(fmt.Sprintf("h%d", n)).field("nodes").list() {
			if name := takePulls(ctx, node); *at.wrong == nil {
				tell(ctx, touched(path, tip), name)
			}
		}
	}
	if err := *told.wrong; err != nil {
		return fmt.Errorf("find the last commits that touched files: %w", err)
	}
	return nil
}

// takePulls keeps the pull requests of a commit, when there are some and GitHub says all of each,
// and returns the commit's name.
func takePulls(ctx context.Context, commit node) string {
	name := commit.field("oid").name()
	connection := commit.field("associatedPullRequests")
	if connection.null() {
		return name
	}
	nodes, whole := connection.whole()
	var all []listed
	for _, n := range nodes {
		author, ok := accountIn(n.field("author"))
		base := n.field("baseRepository")
		p := listed{number: int(n.field("number").number()), author: author,
			head: n.field("headRefOid").name(), base: n.field("baseRefName").text(),
			draft: n.field("isDraft").flag(), open: n.field("state").text() == "OPEN",
			merged: n.field("merged").flag(), updatedAt: n.field("updatedAt").time().Time}
		if !ok || base.null() || base.field("databaseId").null() ||
			p.merged && (n.field("mergedAt").null() || n.field("mergeCommit").null()) {
			return name
		}
		p.baseID = base.field("databaseId").number()
		if p.merged {
			p.mergedAt = requests.At(n.field("mergedAt").time().Time)
			p.mergeAt = n.field("mergeCommit").field("oid").name()
		}
		all = append(all, p)
	}
	if whole && len(all) > 0 && *commit.wrong == nil {
		tell(ctx, pullsOf(name), all)
	}
	return name
}
