package github

import (
	"context"
	"net/http"
	"time"
)

// date compares the Date header of an answer that just came with the own clock.
func (t *transport) date(response *http.Response) {
	if date, err := http.ParseTime(response.Header.Get("Date")); err == nil && t.clock != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.dated, t.ahead = true, date.Sub(t.clock())
	}
}

func (t *transport) skewed() (ahead time.Duration, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ahead, t.dated
}

// Skew is how much GitHub's clock was ahead of the own one at its last answer, from the Date
// header; known is false before the first (R54). The header counts whole seconds.
func (c *Client) Skew() (ahead time.Duration, known bool) { return c.wire.skewed() }

// ReadClock has GitHub answer anything, so that Skew is of now.
func (c *Client) ReadClock(ctx context.Context) error {
	_, err := c.repository(ctx)
	return err
}
