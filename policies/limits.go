package policies

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// Bounds of the limits that count.
const (
	mostActive   = 100
	mostOfPerson = 20
)

var limitFields = requests.Fields{
	"Limits.maxActivePerRequester": {About: "How many accesses under the policy a person may have at a " +
		"time on a cluster, asked for by them or for them. Default: any number.", Min: 1,
		Max: mostOfPerson, Rule: "count", Says: saysCount(mostOfPerson)},
	"Limits.maxActive": {About: "How many accesses under the policy there may be at a time on a cluster, " +
		"whoever has them. Default: any number.", Min: 1, Max: mostActive, Rule: "count",
		Says: saysCount(mostActive)},
	"Limits.perDay": {About: "How many accesses of a person under the policy may begin within any 24 " +
		"hours on a cluster. Default: any number.", Min: 1, Max: mostOfPerson, Rule: "count",
		Says: saysCount(mostOfPerson)},
	"Limits.cooldown": {About: "How long after the end of a person's access under the policy their next " +
		"one on the cluster may begin, for example 30m. Default: at once."},
}

func saysCount(most int) string { return fmt.Sprintf("it must be 1 to %d", most) }

// counts tells whether a request under the policy is judged by what others have or had.
func (s PolicySpec) counts() bool {
	l := s.limits()
	return l.MaxActivePerRequester > 0 || l.MaxActive > 0 || l.PerDay > 0 || l.Cooldown > 0
}

// countsOver is how long before the moment of judging a request may have been pushed that still
// counts; 0 when no ended one does. A request begins at most so long after its push as the policy
// lets it wait for its merge, and then for its start.
func (s PolicySpec) countsOver() time.Duration {
	l := s.limits()
	wait := time.Duration(l.MaxPending + l.MaxLeadTime)
	switch {
	case l.Cooldown > 0:
		return max(wait+time.Duration(l.Cooldown+s.Target.MaxDuration), wait+day)
	case l.PerDay > 0:
		return wait + day
	}
	return 0
}

// countsFrom is the oldest day of the ledger that matters, a day more than pushes are back: the name
// of a request may be of the day before (R79).
func (s PolicySpec) countsFrom(at time.Time) string {
	over := s.countsOver()
	if over == 0 {
		return ""
	}
	return at.Add(-over - day).UTC().Format(dayLayout)
}

// checkLimits finds limits that would take too many days of the ledger.
func checkLimits(d *requests.Document, s PolicySpec) {
	over := s.countsOver()
	if over <= maxCountedDays*day {
		return
	}
	field := "spec.limits.perDay"
	if s.Limits.Cooldown > 0 {
		field = "spec.limits.cooldown"
	}
	d.Add(field, "limit", "with maxPending, maxLeadTime and maxDuration it would have to count %d "+
		"days, and %d is the most; shorten one of them", (over+day-1)/day, maxCountedDays)
}

// limitSteps judge a request by what others have or had.
func (j *judge) limitSteps() []step {
	if !j.world.policy.Spec.counts() {
		return nil
	}
	return []step{{EvaluationError, j.counted}, {LimitReached, j.limitHolds}}
}

// limitNear has a request wait until it is within the limits.
func (j *judge) limitNear() []step {
	if !j.world.policy.Spec.counts() {
		return nil
	}
	return []step{{LimitReached, func() string {
		problem := j.overLimit(j.now, true)
		if problem == "" || j.facts.PullRequest.Merged {
			return ""
		}
		j.curable, j.decision.Again = true, j.withinLimits()
		return fmt.Sprintf("%s; it can be merged from %s on", problem, j.decision.Again)
	}}}
}

// counted refuses to decide by what was not counted, or while that is not decided itself: of several
// that were merged, those before one come first (R80). What is over has no place left to be taken.
func (j *judge) counted() string {
	known, needs := j.facts.Counts, j.world.policy.Spec.countsFrom(j.facts.judgedAt(j.facts.ObservedAt.Time))
	if known == nil || needs != "" && (known.From == "" || known.From > needs) {
		return fmt.Sprintf("the facts do not tell what the limits of the policy %s count; gather them "+
			"again", j.decision.Policy)
	}
	at := j.facts.judgedAt(j.now)
	if problem := j.overLimit(at, true); j.facts.PullRequest.MergedAt != nil && problem != "" &&
		j.overLimit(at, false) == "" && j.left(at) {
		return "what was merged before it is not decided yet, and may take its place: " + problem
	}
	return ""
}

// left tells whether anything is left that a request could take, were it merged at a moment.
func (j *judge) left(at time.Time) bool {
	return j.facts.PullRequest.MergedAt == nil || j.decision.Grant.From(at).End.After(j.now)
}

// limitHolds refuses what is over a limit, and for which nobody can wait (R78).
func (j *judge) limitHolds() string {
	if problem := j.datedAside(); problem != "" {
		return j.field("metadata.name", LimitReached, problem)
	}
	at, most := j.facts.judgedAt(j.now), j.world.policy.Spec.limits().MaxPending
	problem := j.overLimit(at, j.left(at))
	if problem == "" || j.facts.PullRequest.MergedAt != nil {
		return problem
	}
	switch again := j.withinLimits(); {
	case again.IsZero():
		return problem + "; ask for another time"
	case again.Sub(j.waitsSince()) > time.Duration(most):
		return fmt.Sprintf("%s; a request may wait no longer than %s, so ask again from %s on", problem,
			most, again)
	}
	return ""
}

// datedAside refuses a name of another day, where ended access is found by the days of names (R79).
func (j *judge) datedAside() string {
	if j.world.policy.Spec.countsOver() == 0 {
		return ""
	}
	date, _, _ := strings.Cut(j.request.Metadata.Name, "-")
	first, last := j.waitsSince().Add(-day).UTC(), j.facts.judgedAt(j.now).Add(day).UTC()
	if date >= first.Format(dayLayout) && date <= last.Format(dayLayout) {
		return ""
	}
	return fmt.Sprintf("its name is of the day %s and it was pushed on %s; the policy counts by the "+
		"days of names, so begin it with %s", date, first.Add(day).Format(dayLayout),
		last.Add(-day).Format(dayLayout))
}

// withinLimits is the first moment from which on the request would be within the limits, as far as
// that is known now; zero when there is none.
func (j *judge) withinLimits() requests.Time {
	cooldown := time.Duration(j.world.policy.Spec.limits().Cooldown)
	var moments []requests.Time
	for _, c := range j.facts.Counts.Found {
		moments = append(moments, c.Window.End, requests.At(c.Window.End.Add(cooldown)),
			requests.At(c.Window.Start.Add(day)))
	}
	slices.SortFunc(moments, func(a, b requests.Time) int { return a.Compare(b.Time) })
	for _, m := range slices.Compact(moments) {
		if m.After(j.now) && !j.decision.Grant.From(m.Time).Empty() && j.overLimit(m.Time, true) == "" {
			return m
		}
	}
	return requests.Time{}
}

// overLimit tells which limit the request would be over, were it merged at a moment, and by what.
// Without undecided, only by what the agent has decided.
func (j *judge) overLimit(at time.Time, undecided bool) string {
	var all []Counted
	for _, c := range j.facts.Counts.Found {
		if undecided || !c.Undecided {
			all = append(all, c)
		}
	}
	limits, w := j.world.policy.Spec.limits(), j.decision.Grant.From(at)
	for _, login := range j.counting() {
		who, _ := j.world.identities.find(login)
		name := who.On(j.decision.Grant.Cluster)
		var theirs []Counted
		for _, c := range all {
			if strings.EqualFold(c.Requester, login) || c.Subject == name {
				theirs = append(theirs, c)
			}
		}
		for _, problem := range []string{
			tooMany(busiest(theirs, w), limits.MaxActivePerRequester, "@"+login+" has",
				"maxActivePerRequester", "at that time"),
			tooMany(inADay(theirs, w.Start.Time), limits.PerDay, "@"+login+" has", "perDay",
				"beginning within 24 hours"),
			tooSoon(theirs, w, limits.Cooldown, login),
		} {
			if problem != "" {
				return problem
			}
		}
	}
	return tooMany(busiest(all, w), limits.MaxActive, "there are", "maxActive", "at that time")
}

// counting are those whose limits hold for the request: who asks, and for whom (R78).
func (j *judge) counting() []string {
	g := j.decision.Grant
	if g.Behalf == "" {
		return []string{g.Requester}
	}
	return []string{g.Requester, g.Behalf}
}

func tooMany(found []Counted, most int, who, limit, when string) string {
	if most == 0 || len(found) < most {
		return ""
	}
	return fmt.Sprintf("%s %d under the policy %s, and limits.%s is %d: %s", who, len(found), when, limit,
		most, listed(found))
}

// maxListed bounds how many of what counts a message names.
const maxListed = 5

func listed(found []Counted) string {
	var names []string
	for _, c := range found[:min(len(found), maxListed)] {
		names = append(names, c.String())
	}
	if more := len(found) - maxListed; more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, "; ")
}

// busiest are those that are there at the moment of a window at which most are.
func busiest(all []Counted, w requests.Window) (most []Counted) {
	moments := []requests.Time{w.Start}
	for _, c := range all {
		moments = append(moments, c.Window.Start)
	}
	for _, m := range moments {
		if !w.Open(m.Time) {
			continue
		}
		var there []Counted
		for _, c := range all {
			if c.Window.Open(m.Time) {
				there = append(there, c)
			}
		}
		if len(there) > len(most) {
			most = there
		}
	}
	return most
}

// inADay are those that begin within the 24 hours, among those with the start, in which most do.
func inADay(all []Counted, start time.Time) (most []Counted) {
	for _, c := range append([]Counted{{Window: requests.Window{Start: requests.At(start)}}}, all...) {
		from := c.Window.Start
		if from.After(start) || start.Sub(from.Time) >= day {
			continue
		}
		var begun []Counted
		for _, other := range all {
			if after := other.Window.Start.Sub(from.Time); after >= 0 && after < day {
				begun = append(begun, other)
			}
		}
		if len(begun) > len(most) {
			most = begun
		}
	}
	return most
}

// tooSoon tells what ends too short a time before a window, or begins too short after it.
func tooSoon(theirs []Counted, w requests.Window, cooldown requests.Duration, login string) string {
	for _, c := range theirs {
		pause := time.Duration(cooldown)
		if cooldown > 0 && w.Start.Before(c.Window.End.Add(pause)) &&
			c.Window.Start.Before(w.End.Add(pause)) {
			return fmt.Sprintf("between two accesses of @%s under the policy %s must pass "+
				"(limits.cooldown): %s", login, cooldown, c)
		}
	}
	return ""
}

// InWords says the limits that count, for people.
func (l Limits) InWords() (all []string) {
	add := func(count int, format string) {
		if count > 0 {
			all = append(all, fmt.Sprintf(format, count))
		}
	}
	add(l.MaxActivePerRequester, "at most %d at a time for a person")
	add(l.MaxActive, "at most %d at a time for all together")
	add(l.PerDay, "at most %d within 24 hours for a person")
	if l.Cooldown > 0 {
		all = append(all, fmt.Sprintf("%s after a person's last one", l.Cooldown))
	}
	return all
}

// countsLess says what a policy lets people have more of, or sooner, than the old one.
func (s PolicySpec) countsLess(old PolicySpec) (all []string) {
	now, then := s.limits(), old.limits()
	more := func(now, then int, what string) {
		if then > 0 && (now == 0 || now > then) {
			all = append(all, fmt.Sprintf("%s: %s instead of %d", what, number(now), then))
		}
	}
	more(now.MaxActivePerRequester, then.MaxActivePerRequester, "accesses of a person at a time")
	more(now.MaxActive, then.MaxActive, "accesses at a time")
	more(now.PerDay, then.PerDay, "accesses of a person within 24 hours")
	if now.Cooldown < then.Cooldown {
		soon := "at once"
		if now.Cooldown > 0 {
			soon = now.Cooldown.String()
		}
		all = append(all, fmt.Sprintf("access may begin %s after a person's last one instead of %s", soon,
			then.Cooldown))
	}
	return all
}

func number(n int) string {
	if n == 0 {
		return "any number"
	}
	return fmt.Sprint(n)
}

// idleLimit warns of a limit that another one keeps from being reached.
func (l *linter) idleLimit(w world, d *requests.Document) {
	if limits := w.policy.Spec.limits(); limits.MaxActive > 0 &&
		limits.MaxActivePerRequester > limits.MaxActive {
		d.Add("spec.limits.maxActivePerRequester", RuleLimitIdle, "it is never reached, since maxActive "+
			"is %d for all together", limits.MaxActive)
	}
}
