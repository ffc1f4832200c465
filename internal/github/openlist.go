package github

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/google/go-github/v60/github"
)

// OpenList follows the open pull requests of a repository from one look to the next, so that a look
// costs a call or two however many are open: it asks for what was updated since the one before. The
// whole list is read at first and then every ten minutes, for nobody promises that an update shows
// in time.
type OpenList struct {
	client *Client
	open   map[int]listed // by number
	closed map[int]ClosedPull
	seen   time.Time // of the last update that was told, by GitHub's clock
	whole  time.Time // when the whole list was read last, by the own clock
}

const (
	wholeEvery = 10 * time.Minute
	newsLag    = 2 * time.Minute // how much later than others an update may show
)

// FollowOpen begins to follow them; nothing is called yet.
func (c *Client) FollowOpen() *OpenList { return &OpenList{client: c} }

// Read lists the pull requests that are open now, those that were updated last first. An error
// changes nothing of what is known.
func (l *OpenList) Read(ctx context.Context, now time.Time) ([]OpenPull, error) {
	ctx = keeping(ctx)
	news, err := l.news(ctx)
	if err != nil {
		return nil, err
	}
	if since := now.Sub(l.whole); since < 0 || since >= wholeEvery {
		if news, err = l.readWhole(ctx, now); err != nil {
			return nil, err
		}
	}
	for _, p := range slices.Backward(news) { // what is told twice is newer on the earlier page
		if p.open {
			l.open[p.number] = p
		} else {
			delete(l.open, p.number)
		}
	}
	var pulls []OpenPull
	for _, p := range slices.SortedFunc(maps.Values(l.open), func(a, b listed) int {
		return cmp.Or(b.updatedAt.Compare(a.updatedAt), b.number-a.number)
	}) {
		pulls = append(pulls, p.openPull())
	}
	return pulls, nil
}

// readWhole reads the whole list, and what happened meanwhile. One that is closed then has those
// after it move up, and one of them from a page that is still to be read to one that was: the list
// is read again at the next look.
func (l *OpenList) readWhole(ctx context.Context, now time.Time) (news []listed, err error) {
	all, err := l.client.openPulls(ctx)
	if err != nil {
		return nil, err
	}
	if news, err = l.news(ctx); err != nil {
		return nil, err
	}
	l.open = map[int]listed{}
	for _, p := range all {
		l.open[p.number] = p
	}
	l.whole = now
	for _, p := range news {
		if _, ok := l.open[p.number]; ok && !p.open {
			l.whole = time.Time{}
		}
	}
	return news, nil
}

// news lists what was updated since the last look, also what was closed by that: page by page,
// until one goes back far enough. The first look has but one page.
func (l *OpenList) news(ctx context.Context) ([]listed, error) {
	c, before := l.client, l.seen.Add(-newsLag)
	updated := github.PullRequestListOptions{State: "all", Sort: "updated", Direction: "desc"}
	found, err := pagesUntil(func(page []*github.PullRequest) bool {
		return l.seen.IsZero() || page[len(page)-1].GetUpdatedAt().Before(before)
	}, func(o github.ListOptions) ([]*github.PullRequest, *github.Response, error) {
		updated.ListOptions = o
		return c.api.PullRequests.List(ctx, c.owner, c.repo, &updated)
	})
	if err != nil {
		return nil, c.explain(err, "Pull requests: read", "list the pull requests updated last")
	}
	var news []listed
	for _, f := range slices.Backward(found) { // what is told twice is newer on the earlier page
		l.noteClosed(f)
	}
	for _, f := range found {
		p := listed{number: f.GetNumber(), updatedAt: f.GetUpdatedAt().Time}
		if f.GetState() != "closed" { // one that is closed is not looked at
			if p, err = c.list(ctx, f); err != nil {
				return nil, err
			}
		}
		if p.number == 0 || p.updatedAt.IsZero() {
			return nil, c.incomplete("a list of pull requests")
		}
		news = append(news, p)
	}
	for _, p := range news {
		if p.updatedAt.After(l.seen) {
			l.seen = p.updatedAt
		}
	}
	return news, nil
}
