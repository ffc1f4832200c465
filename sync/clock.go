package sync

import (
	"fmt"
	"time"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// clocks compares the own clock with those of GitHub and of the API server, which tell theirs with
// every answer.
type clocks struct {
	*kube.Clock
	github *github.Client // nil: there is none to compare with
}

func (c *clocks) wall() time.Time { return c.Wall() }

// now is the own clock, or another one that is ahead of it by more than is tolerated: access ends
// by the later one.
func (c *clocks) now() time.Time {
	cluster, hub := c.skews()
	return c.wall().Add(max(kube.Beyond(cluster), kube.Beyond(hub), 0))
}

// skews are how far the clocks of the API server and of GitHub are ahead of the own one.
func (c *clocks) skews() (cluster, hub time.Duration) {
	if c.github != nil {
		hub, _ = c.github.Skew()
	}
	return c.Ahead(), hub
}

// problem tells that the clocks are too far apart for anything to be granted; empty when they are
// not.
func (c *clocks) problem() string {
	cluster, hub := c.skews()
	for _, other := range []struct {
		name string
		skew time.Duration
	}{{"the API server", cluster}, {"GitHub", hub}} {
		if kube.Beyond(other.skew) != 0 {
			return fmt.Sprintf("the clock of this machine and that of %s are %s apart, more "+
				"than %s; set the wrong one",
				other.name, other.skew.Abs().Round(time.Second), plan.MaxSkew)
		}
	}
	return ""
}
