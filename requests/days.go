package requests

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// Days is a length of time in whole days of 24 hours, written 90d: for what happens a few times a
// year, of which hours would be hard to read.
type Days int

// DaysPattern is the form of Days.
const DaysPattern = `^([1-9][0-9]{0,2})d$`

var daysPattern = regexp.MustCompile(DaysPattern)

// UnmarshalText reads 1d to 999d.
func (d *Days) UnmarshalText(text []byte) error {
	m := daysPattern.FindStringSubmatch(string(text))
	if m == nil {
		return errors.New("it is a whole number of days, 1d to 999d, such as 90d")
	}
	n, err := strconv.Atoi(m[1])
	*d = Days(n)
	return err
}

// MarshalText writes the form UnmarshalText reads.
func (d Days) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// MarshalYAML writes the form UnmarshalText reads.
func (d Days) MarshalYAML() (any, error) { return d.String(), nil }

// String is the number with its unit.
func (d Days) String() string { return fmt.Sprintf("%dd", int(d)) }

// Long is how long the days are.
func (d Days) Long() time.Duration { return time.Duration(d) * 24 * time.Hour }

// Day is a day in UTC, written 2026-11-23.
type Day struct{ time.Time }

// DayPattern is the form of a Day, as far as a pattern can tell.
const DayPattern = `^[0-9]{4}-[0-9]{2}-[0-9]{2}$`

// DayOf is the day that a moment lies in.
func DayOf(t time.Time) Day { return Day{t.UTC().Truncate(24 * time.Hour)} }

// UnmarshalText reads the one accepted form.
func (d *Day) UnmarshalText(text []byte) error {
	parsed, err := time.Parse(time.DateOnly, string(text))
	if err != nil || parsed.Format(time.DateOnly) != string(text) {
		return errors.New("a day is in UTC in the form 2026-11-23")
	}
	d.Time = parsed
	return nil
}

// MarshalText writes the form UnmarshalText reads.
func (d Day) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// MarshalJSON writes the form UnmarshalText reads; without it time.Time's own would be used.
func (d Day) MarshalJSON() ([]byte, error) { return []byte(`"` + d.String() + `"`), nil }

// UnmarshalJSON reads what MarshalJSON writes.
func (d *Day) UnmarshalJSON(data []byte) error {
	text, err := strconv.Unquote(string(data))
	if err != nil {
		return err
	}
	return d.UnmarshalText([]byte(text))
}

// MarshalYAML writes the form UnmarshalText reads.
func (d Day) MarshalYAML() (any, error) { return d.String(), nil }

// String is the day as files hold it.
func (d Day) String() string { return d.UTC().Format(time.DateOnly) }
