package requests_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// hours reads "Mon,Tue 08:00-18:00 Europe/Stockholm".
func hours(text string) requests.Hours {
	days, rest, _ := strings.Cut(text, " ")
	span, zone, _ := strings.Cut(rest, " ")
	from, to, _ := strings.Cut(span, "-")
	return requests.Hours{Days: strings.Split(days, ","), From: from, To: to, TimeZone: zone}
}

const everyDay = "Mon,Tue,Wed,Thu,Fri,Sat,Sun"

// openings has a name, hours and the opening and the end that they have, in UTC.
const openings = `
a winter's day | Mon 08:00-18:00 Europe/Stockholm | 2026-11-23 07:00 | 2026-11-23 17:00
a summer's day | Mon 08:00-18:00 Europe/Stockholm | 2026-07-20 06:00 | 2026-07-20 16:00
over midnight | Fri 22:00-06:00 Europe/Stockholm | 2026-11-27 21:00 | 2026-11-28 05:00
to midnight | Fri 22:00-24:00 Europe/Stockholm | 2026-11-27 21:00 | 2026-11-27 23:00
to the next day's | Fri 22:00-00:00 Europe/Stockholm | 2026-11-27 21:00 | 2026-11-27 23:00
from midnight | Sat 00:00-01:00 Europe/Stockholm | 2026-11-27 23:00 | 2026-11-28 00:00
a leap day | Tue 08:00-24:00 UTC | 2028-02-29 08:00 | 2028-03-01 00:00
after a leap day | Wed 00:00-06:00 UTC | 2028-03-01 00:00 | 2028-03-01 06:00
no leap day | Sun 20:00-04:00 UTC | 2027-02-28 20:00 | 2027-03-01 04:00
the year's end | Thu 20:00-04:00 Europe/Stockholm | 2026-12-31 19:00 | 2027-01-01 03:00
half an hour off | Mon 09:00-17:00 Asia/Kolkata | 2026-11-23 03:30 | 2026-11-23 11:30
three quarters | Mon 09:00-17:00 Asia/Kathmandu | 2026-11-23 03:15 | 2026-11-23 11:15
no summer time | Mon 09:00-17:00 Africa/Lagos | 2026-07-20 08:00 | 2026-07-20 16:00
the day's zone | Mon 01:00-02:00 Pacific/Auckland | 2026-11-22 12:00 | 2026-11-22 13:00
one and another | Mon 08:00-12:00 UTC + Mon 12:00-18:00 UTC | 2026-11-23 08:00 | 2026-11-23 18:00
one in another | Mon 08:00-18:00 UTC + Mon 09:00-10:00 UTC | 2026-11-23 08:00 | 2026-11-23 18:00
two zones | Mon 08:00-12:00 Europe/Stockholm + Mon 06:00-12:00 America/New_York | 2026-11-23 07:00 | 2026-11-23 17:00
a day and another | Mon 00:00-24:00 UTC + Tue 00:00-24:00 UTC | 2026-11-23 00:00 | 2026-11-25 00:00
# Clocks go from 02:00 to 03:00, and in autumn from 03:00 to 02:00.
spring, over it | Sun 01:00-04:00 Europe/Stockholm | 2027-03-28 00:00 | 2027-03-28 02:00
spring, from within | Sun 02:30-04:00 Europe/Stockholm | 2027-03-28 01:00 | 2027-03-28 02:00
spring, to within | Sun 01:00-02:30 Europe/Stockholm | 2027-03-28 00:00 | 2027-03-28 01:00
spring, nothing of it | Sun 02:15-02:45 Europe/Stockholm | 2027-04-04 00:15 | 2027-04-04 00:45
spring, the night | Sat 22:00-06:00 Europe/Stockholm | 2027-03-27 21:00 | 2027-03-28 04:00
autumn, over it | Sun 01:00-04:00 Europe/Stockholm | 2026-10-24 23:00 | 2026-10-25 03:00
autumn, from the first | Sun 02:30-04:00 Europe/Stockholm | 2026-10-25 00:30 | 2026-10-25 03:00
autumn, to the second | Sun 01:00-02:30 Europe/Stockholm | 2026-10-24 23:00 | 2026-10-25 01:30
autumn, within | Sun 02:15-02:45 Europe/Stockholm | 2026-10-25 00:15 | 2026-10-25 01:45
autumn, to the change | Sun 01:00-03:00 Europe/Stockholm | 2026-10-24 23:00 | 2026-10-25 02:00
autumn, from the change | Sun 03:00-04:00 Europe/Stockholm | 2026-10-25 02:00 | 2026-10-25 03:00
March in New York | Sun 02:30-04:00 America/New_York | 2027-03-14 07:00 | 2027-03-14 08:00
November in New York | Sun 01:30-02:30 America/New_York | 2026-11-01 05:30 | 2026-11-01 07:30
at midnight in Santiago | Sun 00:00-02:00 America/Santiago | 2026-09-06 04:00 | 2026-09-06 05:00
a day is left out | Fri,Sat 00:00-24:00 Pacific/Apia | 2011-12-30 10:00 | 2011-12-31 10:00
half an hour's change | Sun 01:45-03:00 Australia/Lord_Howe | 2027-04-03 14:45 | 2027-04-03 16:30
`

// TestOpening: of each row the hours are closed a second before its opening, open at it and a minute
// before its end, and closed at that, as they are when less than a minute is left.
func TestOpening(t *testing.T) {
	for _, row := range rows(openings) {
		t.Run(row[0], func(t *testing.T) {
			var all []requests.Hours
			for text := range strings.SplitSeq(row[1], " + ") {
				h := hours(text)
				for _, problem := range []string{requests.CheckFrom(h.From), requests.CheckTo(h.To),
					requests.CheckZone(h.TimeZone)} {
					if problem != "" {
						t.Fatal(problem)
					}
				}
				all = append(all, h)
			}
			want := requests.Window{Start: at(t, row[2]), End: at(t, row[3])}
			for _, from := range []time.Duration{-24 * time.Hour, -time.Minute, -time.Second, 0} {
				if got, ok := requests.Opening(all, want.Start.Add(from), 0); !ok || got != want {
					t.Errorf("%s before, the next is %v", -from, got)
				}
			}
			later := requests.Window{Start: want.End, End: want.End}
			later.Start.Time = later.Start.Add(-time.Minute)
			if got, _ := requests.Opening(all, later.Start.Time, 0); got != later {
				t.Errorf("a minute before the end, the next is %v", got)
			}
			for _, to := range []time.Duration{-59 * time.Second, 0, time.Second} {
				if got, _ := requests.Opening(all, want.End.Add(to), 0); !got.Start.After(want.End.Time) {
					t.Errorf("%s after the end, the next is %v", to, got)
				}
			}
		})
	}
}

// rows are the lines of a table, but for those that only tell something.
func rows(table string) (all [][]string) {
	for line := range strings.Lines(table) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		var row []string
		for cell := range strings.SplitSeq(line, "|") {
			row = append(row, strings.TrimSpace(cell))
		}
		all = append(all, row)
	}
	return all
}

// at reads a time in UTC, with or without seconds; zero where there is none.
func at(t testing.TB, text string) requests.Time {
	t.Helper()
	if text == "" {
		return requests.Time{}
	}
	if len(text) == len("2026-11-23 10:00") {
		text += ":00"
	}
	at, err := time.Parse(time.DateTime, text)
	if err != nil {
		t.Fatal(err)
	}
	return requests.At(at)
}

// TestHoursLeftOut: what lies in the hour that the clocks leave out is open a week later.
func TestHoursLeftOut(t *testing.T) {
	night := []requests.Hours{hours("Sun 02:15-02:45 Europe/Stockholm")}
	got, _ := requests.Opening(night, at(t, "2027-03-21 01:45").Time, 0)
	if want := at(t, "2027-04-04 00:15"); got.Start != want {
		t.Errorf("it is open from %s on, not from %s", got.Start, want)
	}
}

// TestHoursWithoutEnd: what is open on every day holds whatever is asked for.
func TestHoursWithoutEnd(t *testing.T) {
	g := requests.Grant{Duration: requests.Duration(9999 * time.Hour),
		Windows: []requests.Hours{hours(everyDay + " 00:00-24:00 Europe/Stockholm")}}
	if w := g.From(at(t, "2026-11-23 10:00").Time); w.Length() != "9999h" || g.Cut(w) != "" {
		t.Errorf("%v %s, %s", w, w.Length(), g.Cut(w))
	}
}

func TestHoursNeverOpen(t *testing.T) {
	for _, text := range []string{"Mon 08:00-18:00 Local", "Mon 08:00-18:00 Nowhere/Else",
		"Mon 25:00-26:00 UTC", "Mon 8-18 UTC", "Mo 08:00-18:00 UTC"} {
		g := requests.Grant{Duration: requests.Duration(time.Hour),
			Windows: []requests.Hours{hours(text)}}
		if w := g.From(at(t, "2026-11-23 10:00").Time); text != "Mon 08:00-18:00 Local" &&
			!w.Empty() {
			t.Errorf("%s: %v", text, w)
		}
	}
	for _, zone := range []string{"", "Local", "local", "Nowhere/Else", "posix/Europe/Stockholm",
		"right/UTC", "/Europe/Stockholm", "../Europe/Stockholm", "europe/stockholm"} {
		if requests.CheckZone(zone) == "" {
			t.Errorf("%q is a zone", zone)
		}
	}
}

// inHours has what is asked for in weekdays from 08:00 to 18:00 in Stockholm: a name, for how long,
// the merge, notBefore and until; and the window, which ends where none can hold it, with whether it
// is cut.
const inHours = `
inside | 1h | 2026-11-23 10:00 | | | 2026-11-23 10:00 | 2026-11-23 11:00 |
before | 1h | 2026-11-23 05:00 | | | 2026-11-23 07:00 | 2026-11-23 08:00 |
a second before | 1h | 2026-11-23 06:59:59 | | | 2026-11-23 07:00 | 2026-11-23 08:00 |
cut | 2h | 2026-11-23 16:30 | | | 2026-11-23 16:30 | 2026-11-23 17:00 | cut
to the end | 1h | 2026-11-23 16:00 | | | 2026-11-23 16:00 | 2026-11-23 17:00 |
a minute is left | 1h | 2026-11-23 16:59 | | | 2026-11-23 16:59 | 2026-11-23 17:00 | cut
less than a minute | 1h | 2026-11-23 16:59:01 | | | 2026-11-24 07:00 | 2026-11-24 08:00 |
after | 1h | 2026-11-23 17:00 | | | 2026-11-24 07:00 | 2026-11-24 08:00 |
over the weekend | 1h | 2026-11-27 17:00 | | | 2026-11-30 07:00 | 2026-11-30 08:00 |
not before, inside | 1h | 2026-11-23 05:00 | 2026-11-23 09:00 | | 2026-11-23 09:00 | 2026-11-23 10:00 |
not before, outside | 1h | 2026-11-23 10:00 | 2026-11-23 20:00 | | 2026-11-24 07:00 | 2026-11-24 08:00 |
until, inside | | 2026-11-23 05:00 | | 2026-11-23 09:00 | 2026-11-23 07:00 | 2026-11-23 09:00 |
until, after its end | | 2026-11-23 10:00 | | 2026-11-23 20:00 | 2026-11-23 10:00 | 2026-11-23 17:00 | cut
until before it | | 2026-11-23 05:00 | | 2026-11-23 07:00:59 | 2026-11-23 05:00 | |
until a minute of it | | 2026-11-23 05:00 | | 2026-11-23 07:01 | 2026-11-23 07:00 | 2026-11-23 07:01 |
`

// TestGrantInHours: R64.
func TestGrantInHours(t *testing.T) {
	office := hours("Mon,Tue,Wed,Thu,Fri 08:00-18:00 Europe/Stockholm")
	for _, c := range rows(inHours) {
		t.Run(c[0], func(t *testing.T) {
			g := requests.Grant{Windows: []requests.Hours{office}, NotBefore: at(t, c[3]),
				Until: at(t, c[4])}
			if c[1] != "" {
				g.Duration, _ = requests.ParseDuration(c[1])
			}
			want := requests.Window{Start: at(t, c[5]), End: at(t, cmp.Or(c[6], c[5]))}
			got := g.From(at(t, c[2]).Time)
			if got != want || got.Empty() != (c[6] == "") {
				t.Errorf("got %v, want %v", got, want)
			}
			said := map[string]string{"cut": "cut at 18:00 Europe/Stockholm, the window's end"}[c[7]]
			if cut := g.Cut(got); cut != said {
				t.Errorf("said %q, want %q", cut, said)
			}
		})
	}
}

// FuzzHours compares with an oracle that looks at the clocks each minute: at the next opening and
// until its end it is open, and at no minute before.
func FuzzHours(f *testing.F) {
	zones := []string{"UTC", "Europe/Stockholm", "America/New_York", "Asia/Kolkata",
		"Australia/Lord_Howe", "Africa/Casablanca", "America/Santiago", "Asia/Beirut",
		"Pacific/Chatham", "America/Havana", "Pacific/Apia"}
	for i, day := range []string{"2026-10-23", "2027-03-26", "2026-10-30", "2027-03-12", "2028-02-28",
		"2026-12-30", "2027-04-02", "2026-09-04", "2011-12-28"} {
		start, err := time.Parse(time.DateOnly, day)
		if err != nil {
			f.Fatal(err)
		}
		for zone := range zones {
			minutes := start.Unix() / 60
			add := func(days uint8, from, to int, days2 uint8, from2, to2 uint16) {
				f.Add(minutes, uint8(zone), days, uint16(from), uint16(to), days2, from2, to2)
			}
			add(127, 150, 165, 96, 60, 120)
			add(64, i*100, 150, 0, 0, 1)
			add(127, 0, 1440, 1, 1380, 60)
		}
	}
	f.Fuzz(func(t *testing.T, minute int64, zone, days uint8, from, to uint16, days2 uint8, from2,
		to2 uint16) {
		year1990, year2090 := int64(10519200), int64(63115200)
		minute = year1990 + (minute%(year2090-year1990)+year2090-year1990)%(year2090-year1990)
		all := []requests.Hours{fuzzHours(zones[int(zone)%len(zones)], days, from, to),
			fuzzHours(zones[int(zone/16)%len(zones)], days2, from2, to2)}
		begin := time.Unix(minute*60, 0).UTC()
		open := oracle(t, all, begin)
		got, ok := requests.Opening(all, begin, 0)
		first := slices.Index(open, true)
		if first < 0 {
			if ok && got.Start.Before(begin.Add(time.Duration(len(open))*time.Minute)) {
				t.Fatalf("%v: from %s on it is open at %v, and the clocks say never", all, begin, got)
			}
			return
		}
		length := slices.Index(open[first:], false)
		want := requests.NewWindow(begin.Add(time.Duration(first)*time.Minute),
			requests.Duration(time.Duration(length)*time.Minute))
		if length < 0 {
			want.End = got.End
		}
		if got != want {
			t.Fatalf("%v: from %s on it is open at %v, and the clocks say %v", all, begin, got, want)
		}
	})
}

func fuzzHours(zone string, days uint8, from, to uint16) requests.Hours {
	h := requests.Hours{TimeZone: zone, From: clock(int(from) % 1440), To: clock(int(to) % 1441)}
	for i, day := range requests.Weekdays {
		if days&(1<<i) != 0 {
			h.Days = append(h.Days, day)
		}
	}
	return h
}

func clock(minute int) string { return fmt.Sprintf("%02d:%02d", minute/60, minute%60) }

// oracle tells of each minute of eight days whether it is open: what lies between the first and the
// last minute at which the clocks show a time of a window of one day.
func oracle(t *testing.T, all []requests.Hours, begin time.Time) []bool {
	open := make([]bool, 8*24*60)
	const early = 3 * 24 * 60
	for _, h := range all {
		zone, err := time.LoadLocation(h.TimeZone)
		if err != nil {
			t.Fatal(err)
		}
		from, to := minuteOf(h.From), minuteOf(h.To)
		if to <= from {
			to += 24 * 60
		}
		type shown struct{ day, minute int } // days since 1970 as the clocks show them
		all := make([]shown, 0, len(open)+2*early)
		for n := -early; n < len(open)+early; n++ {
			local := begin.Add(time.Duration(n) * time.Minute).In(zone)
			naive := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, time.UTC)
			all = append(all, shown{int(naive.Unix() / 86400), local.Hour()*60 + local.Minute()})
		}
		for day := all[0].day; day <= all[len(all)-1].day; day++ {
			name := time.Unix(int64(day)*86400, 0).UTC().Weekday().String()[:3]
			if !slices.Contains(h.Days, name) {
				continue
			}
			first, end := -1, -1
			for n, s := range all {
				minute := s.minute + (s.day-day)*24*60
				if minute >= from && minute < to {
					if first < 0 {
						first = n
					}
					end = n + 1
				}
				if minute == to { // shown twice, it is the second
					end = max(end, n)
				}
			}
			for n := max(first, early); first >= 0 && n < end && n-early < len(open); n++ {
				open[n-early] = true
			}
		}
	}
	return open
}

func minuteOf(clock string) (minute int) {
	var hour int
	_, _ = fmt.Sscanf(clock, "%d:%d", &hour, &minute)
	return hour*60 + minute
}
