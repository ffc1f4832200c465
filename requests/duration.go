package requests

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// Duration is a length of time in whole minutes or hours, written 30m or 2h (R53: Go's own grammar
// also takes negative, fractional and repeated parts).
type Duration time.Duration

// DurationPattern is the form ParseDuration reads.
const DurationPattern = `^([1-9][0-9]{0,3})([mh])$`

var durationPattern = regexp.MustCompile(DurationPattern)

// ParseDuration reads 1m to 9999h.
func ParseDuration(s string) (Duration, error) {
	m := durationPattern.FindStringSubmatch(s)
	if m == nil {
		return 0, errors.New("a duration is a whole number of minutes or hours, such as 30m or 2h")
	}
	number, _ := strconv.Atoi(m[1]) // the pattern takes four digits
	unit := time.Minute
	if m[2] == "h" {
		unit = time.Hour
	}
	return Duration(time.Duration(number) * unit), nil
}

// UnmarshalText is ParseDuration.
func (d *Duration) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDuration(string(text))
	return err
}

// MarshalText writes the duration as ParseDuration reads it.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// MarshalYAML writes the duration as ParseDuration reads it.
func (d Duration) MarshalYAML() (any, error) { return d.String(), nil }

// String is the duration in hours when they are whole, else in minutes.
func (d Duration) String() string {
	if minutes := int64(time.Duration(d) / time.Minute); minutes%60 != 0 || minutes == 0 {
		return fmt.Sprintf("%dm", minutes)
	}
	return fmt.Sprintf("%dh", int64(time.Duration(d)/time.Hour))
}

// Time is an instant in UTC, written as RFC 3339 with Z and whole seconds (R53, R55).
type Time struct{ time.Time }

const timeLayout = "2006-01-02T15:04:05Z"

// TimePattern is the form of a Time, as far as a pattern can tell.
const TimePattern = `^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$`

// At is t in UTC, cut to the second.
func At(t time.Time) Time { return Time{t.UTC().Truncate(time.Second)} }

// UnmarshalText reads the one accepted form, for example 2026-11-23T08:00:00Z.
func (t *Time) UnmarshalText(text []byte) error {
	parsed, err := time.Parse(timeLayout, string(text))
	if err != nil || parsed.Format(timeLayout) != string(text) {
		return errors.New("a time is UTC in the form 2026-11-23T08:00:00Z")
	}
	t.Time = parsed
	return nil
}

// MarshalText writes the form UnmarshalText reads.
func (t Time) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// MarshalJSON writes the form UnmarshalText reads; without it time.Time's own would be used.
func (t Time) MarshalJSON() ([]byte, error) { return []byte(`"` + t.String() + `"`), nil }

// UnmarshalJSON reads what MarshalJSON writes.
func (t *Time) UnmarshalJSON(data []byte) error {
	text, err := strconv.Unquote(string(data))
	if err != nil {
		return err
	}
	return t.UnmarshalText([]byte(text))
}

// MarshalYAML writes the form UnmarshalText reads.
func (t Time) MarshalYAML() (any, error) { return t.String(), nil }

// String is the instant as files and trailers hold it.
func (t Time) String() string { return t.UTC().Format(timeLayout) }

// Window is when a grant holds: from Start on, and no longer at End (G2: now == End is already
// over).
type Window struct {
	Start Time `json:"start" yaml:"start"`
	End   Time `json:"end" yaml:"end"`
}

// NewWindow is the window of d that begins at start.
func NewWindow(start time.Time, d Duration) Window {
	begin := At(start)
	return Window{Start: begin, End: Time{begin.Add(time.Duration(d))}}
}

// Open tells whether now lies in the window.
func (w Window) Open(now time.Time) bool {
	return !now.Before(w.Start.Time) &&
		now.Before(w.End.Time)
}

// Empty tells a window that is never open.
func (w Window) Empty() bool { return !w.Start.Before(w.End.Time) }
