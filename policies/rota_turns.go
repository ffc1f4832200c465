package policies

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// turn is a time in which people are on call.
type turn struct {
	requests.Window
	people []string
	by     string // who made the override that it is; empty: it is a shift
}

// turns are all that touch the time between two moments.
func (s RotaSpec) turns(from, until time.Time) (all []turn) {
	zone, err := time.LoadLocation(s.TimeZone)
	if err != nil {
		return nil // ParseRota has refused it
	}
	for _, shift := range s.Shifts {
		hours := requests.Hours{Days: shift.Days, From: shift.From, To: shift.To, TimeZone: s.TimeZone}
		for _, w := range hours.Occurrences(from, until) {
			if people := shift.on(w.Start.In(zone)); len(people) > 0 {
				all = append(all, turn{Window: w, people: people})
			}
		}
	}
	for _, o := range s.Overrides {
		all = append(all, turn{requests.Window{Start: o.From, End: o.To}, []string{o.Person}, o.By})
	}
	return all
}

// on are those whose turn it is in a shift that begins then: weeks are of seven days of the calendar,
// however long the clocks' changes make them.
func (s Shift) on(begin time.Time) []string {
	if s.Since == "" {
		return s.People
	}
	first, _ := dayOf(s.Since) // the form takes nothing else
	day := time.Date(begin.Year(), begin.Month(), begin.Day(), 0, 0, 0, 0, time.UTC)
	if day.Before(first) {
		return nil
	}
	week := int(day.Sub(first) / (7 * 24 * time.Hour))
	turn := week % len(s.People)
	return s.People[turn : turn+1]
}

// onAt are the turns of those who are on call at a moment: of its overrides, else of its shifts (R88).
func onAt(all []turn, moment time.Time) []turn {
	now := slices.DeleteFunc(slices.Clone(all), func(t turn) bool { return !t.Open(moment) })
	overrides := slices.DeleteFunc(slices.Clone(now), func(t turn) bool { return t.by == "" })
	if len(overrides) > 0 {
		return overrides
	}
	return now
}

// turnOf is the turn of somebody among some.
func turnOf(all []turn, login string) (turn, bool) {
	i := slices.IndexFunc(all, func(t turn) bool { return has(t.people, login) })
	if i < 0 {
		return turn{}, false
	}
	return all[i], true
}

// next is the first moment after another, and up to a last one, at which somebody is on call; zero
// where there is none. Only where a turn begins or ends can that change.
func (s RotaSpec) next(login string, after, last time.Time) (first time.Time) {
	all := s.turns(after, last)
	for _, t := range all {
		for _, moment := range []time.Time{t.Start.Time, t.End.Time} {
			_, on := turnOf(onAt(all, moment), login)
			if on && moment.After(after) && !moment.After(last) && (first.IsZero() || moment.Before(first)) {
				first = moment
			}
		}
	}
	return first
}

// reply is what a rota says of somebody at a moment. next is when they are on call next, up to a
// last moment; zero: they are now, or nobody can tell.
func (r rotaFile) reply(login string, moment, last time.Time) (reply Reply, next time.Time) {
	if len(r.findings) > 0 {
		return Reply{Verdict: No, Text: fmt.Sprintf("nobody is on call by %s, since it does not read: %s",
			requests.Quote(r.path), r.findings[0].Message)}, next
	}
	now := onAt(r.Spec.turns(moment, moment), moment)
	mine, on := turnOf(now, login)
	if !on {
		return Reply{Verdict: No, Text: whoIs(now)}, r.Spec.next(login, moment, last)
	}
	reply = Reply{Verdict: Yes}
	switch {
	case mine.by == "":
	case strings.EqualFold(mine.by, login):
		reply.Text = fmt.Sprintf("by an override that @%s made for themselves, until %s", mine.by, mine.End)
	default:
		reply.Text = fmt.Sprintf("by an override that @%s made, until %s", mine.by, mine.End)
	}
	return reply, next
}

// whoIs says who has some turns.
func whoIs(all []turn) string {
	var names []string
	for _, t := range all {
		names = append(names, t.people...)
	}
	const most = 5 // names that a text has room for
	switch names = sorted(names); {
	case len(names) == 0:
		return "nobody is"
	case len(names) > most:
		return fmt.Sprintf("@%s and %d more are", strings.Join(names[:most], ", @"), len(names)-most)
	case len(names) == 1:
		return "@" + names[0] + " is"
	}
	return "@" + strings.Join(names, ", @") + " are"
}
