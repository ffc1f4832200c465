package main

import (
	"fmt"
	"regexp"
	"time"
)

// moment is a time as people read it: by the clock of zone, with UTC beside it. The day is left out
// where it is today's.
func moment(t, now time.Time, zone *time.Location) string {
	const clock, day = "15:04:05", "2006-01-02 "
	layout := func(in *time.Location, today time.Time) string {
		if t.In(in).Format(day) == today.In(in).Format(day) {
			return clock
		}
		return day + clock
	}
	local := t.In(zone)
	text := local.Format(layout(zone, now) + " MST")
	if _, offset := local.Zone(); offset == 0 {
		return text
	}
	// beside a day of its own, or one that goes without saying, UTC's is named where it is another
	utc := clock
	if local.Format(day) != t.UTC().Format(day) {
		utc = day + clock
	}
	return text + t.UTC().Format(" ("+utc+" UTC)")
}

// instant is a time in UTC as files and messages hold it, or the agent's comments.
var instant = regexp.MustCompile(
	`\b([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2}:[0-9]{2})(Z| UTC)\b`)

// moments is text in which each time in UTC is written as moment does.
func moments(text string, now time.Time, zone *time.Location) string {
	return instant.ReplaceAllStringFunc(text, func(found string) string {
		parts := instant.FindStringSubmatch(found)
		t, err := time.Parse(time.DateTime, parts[1]+" "+parts[2])
		if err != nil {
			return found
		}
		return moment(t, now, zone)
	})
}

// span is how long something lasts, in the two units that matter, and never more than it does.
func span(d time.Duration) string {
	minutes, hours := int(d.Minutes()), int(d.Hours())
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", max(0, int(d.Seconds())))
	case minutes < 60:
		return fmt.Sprintf("%d min", minutes)
	case hours < 48 && minutes%60 == 0:
		return fmt.Sprintf("%d h", hours)
	case hours < 48:
		return fmt.Sprintf("%d h %d min", hours, minutes%60)
	case hours%24 == 0:
		return fmt.Sprintf("%d days", hours/24)
	}
	return fmt.Sprintf("%d days %d h", hours/24, hours%24)
}

// forPeople is a report whose times are those of the reader's clock.
func (w world) forPeople() report {
	now := w.now()
	return report{times: func(text string) string { return moments(text, now, now.Location()) }}
}
