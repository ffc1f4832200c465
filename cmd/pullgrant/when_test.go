package main

import (
	"testing"
	"time"
)

func TestParseWhen(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"now": "2026-11-22T12:00:00Z", "2026-11-22T08:00:00Z": "2026-11-22T08:00:00Z",
		"2026-11-22T08:00:00+01:00": "2026-11-22T07:00:00Z", "2026-11-22 08:00": "2026-11-22T08:00:00Z",
		"2026-11-22 08:00:01": "2026-11-22T08:00:01Z", "2h": "2026-11-22T10:00:00Z",
		"2h ago": "2026-11-22T10:00:00Z", "90m ago": "2026-11-22T10:30:00Z",
		"7d": "2026-11-15T12:00:00Z", "1d ago": "2026-11-21T12:00:00Z", "0d": "2026-11-22T12:00:00Z",
	} {
		got, day, ok := parseWhen(text, now)
		if !ok || day || got.UTC().Format(time.RFC3339) != want {
			t.Errorf("%q: %s %v %v, want %s", text, got, day, ok, want)
		}
	}
	if got, day, ok := parseWhen("2026-11-20", now); !ok || !day || got.Day() != 20 || got.Hour() != 0 {
		t.Errorf("a day: %s %v %v", got, day, ok)
	}
	for _, text := range []string{"", "-2h", "-7d", "7", "d", "ago", "2026-13-01", "22.11.2026",
		"99999999d", "1w", "tomorrow"} {
		if got, _, ok := parseWhen(text, now); ok {
			t.Errorf("%q is taken for %s", text, got)
		}
	}
}
