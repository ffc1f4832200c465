package sync

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// starts waits for the start of a grant whose Jobs were made ahead of it, at most render.Lead, so
// that its bindings come on the second and never before. The branch is looked at again then:
// whoever took the request back meanwhile was in time.
func (a *Agent) starts(ctx context.Context, r plan.Record) error {
	left := r.Grant.Window.Start.Sub(a.clocks.wall())
	if left <= 0 {
		return nil
	}
	if left > render.Lead {
		return errors.New("its window has not begun")
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return fmt.Errorf("waiting for its window: %w", ctx.Err())
	case <-timer.C:
	}
	return a.branch.latest.has(ctx, r.Grant)
}

// nextStart is when the first of the grants that are to begin later is to be judged again; zero
// when there are none.
func nextStart(w plan.World, now time.Time) (next time.Time) {
	for _, r := range w.Records {
		at := r.Grant.Window.Start.Add(-render.Lead)
		if r.Phase == plan.Scheduled && at.After(now) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}
