package main

import (
	"testing"
	"time"
	_ "time/tzdata" // the zones are those of the test, whatever the machine has
)

func TestMoment(t *testing.T) {
	zone := func(name string) *time.Location {
		l, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	now := time.Date(2026, 11, 23, 18, 0, 0, 0, time.UTC)
	for _, c := range []struct{ at, zone, want string }{
		{"2026-11-23T19:15:07Z", "Europe/Stockholm", "20:15:07 CET (19:15:07 UTC)"},
		{"2026-11-23T19:15:07Z", "UTC", "19:15:07 UTC"},
		{"2026-11-24T19:15:07Z", "UTC", "2026-11-24 19:15:07 UTC"},
		{"2026-11-22T08:30:00Z", "Europe/Stockholm", "2026-11-22 09:30:00 CET (08:30:00 UTC)"},
		{"2026-11-23T23:30:00Z", "Europe/Stockholm",
			"2026-11-24 00:30:00 CET (2026-11-23 23:30:00 UTC)"},
		{"2026-11-24T02:00:00Z", "America/New_York", "21:00:00 EST (2026-11-24 02:00:00 UTC)"},
		{"2026-11-23T19:15:07Z", "Asia/Kolkata",
			"2026-11-24 00:45:07 IST (2026-11-23 19:15:07 UTC)"},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := moment(at, now, zone(c.zone)); got != c.want {
			t.Errorf("%s in %s is %q, want %q", c.at, c.zone, got, c.want)
		}
	}
	const text = "2026-11-23T19:15:07Z to 2026-11-23 19:15:08 UTC, 2026-13-23T19:15:07Z"
	if got := moments(text, now, zone("Europe/Stockholm")); got !=
		"20:15:07 CET (19:15:07 UTC) to 20:15:08 CET (19:15:08 UTC), 2026-13-23T19:15:07Z" {
		t.Errorf("moments gives %q", got)
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0 s", 59*time.Second + 999*time.Millisecond: "59 s", time.Minute: "1 min",
		42*time.Minute + 59*time.Second: "42 min", time.Hour: "1 h",
		3*time.Hour + 20*time.Minute: "3 h 20 min", 47 * time.Hour: "47 h",
		48 * time.Hour: "2 days", 75 * time.Hour: "3 days 3 h",
	} {
		if got := span(d); got != want {
			t.Errorf("%s is %q, want %q", d, got, want)
		}
	}
}
