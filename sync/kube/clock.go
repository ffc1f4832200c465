package kube

import (
	"net/http"
	gosync "sync"
	"time"

	"github.com/pullgrant/pullgrant/sync/plan"
)

// Clock compares the own clock with the API server's, which tells its time with every answer.
type Clock struct {
	Wall func() time.Time // of this machine, as time.Now reads it

	mu       gosync.Mutex
	told     time.Time // by the API server, with its last answer; zero: it gave none
	answered time.Time // when that was, by the own clock
}

// Watch reads the time in the API server's answers.
func (c *Clock) Watch(next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(r)
		if err != nil {
			return response, err
		}
		if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.told, c.answered = date, c.Wall()
		}
		return response, nil
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Ahead is how far the API server's clock is ahead of the own one. How long ago it told its time is
// measured by the monotonic clock: an own clock that was set since, even set right, takes that of the
// API server nowhere.
func (c *Clock) Ahead() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.told.IsZero() {
		return 0
	}
	now := c.Wall()
	return c.told.Add(now.Sub(c.answered)).Sub(now)
}

// Now is the own clock, or the API server's where that is ahead of it by more than is tolerated:
// access ends by the later one.
func (c *Clock) Now() time.Time { return c.Wall().Add(max(Beyond(c.Ahead()), 0)) }

// Beyond is a skew that is not tolerated, or zero. Others tell whole seconds only, so one is added
// to their lag.
func Beyond(skew time.Duration) time.Duration {
	if skew > plan.MaxSkew || skew < -plan.MaxSkew-time.Second {
		return skew
	}
	return 0
}
