package github

import (
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/testdata/clocks"
)

func TestSkew(t *testing.T) {
	w := newWorld(t)
	if _, known := w.client.Skew(); known {
		t.Error("a clock that was never heard of is known")
	}
	w.client.wire.clock = func() time.Time { return noon.Add(-time.Minute) }
	w.check(w.client.ReadClock(t.Context()))
	if ahead, known := w.client.Skew(); !known || ahead != time.Minute {
		t.Errorf("GitHub is ahead by %s, %t; want 1m", ahead, known)
	}
	// A refusal tells the time as well.
	w.client.wire.clock = func() time.Time { return noon.Add(time.Minute) }
	w.Fail("GET", "/repos/acme/access", -1, 403, `{"message":"no"}`)
	if err := w.client.ReadClock(t.Context()); err == nil {
		t.Error("no error")
	}
	if ahead, _ := w.client.Skew(); ahead != -time.Minute {
		t.Errorf("GitHub is ahead by %s; want -1m", ahead)
	}
}

// TestOwnClockSet: an own clock that somebody sets does not take GitHub's along.
func TestOwnClockSet(t *testing.T) {
	w := newWorld(t)
	now, ahead := time.Now(), -time.Hour
	w.client.wire.clock = func() time.Time { return clocks.Set(now, ahead) }
	w.check(w.client.ReadClock(t.Context()))
	before, _ := w.client.Skew()
	ahead = 0 // it is set right
	if after, _ := w.client.Skew(); after != before-time.Hour {
		t.Errorf("GitHub was ahead by %s, and by %s once the own clock was set an hour on", before, after)
	}
}
