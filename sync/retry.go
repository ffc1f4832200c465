package sync

import "time"

const (
	firstPause = 5 * time.Second
	longPause  = 5 * time.Minute
)

// retry is when something is tried again. The zero value is due at once.
type retry struct {
	next  time.Time
	pause time.Duration // after the last try, when that did not work
}

// due tells whether it is to be tried now. After a try that did not work, a time farther away than the pause
// says that the clock was set back.
func (r retry) due(now time.Time) bool {
	return !now.Before(r.next) || r.pause > 0 && r.next.Sub(now) > r.pause
}

// dueWithin is due for what is never put off by more than most: a time farther away says that the
// clock was set back.
func (r retry) dueWithin(now time.Time, most time.Duration) bool {
	return r.due(now) || r.next.Sub(now) > most
}

// later puts it off after a try that did not work, longer each time.
func (r *retry) later(now time.Time) {
	r.pause = min(max(2*r.pause, firstPause), longPause)
	r.next = now.Add(r.pause)
}

// done puts it off until next after a try that worked.
func (r *retry) done(next time.Time) { *r = retry{next: next} }
