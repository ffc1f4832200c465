package github

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
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
	pages  map[int]updated // of what was updated last, as they were read last, by number
	seen   time.Time       // of the last update that was told, by GitHub's clock
	whole  time.Time       // when the whole list was read last, by the own clock
}

// updated is a page of the pull requests that were updated last.
type updated struct {
	etag  string // of the answer
	pulls []listed
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
	before := l.seen.Add(-newsLag)
	var lacking error
	news, err := pagesUntil(func(page []listed) bool {
		return l.seen.IsZero() || page[len(page)-1].updatedAt.Before(before)
	}, func(o github.ListOptions) ([]listed, *github.Response, error) {
		page, response, lacks, err := l.page(ctx, o)
		lacking = cmp.Or(lacking, lacks)
		return page, response, err
	})
	if err != nil {
		return nil, l.client.explain(err, "Pull requests: read", "list the pull requests updated last")
	}
	for _, p := range slices.Backward(news) { // what is told twice is newer on the earlier page
		l.noteClosed(p)
	}
	if lacking != nil {
		return nil, lacking
	}
	for _, p := range news {
		if p.updatedAt.After(l.seen) {
			l.seen = p.updatedAt
		}
	}
	return news, nil
}

// page reads one page. In most looks GitHub says that it is as it was: then it is not taken apart
// again, for it may have 2 MB. What one of its pull requests lacks is told in lacking.
func (l *OpenList) page(ctx context.Context, o github.ListOptions) (pulls []listed,
	response *github.Response, lacking, err error) {
	c := l.client
	address := fmt.Sprintf("repos/%s/%s/pulls?direction=desc&per_page=%d&sort=updated&state=all",
		c.owner, c.repo, o.PerPage)
	if o.Page > 0 {
		address += fmt.Sprintf("&page=%d", o.Page)
	}
	request, err := c.api.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return nil, nil, nil, err
	}
	response, err = c.api.BareDo(ctx, request)
	if err != nil {
		return nil, response, nil, err
	}
	defer response.Body.Close()
	etag := response.Header.Get(unmodified)
	if known := l.pages[o.Page]; etag != "" && known.etag == etag {
		return known.pulls, response, nil, nil
	}
	var found []*github.PullRequest
	if err := json.NewDecoder(response.Body).Decode(&found); err != nil {
		return nil, response, nil, err
	}
	for _, f := range found {
		p, err := l.told(ctx, f)
		lacking = cmp.Or(lacking, err)
		pulls = append(pulls, p)
	}
	if lacking == nil {
		if l.pages == nil {
			l.pages = map[int]updated{}
		}
		l.pages[o.Page] = updated{cmp.Or(etag, response.Header.Get("ETag")), pulls}
	}
	return pulls, response, lacking, nil
}

// told converts a pull request of the list; one that is closed is not looked at.
func (l *OpenList) told(ctx context.Context, f *github.PullRequest) (listed, error) {
	p := listed{number: f.GetNumber(), updatedAt: f.GetUpdatedAt().Time}
	switch {
	case f.GetState() != "closed":
		open, err := l.client.list(ctx, f)
		if err != nil {
			return p, err
		}
		p = open
	case f.GetMergedAt().IsZero():
		p.unmergedAt = f.GetClosedAt().Time
	}
	if p.number == 0 || p.updatedAt.IsZero() {
		return p, l.client.incomplete("a list of pull requests")
	}
	return p, nil
}
