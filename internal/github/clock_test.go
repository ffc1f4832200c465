package github

import (
	"testing"
	"time"
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
