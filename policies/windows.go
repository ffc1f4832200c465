package policies

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// maxWindows bounds the windows of a policy: several for each day of the week.
const maxWindows = 20

var windowFields = requests.Fields{
	"PolicySpec.windows": {About: "When access may be: inside of one of these, and of one after " +
		"another that touch. Asked for outside, it begins when the next one opens, and it is cut " +
		"when that ends. Default: always.", Min: 1, Max: maxWindows},
	"Hours.days": {About: "Days of the week on which the window begins.", Min: 1, Unique: true,
		Form: requests.OneOf("day", requests.Weekdays...)},
	"Hours.from": {About: "When it begins, as the zone's clocks show it, such as \"08:00\". Shown " +
		"twice, where clocks are set back, it is the first; left out, where they are set forward, " +
		"the moment of that.",
		Form: requests.Form{Rule: "clock", Pattern: requests.FromPattern, Check: requests.CheckFrom}},
	"Hours.to": {About: "When it ends, such as \"18:00\", or \"24:00\" for the end of the day. What " +
		"is not after from is of the next day. Shown twice, it is the second.",
		Form: requests.Form{Rule: "clock", Pattern: requests.ToPattern, Check: requests.CheckTo}},
	"Hours.timeZone": {About: "Zone of the IANA database, such as Europe/Stockholm or UTC.",
		Form: requests.Form{Rule: "zone", Pattern: requests.ZonePattern, Check: requests.CheckZone}},
}

// checkWindows finds windows of which nobody can tell when they are open, and those that stand
// twice.
func checkWindows(d *requests.Document, windows []requests.Hours) {
	seen := map[string]int{}
	for i, w := range windows {
		at := fmt.Sprintf("spec.windows[%d]", i)
		if w.From == w.To && d.Has(at+".to") {
			d.Add(at+".to", "window", "it ends when it begins; write from 00:00 to 24:00 for all of "+
				"the day")
		}
		for _, day := range w.Days {
			one := requests.Hours{Days: []string{day}, From: w.From, To: w.To, TimeZone: w.TimeZone}
			if other, twice := seen[one.String()]; twice && other != i {
				d.Add(at, "duplicate", "spec.windows[%d] is the same on %s", other, day)
			}
			seen[one.String()] = i
		}
	}
}

// windowHolds refuses what no window of the policy can hold, however long anybody waits: an end
// before the next one opens, one that opens too far after a merge that has been, or that is farther
// off than a request may lie open (R64, R65).
func (j *judge) windowHolds() string {
	at := j.facts.judgedAt(j.now)
	if len(j.decision.Grant.Windows) == 0 || at.IsZero() {
		return ""
	}
	w := j.decision.Grant.From(at)
	most := j.world.policy.Spec.limits()
	switch again := j.windowFrom(); {
	case w.Empty():
		return j.field("spec.until", OutsideWindow, fmt.Sprintf("no window of the policy leaves "+
			"a minute of access between %s and %s; ask for a later end", w.Start, j.decision.Grant.Until))
	case again.IsZero():
	case j.facts.PullRequest.MergedAt != nil:
		return fmt.Sprintf("the policy's next window opens at %s, more than %s after the merge; ask "+
			"again from %s on", w.Start, most.MaxLeadTime, again)
	case again.Sub(j.waitsSince()) > time.Duration(most.MaxPending):
		return fmt.Sprintf("the policy's next window opens at %s, more than %s from now, and a "+
			"request may wait no longer than %s; ask again from %s on", w.Start, most.MaxLeadTime,
			most.MaxPending, again)
	}
	return ""
}

// windowFrom is from when on a merge is near enough to the window that a merge now would wait for;
// zero when it is so now.
func (j *judge) windowFrom() (again requests.Time) {
	at, lead := j.facts.judgedAt(j.now), j.world.policy.Spec.LeadTime()
	w := j.decision.Grant.From(at)
	if first := w.Start.Add(-time.Duration(lead)); at.Before(first) {
		again = requests.At(first)
	}
	return again
}

// windowNear has a request wait until a merge is near enough to the window in which it begins: who
// approves it then is near it too (R65).
func (j *judge) windowNear() string {
	g := j.decision.Grant
	if len(g.Windows) == 0 || j.windowFrom().IsZero() {
		return ""
	}
	j.curable, j.decision.Again = true, j.windowFrom()
	return fmt.Sprintf("the policy's next window opens at %s, more than %s from now; it can be merged "+
		"from %s on", g.From(j.now).Start, j.world.policy.Spec.LeadTime(), j.decision.Again)
}

// cut says of a request that would be allowed that its access ends with the policy's window.
func (j *judge) cut() string {
	at := j.facts.judgedAt(j.now)
	if j.decision.Kind != KindRequest || j.decision.Grant == nil || at.IsZero() {
		return ""
	}
	return j.decision.Grant.Cut(j.decision.Grant.From(at))
}

// anyYear is the year by which windows are compared: clocks are changed in it both ways.
var anyYear = requests.NewWindow(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC),
	requests.Duration(365*24*time.Hour))

func spansOfYear(windows []requests.Hours) []requests.Window {
	return requests.Spans(windows, anyYear.Start.Time, anyYear.End.Time)
}

// opened says when access may be under a policy at which it could not be under the old one, by what
// the windows of a year come to, however they are written.
func (s PolicySpec) opened(old PolicySpec) string {
	if len(old.Windows) == 0 || reflect.DeepEqual(s.Windows, old.Windows) {
		return ""
	}
	if len(s.Windows) == 0 {
		return "access may be at any time instead of " + hoursInWords(old.Windows)
	}
	before := spansOfYear(old.Windows)
	for _, w := range spansOfYear(s.Windows) {
		at := w.Start
		if at.Before(anyYear.Start.Time) {
			at = anyYear.Start
		}
		for _, o := range before {
			if o.Open(at.Time) {
				at = o.End
			}
		}
		zone, err := time.LoadLocation(s.Windows[0].TimeZone)
		if err == nil && w.Open(at.Time) && anyYear.Open(at.Time) {
			return fmt.Sprintf("access may be at other times, such as %s %s, with %s instead of %s",
				at.In(zone).Format("Mon 15:04"), zone, hoursInWords(s.Windows), hoursInWords(old.Windows))
		}
	}
	return ""
}

func hoursInWords(windows []requests.Hours) string {
	var all []string
	for _, h := range windows {
		all = append(all, h.String())
	}
	return strings.Join(all, " and ")
}

// windows warns of a policy whose longest requests no window can hold.
func (l *linter) windows(w world, d *requests.Document) {
	most, longest := w.policy.Spec.Target.MaxDuration, time.Duration(0)
	for _, span := range spansOfYear(w.policy.Spec.Windows) {
		longest = max(longest, span.End.Sub(span.Start.Time))
	}
	if len(w.policy.Spec.Windows) > 0 && longest < time.Duration(most) {
		d.Add("spec.windows", RuleWindowShort, "no window is longer than %s, so that a request for "+
			"maxDuration, %s, is always cut; let maxDuration be that, or the windows be longer",
			requests.Duration(longest), most)
	}
}
