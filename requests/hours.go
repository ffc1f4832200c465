package requests

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // where the machine has no zones of its own
)

// Hours are times of the week, as the clocks of a zone show them: on each of the days, from one
// time to another. Access lies inside of them.
type Hours struct {
	Days     []string `yaml:"days" json:"days"` // of Weekdays: those on which they begin
	From     string   `yaml:"from" json:"from"`
	To       string   `yaml:"to" json:"to"` // not after From: of the next day
	TimeZone string   `yaml:"timeZone" json:"timeZone"`
}

// Weekdays are the words of Hours.Days.
var Weekdays = []string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}

// Forms of the times and the zone of Hours.
const (
	FromPattern = `^([01][0-9]|2[0-3]):[0-5][0-9]$`
	ToPattern   = `^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$`
	ZonePattern = `^[A-Z][A-Za-z0-9_+-]*(/[A-Z][A-Za-z0-9_+-]*)*$`
)

var (
	fromPattern = regexp.MustCompile(FromPattern)
	toPattern   = regexp.MustCompile(ToPattern)
	zonePattern = regexp.MustCompile(ZonePattern)
)

// CheckFrom tells what is wrong with the beginning of hours; empty when nothing is.
func CheckFrom(s string) string { return mustMatch(fromPattern, s, "a time such as 08:00") }

// CheckTo tells what is wrong with the end of hours; empty when nothing is.
func CheckTo(s string) string {
	return mustMatch(toPattern, s, "a time such as 18:00, or 24:00 for the day's end")
}

// CheckZone tells what is wrong with a zone; empty when nothing is. What is the machine's own is
// none: another machine, which judges the same, has another.
func CheckZone(s string) string {
	_, err := time.LoadLocation(s)
	if s == "Local" || !zonePattern.MatchString(s) || err != nil {
		return "it must be a zone of the IANA database, such as Europe/Stockholm or UTC"
	}
	return ""
}

// String is the hours as people read them.
func (h Hours) String() string {
	return fmt.Sprintf("%s from %s to %s %s", strings.Join(h.Days, ", "), h.From, h.To, h.TimeZone)
}

const (
	// minAccess is the least that hours must leave of access: what is shorter is not open.
	minAccess = time.Minute
	// horizon is how far ahead hours are looked for. They come again each week, but for those that
	// fall into the hour that a zone leaves out.
	horizon = 16 * 24 * time.Hour
)

// Spans are when any of the hours is open between two moments, in their order: not cut there, and
// those that touch are one.
func Spans(all []Hours, from, until time.Time) (spans []Window) {
	var each []Window
	for _, h := range all {
		each = append(each, h.Occurrences(from, until)...)
	}
	slices.SortFunc(each, func(a, b Window) int { return a.Start.Compare(b.Start.Time) })
	for _, w := range each {
		last := len(spans) - 1
		switch {
		case last < 0 || spans[last].End.Before(w.Start.Time):
			spans = append(spans, w)
		case spans[last].End.Before(w.End.Time):
			spans[last].End = w.End
		}
	}
	return spans
}

// Occurrences are when the hours are open, as far as that touches what lies between two moments.
// Hours in a zone that this program does not know are never open.
func (h Hours) Occurrences(from, until time.Time) (all []Window) {
	zone, err := time.LoadLocation(h.TimeZone)
	if err != nil || CheckFrom(h.From) != "" || CheckTo(h.To) != "" {
		return nil
	}
	const odd = 2 * 24 * time.Hour // what a zone is from UTC, and a day that one may have left out
	day, last := from.Add(-odd).UTC().Truncate(24*time.Hour), until.Add(odd)
	for ; day.Before(last); day = day.AddDate(0, 0, 1) {
		if !slices.Contains(h.Days, day.Weekday().String()[:3]) {
			continue
		}
		begin, end := clockAt(day, h.From), clockAt(day, h.To)
		if !begin.Before(end) {
			end = end.AddDate(0, 0, 1)
		}
		w := Window{At(instant(zone, begin, false)), At(instant(zone, end, true))}
		if !w.Empty() && !w.End.Before(from) && !w.Start.After(until) {
			all = append(all, w)
		}
	}
	return all
}

// clockAt is a day with the time of a clock.
func clockAt(day time.Time, clock string) time.Time {
	hour, _ := strconv.Atoi(clock[:2]) // the pattern takes two digits each
	minute, _ := strconv.Atoi(clock[3:])
	return day.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute)
}

// instant is the moment at which the clocks of a zone show a time, which is given as UTC. What they
// show twice is the first or the last of the two; what they leave out is the moment at which they
// are changed.
func instant(zone *time.Location, shown time.Time, last bool) time.Time {
	near := time.Date(shown.Year(), shown.Month(), shown.Day(), shown.Hour(), shown.Minute(), 0, 0,
		zone)
	begin, end := near.ZoneBounds()
	around, changes := []time.Time{near}, []time.Time{}
	if !begin.IsZero() {
		around, changes = append(around, begin.Add(-time.Second)), append(changes, begin)
	}
	if !end.IsZero() {
		around, changes = append(around, end), append(changes, end)
	}
	var found []time.Time
	for _, t := range around {
		if at := shown.Add(-offset(t)); offset(at.In(zone)) == offset(t) {
			found = append(found, at)
		}
	}
	switch {
	case len(found) > 0 && last:
		return slices.MaxFunc(found, time.Time.Compare)
	case len(found) > 0:
		return slices.MinFunc(found, time.Time.Compare)
	}
	for _, t := range changes {
		left := t.Add(offset(t.Add(-time.Second))) // the first that is not shown, as shown has it
		if !shown.Before(left) && shown.Before(t.Add(offset(t))) {
			return t
		}
	}
	return near
}

func offset(t time.Time) time.Duration {
	_, seconds := t.Zone()
	return time.Duration(seconds) * time.Second
}

// Opening is when any of the hours is open next, from at on, for a minute or more: at itself where
// it is now. Its end is told as far as length after its start; ok is false where there is none.
func Opening(all []Hours, at time.Time, length time.Duration) (w Window, ok bool) {
	at = At(at).Time
	for _, w := range Spans(all, at, at.Add(horizon+length)) {
		if w.Start.Before(at) {
			w.Start.Time = at
		}
		if w.End.Sub(w.Start.Time) >= minAccess {
			return w, true
		}
	}
	return Window{}, false
}

// Within is what is left of a window in the first of the grant's hours that it meets: empty where
// that is less than a minute.
func (g Grant) Within(w Window) Window {
	if len(g.Windows) == 0 {
		return w
	}
	open, ok := Opening(g.Windows, w.Start.Time, w.End.Sub(w.Start.Time))
	if w.End.Before(open.End.Time) {
		open.End = w.End
	}
	if !ok || open.End.Sub(open.Start.Time) < minAccess {
		return Window{w.Start, w.Start}
	}
	return open
}

// Cut says that a window of the grant is shorter than what is asked for, as its hours end before;
// empty where they do not.
func (g Grant) Cut(w Window) string {
	asked := g.Until
	if asked.IsZero() || g.AtMost > 0 {
		asked = NewWindow(w.Start.Time, cmp.Or(g.AtMost, g.Duration)).End
	}
	if len(g.Windows) == 0 || w.Empty() || !w.End.Before(asked.Time) {
		return ""
	}
	for _, h := range g.Windows {
		for _, one := range h.Occurrences(w.Start.Time, w.End.Time) {
			if zone, err := time.LoadLocation(h.TimeZone); err == nil && one.End.Equal(w.End.Time) {
				return fmt.Sprintf("cut at %s %s, the window's end", w.End.In(zone).Format("15:04"),
					h.TimeZone)
			}
		}
	}
	return "cut at " + w.End.String() + ", a window's end"
}
