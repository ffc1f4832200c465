package github

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// ClosedPull is a pull request that was closed without a merge.
type ClosedPull struct {
	Number int
	At     time.Time
}

// Bounds of those that are remembered: who was away for longer has the name free.
const (
	closedSince = 24 * time.Hour
	maxClosed   = 100
)

// noteClosed remembers a pull request as a list shows it, when it is closed, and forgets it when it
// is not.
func (l *OpenList) noteClosed(p listed) {
	if l.closed == nil {
		l.closed = map[int]ClosedPull{}
	}
	delete(l.closed, p.number)
	if !p.unmergedAt.IsZero() {
		l.closed[p.number] = ClosedPull{p.number, p.unmergedAt}
	}
}

// Closed are those that were closed lately, as far as Read came to see them, the latest first.
func (l *OpenList) Closed(now time.Time) []ClosedPull {
	all := slices.SortedFunc(maps.Values(l.closed), func(a, b ClosedPull) int {
		return cmp.Or(b.At.Compare(a.At), b.Number-a.Number)
	})
	for i, p := range all {
		if i >= maxClosed || now.Sub(p.At) > closedSince {
			delete(l.closed, p.Number)
		}
	}
	return slices.DeleteFunc(all, func(p ClosedPull) bool {
		_, ok := l.closed[p.Number]
		return !ok
	})
}

// Refusal is how a request was refused for ever before any merge.
type Refusal struct {
	By                          requests.Refuser
	Path, HeadSHA, PolicyCommit string
	Content                     []byte // of the request
}

// Refused tells how the request of a closed pull request was refused (R73); nil when it was not, which
// takes one call of most, and two of most requests.
func (c *Client) Refused(ctx context.Context, number int, now time.Time) (*Refusal, error) {
	fail := func(err error) (*Refusal, error) {
		return nil, fmt.Errorf("look at the closed %s/%s#%d: %w", c.owner, c.repo, number, err)
	}
	p, err := c.pull(ctx, number)
	if err != nil {
		return fail(err)
	}
	if p.State != "closed" || p.Merged || p.files != 1 {
		return nil, nil
	}
	reviews, err := c.reviewsOf(ctx, number)
	if err != nil {
		return fail(err)
	}
	if !slices.ContainsFunc(reviews, func(r policies.Review) bool {
		return strings.EqualFold(r.State, "CHANGES_REQUESTED")
	}) {
		return nil, nil
	}
	f, err := c.Facts(ctx, number, now)
	if err != nil {
		return nil, err
	}
	by, path, ok := policies.RefusedBy(f, now)
	if !ok {
		return nil, nil
	}
	review, _, err := c.api.PullRequests.GetReview(ctx, c.owner, c.repo, number, by.ReviewID)
	if err != nil {
		return fail(c.explain(err, "Pull requests: read", "read review %d", by.ReviewID))
	}
	by.Words = requests.Excerpt(review.GetBody())
	return &Refusal{By: by, Path: path, HeadSHA: f.PullRequest.HeadSHA, PolicyCommit: f.Base.Commit,
		Content: []byte(f.Head.Files[path].Content)}, nil
}
