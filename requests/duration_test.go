package requests_test

import (
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// TestTimesAreUTC: no file holds local time, an offset, a fraction or a leap second (R53, R55).
func TestTimesAreUTC(t *testing.T) {
	var at requests.Time
	if err := at.UnmarshalText([]byte("2026-11-23T08:00:00Z")); err != nil ||
		at.String() != "2026-11-23T08:00:00Z" {
		t.Errorf("%s, %v", at, err)
	}
	for _, text := range []string{"", "2026-11-23", "2026-11-23T08:00:00",
		"2026-11-23T08:00:00+02:00",
		"2026-11-23T08:00:00+00:00",
		"2026-11-23T08:00:00.5Z", "2026-11-23T08:00:00,5Z", "2026-11-23t08:00:00z",
		"2026-11-23T24:00:00Z", "2026-11-23T08:00:60Z",
		"2026-11-23 08:00:00Z", "2026-02-30T08:00:00Z", " 2026-11-23T08:00:00Z"} {
		if err := at.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was read as %s", text, at)
		}
	}
}

// TestTimesInJSON: JSON holds the same one form, as a string.
func TestTimesInJSON(t *testing.T) {
	for text, good := range map[string]bool{`"2026-11-23T08:00:00Z"`: true, `"2026-11-23"`: false,
		`20261123`: false, `null`: false} {
		var at requests.Time
		if err := at.UnmarshalJSON([]byte(text)); (err == nil) != good {
			t.Errorf("%s is read as %s, %v", text, at, err)
		}
	}
}

// TestWindow: at its end a window is over (G2), and it starts on the second.
func TestWindow(t *testing.T) {
	start := time.Date(2026, 11, 23, 8, 0, 0, 999, time.FixedZone("x", 3600))
	w := requests.NewWindow(start, requests.Duration(time.Hour))
	if w.Start.String() != "2026-11-23T07:00:00Z" || w.End.String() != "2026-11-23T08:00:00Z" {
		t.Errorf("window %v", w)
	}
	for at, open := range map[time.Time]bool{w.Start.Add(-1): false, w.Start.Time: true,
		w.End.Add(-1): true, w.End.Time: false} {
		if w.Open(at) != open {
			t.Errorf("open at %s: %t, want %t", at, !open, open)
		}
	}
}
