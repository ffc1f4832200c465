// Package clocks has clocks that somebody sets.
package clocks

import (
	"time"
	"unsafe"
)

// Set is what a machine reads whose clock somebody set ahead by that much, when it is now: its wall
// clock is another one, its monotonic clock counts from the same beginning all the same. It can be
// compared with what else Set returns. Nothing in the standard library makes such a Time, nor has a
// Time a monotonic part in a bubble of testing/synctest; so it is put together by the parts that the
// comment at time.Time's type tells of.
func Set(now time.Time, ahead time.Duration) time.Time {
	const hasMonotonic = 1 << 63
	wall := now.Add(ahead)
	parts := struct {
		wall uint64
		ext  int64
		loc  *time.Location // nil: UTC
	}{ext: now.UnixNano(), wall: hasMonotonic | uint64(wall.Nanosecond()) |
		uint64(wall.Unix()-time.Date(1885, 1, 1, 0, 0, 0, 0, time.UTC).Unix())<<30}
	return *(*time.Time)(unsafe.Pointer(&parts))
}
