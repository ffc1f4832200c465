package main

import (
	"strconv"
	"strings"
	"time"
)

// whenForms says how a moment is written on the command line.
const whenForms = "write 2026-11-22T08:00:00Z, \"2026-11-22 08:00\" (UTC), 2026-11-22, now, or " +
	"how long ago it was: 90m, 2h, 7d"

// parseWhen reads a moment; ok is false when the text is none. day tells that it names a whole day,
// and is its beginning. Without a zone it is UTC, as all that the ledger tells.
func parseWhen(text string, now time.Time) (t time.Time, day, ok bool) {
	text = strings.TrimSpace(text)
	if text == "now" {
		return now, false, true
	}
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t, true, true
	}
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04"} {
		if t, err := time.Parse(form, strings.Replace(text, " ", "T", 1)); err == nil {
			return t, false, true
		}
	}
	ago := strings.TrimSpace(strings.TrimSuffix(text, "ago"))
	if number, ok := strings.CutSuffix(ago, "d"); ok {
		const most = 100 * 366
		days, err := strconv.Atoi(number)
		return now.AddDate(0, 0, -days), false, err == nil && days >= 0 && days <= most
	}
	d, err := time.ParseDuration(ago)
	return now.Add(-d), false, err == nil && d >= 0
}
