package sync

import (
	"context"
	"fmt"
	"time"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// starts waits for the start of a grant whose Jobs were made ahead of it, so that its bindings come
// on the second and never before: not for longer than plan.Wait, and the branch is looked at again
// then, since whoever took the request back meanwhile was in time. Where the start is farther away
// it is not ready, which is no error: a later pass goes on. What overlaps the access that it goes
// on from gives nobody what they do not have, and does not wait.
func (a *Agent) starts(ctx context.Context, r plan.Record, overlaps bool) (ready bool, err error) {
	left := r.Grant.Window.Start.Sub(a.clocks.wall())
	if left <= 0 || left > plan.Wait || overlaps {
		return left <= plan.Wait, nil
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false, fmt.Errorf("waiting for its window: %w", ctx.Err())
	case <-timer.C:
	}
	return true, a.branch.latest.has(ctx, r.Grant)
}

// nextStart is when the first of the grants that are to begin later is to be judged again, or to be
// waited for; zero when there are none.
func nextStart(w plan.World, now time.Time) (next time.Time) {
	for _, r := range w.Records {
		at := r.Grant.Window.Start.Add(-render.Lead)
		if r.Ahead(now) {
			at = r.Grant.Window.Start.Add(-plan.Wait)
		}
		if (r.Phase == plan.Scheduled || r.Ahead(now)) && at.After(now) &&
			(next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}

// proofLasts is how long after a judgement no other one is asked for before a try. One that was
// made ahead of the start serves the binding as well, which waits a while more.
func proofLasts(r plan.Record, now time.Time) time.Duration {
	if now.Before(r.Grant.Window.Start.Time) {
		return proofFor - plan.Wait
	}
	return atOnce
}
