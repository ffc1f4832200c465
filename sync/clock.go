package sync

import (
	"fmt"
	"net/http"
	gosync "sync"
	"time"

	"github.com/pullgrant/pullgrant/internal/github"
)

// maxSkew is how far the own clock may be from another before nothing is granted any more (R54).
const maxSkew = 30 * time.Second

// clocks compares the own clock with those of GitHub and of the API server, which tell theirs with
// every answer.
type clocks struct {
	wall   func() time.Time // of this machine
	github *github.Client   // nil: there is none to compare with

	mu    gosync.Mutex
	ahead time.Duration // the API server's clock, of the own one, at its last answer
}

// watch reads the time in the API server's answers.
func (c *clocks) watch(next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(r)
		if err != nil {
			return response, err
		}
		if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.ahead = date.Sub(c.wall())
		}
		return response, nil
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// now is the own clock, or another one that is ahead of it by more than is tolerated: access ends
// by the later one.
func (c *clocks) now() time.Time {
	cluster, hub := c.skews()
	return c.wall().Add(max(beyond(cluster), beyond(hub), 0))
}

// skews are how far the clocks of the API server and of GitHub are ahead of the own one.
func (c *clocks) skews() (cluster, hub time.Duration) {
	if c.github != nil {
		hub, _ = c.github.Skew()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ahead, hub
}

// beyond is a skew that is not tolerated, or zero. The others tell whole seconds only, so one is
// added to their lag.
func beyond(skew time.Duration) time.Duration {
	if skew > maxSkew || skew < -maxSkew-time.Second {
		return skew
	}
	return 0
}

// problem tells that the clocks are too far apart for anything to be granted; empty when they are
// not.
func (c *clocks) problem() string {
	cluster, hub := c.skews()
	for _, other := range []struct {
		name string
		skew time.Duration
	}{{"the API server", cluster}, {"GitHub", hub}} {
		if beyond(other.skew) != 0 {
			return fmt.Sprintf("the clock of this machine and that of %s are %s apart, more "+
				"than %s; set the wrong one",
				other.name, other.skew.Abs().Round(time.Second), maxSkew)
		}
	}
	return ""
}
