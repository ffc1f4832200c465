package github

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

const (
	// maxStood bounds how often the files that decide became others while one request is open, or waits
	// for its start. An approval from before that is stale: ask again.
	maxStood = 300
	// maxWalked bounds how many commits of the default branch are looked at for that. Most are of other
	// requests, of every cluster, and change nothing: they say nothing against an approval.
	maxWalked = 3000
)

// readStood walks the default branch back from its tip, along first parents, to how it stood when
// the head was approved first (R56). Commits are compared by their files, whatever brought them
// there: a change that was taken back is seen too.
func (c *Client) readStood(ctx context.Context, f *policies.Facts, _ snapshot) error {
	kind, path, _ := policies.KindOf(f.Files)
	approved, ok := firstApproval(f)
	if kind != policies.KindRequest || !ok {
		return nil
	}
	merged := f.Merge != nil
	name := f.Base.Commit
	for n := range maxWalked {
		if n > 0 {
			if err := c.readBefore(ctx, name); err != nil {
				return err
			}
		}
		at, err := c.commit(ctx, name)
		if err != nil {
			return err
		}
		tree, err := c.tree(ctx, name, path, policies.Wanted(kind, path))
		if err != nil {
			return err
		}
		merged = merged && name != f.Merge.FirstParent.Commit
		now := policies.Stood{Tree: tree, Since: at.committed, Merged: merged,
			First: len(at.parents) == 0}
		if !at.committed.After(approved.Time) {
			if now.Since, err = c.mergedSince(ctx, f.Repository, name, at.committed); err != nil {
				return err
			}
		}
		f.Stood = withStood(f.Stood, now)
		if now.First || len(f.Stood) > maxStood || !merged && now.Since.Before(approved.Time) {
			return nil
		}
		name = at.parents[0]
	}
	return fmt.Errorf("more than %d commits came to the default branch since %s, when #%d was approved "+
		"first: ask by a new pull request", maxWalked, approved, f.PullRequest.Number)
}

// withStood adds an older commit. One on which the files stood as on the newer one says only since
// when.
func withStood(all []policies.Stood, older policies.Stood) []policies.Stood {
	if n := len(all) - 1; n >= 0 && all[n].Merged == older.Merged &&
		maps.Equal(all[n].Files, older.Files) {
		all[n].First = older.First
		if older.Since.Before(all[n].Since.Time) {
			all[n].Since = older.Since
		}
		return all
	}
	return append(all, older)
}

// firstApproval is the time of the earliest approval of the head commit.
func firstApproval(f *policies.Facts) (first requests.Time, ok bool) {
	for _, r := range f.Reviews {
		if strings.EqualFold(r.State, "APPROVED") && r.CommitID == f.PullRequest.HeadSHA &&
			(!ok || r.SubmittedAt.Before(first.Time)) {
			first, ok = r.SubmittedAt, true
		}
	}
	return first, ok
}

// mergedSince is when a commit came to the default branch: of a merge, what GitHub says, since
// commits claim what they like. One that nobody merged has its own time: who can push past all
// rules gains nothing by it, for what they push to files that decide is not proven
// (docs/decisions/0008-provenance.md). It is taken to be before what happened in the same second.
func (c *Client) mergedSince(ctx context.Context, repository policies.Repository, name string,
	claimed requests.Time) (requests.Time, error) {
	pulls, err := c.pullsOf(ctx, name)
	for _, p := range pulls {
		if p.mergedInto(repository) && p.mergeAt == name {
			return p.mergedAt, nil
		}
	}
	return requests.Time{Time: claimed.Add(-time.Second)}, err
}
