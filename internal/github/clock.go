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
		t.told, t.answered = date, t.clock()
	}
}

// now is the own clock; zero where there is none.
func (t *transport) now() (now time.Time) {
	if t.clock != nil {
		now = t.clock()
	}
	return now
}

func (t *transport) skewed() (ahead time.Duration, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.told.IsZero() {
		return 0, false
	}
	now := t.clock()
	return t.told.Add(now.Sub(t.answered)).Sub(now), true
}

// Skew is how much GitHub's clock is ahead of the own one, from the Date header of its last answer and
// the time since, which the monotonic clock measures: an own clock that was set since does not take
// that of GitHub along. known is false before the first answer (R54). The header counts whole seconds.
func (c *Client) Skew() (ahead time.Duration, known bool) { return c.wire.skewed() }

// ReadClock has GitHub answer anything, so that Skew is of now.
func (c *Client) ReadClock(ctx context.Context) error {
	_, err := c.repository(ctx)
	return err
}
