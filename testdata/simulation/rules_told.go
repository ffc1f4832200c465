package simulation

import (
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"
	"time"

	api "github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/requests"
)

// Bounds of what people are told.
const (
	// news is how old that may be which a comment says: it is composed, and the comments that there
	// are are listed, before it is written.
	news = 90 * time.Second
	// reasonFor is how long after something was wrong it may be what a request waits for.
	reasonFor = 10 * time.Minute
	// noticed is how much later than it was an end may be said to have been.
	noticed = time.Minute
)

// Headings of an agent's comments; more follows some.
const (
	saysGranted   = "Access until "
	saysScheduled = api.Scheduled
	saysWaiting   = api.Waiting
	saysWhere     = "Where the command runs once access begins"
	saysLasting   = "Access should be over, and is not"
	saysOver      = "Over, and not recorded yet"
	saysEnded     = "Access ended: "
	saysNever     = "Never granted: "
	saysGone      = api.Gone
	saysRefused   = "Refused: "
	saysWithdrawn = "Done: "
	saysAnswered  = "Answered for" // of access that broke the glass, on the issue of what is owed for it
	saysUnpaid    = "Answered, and still owed"
)

var (
	// hidden is what GitHub does not show of a comment.
	hidden   = regexp.MustCompile(`<!--[^>]*-->|</?code>`)
	lastedIn = regexp.MustCompile(`It was given from (.+ UTC) to (.+ UTC) and ended at (.+ UTC)`)
	sinceIn  = regexp.MustCompile(`Since (\S+ \S+ UTC)`)
	madeBy   = regexp.MustCompile(`The ledger has it in (\S+), commit ([0-9a-f]{40})\.`)
)

// shown is a comment as people read it: its heading, and all of it.
func (c *comment) shown() (heading, text string) {
	text = html.UnescapeString(hidden.ReplaceAllString(c.text, ""))
	heading, _, _ = strings.Cut(strings.TrimPrefix(strings.TrimSpace(text), "### "), "\n")
	return heading, text
}

// heading is what a comment says first.
func (c *comment) heading() string {
	heading, _ := c.shown()
	return heading
}

// toldTrue: what the agent tells on a pull request is so when it arrives, and stays so as far as it
// is for ever.
func toldTrue(h history) (wrong []string) {
	h = h.unforged()
	all, k := h.accounts(), h.knowledge()
	for _, a := range all {
		a.unseen, a.unwatched = h.unseen(a), h.unwatched(a)
	}
	for _, e := range h {
		if e.comment == nil {
			continue
		}
		heading, text := e.comment.shown()
		what := ""
		switch about := asked(all, e.comment.pull); {
		case strings.Contains(text, canary):
			what = "the reason stands in it"
		case heading == saysAnswered:
			if !slices.ContainsFunc(all, func(a *account) bool { return a.answeredBy(e.at) }) {
				what = "nobody answered for anything"
			}
		case heading == saysUnpaid:
			if !h.paysNothing(all, k, e.at) {
				what = "every answer pays what is owed"
			}
		case len(about) > 0: // of several, it is of one of them
			so := func(a *account) bool {
				what = h.untold(a, all, k, e.comment.process, e.at, heading, text)
				return what == ""
			}
			if slices.ContainsFunc(about, so) || slices.ContainsFunc(h.broughtWith(about, all), so) ||
				h.mergedOver(about, all, text, e.at) {
				what = ""
			}
		case strings.HasPrefix(heading, saysWithdrawn):
			what = h.undone(all, e.at, heading, text)
		default:
			what = "nobody asked for anything there"
		}
		if what != "" {
			wrong = append(wrong, fmt.Sprintf("%s said %q on #%d at %s; %s", e.comment.process, heading,
				e.comment.pull, e.at, what))
		}
	}
	return wrong
}

// asked are the requests that a pull request asks for.
func asked(all []*account, pull int) (some []*account) {
	for _, a := range all {
		if slices.Contains(a.pulls, pull) {
			some = append(some, a)
		}
	}
	return some
}

// answeredBy tells whether somebody answered for access that broke the glass before a time.
func (a *account) answeredBy(at time.Time) bool {
	return slices.ContainsFunc(a.deeds, func(e event) bool { return e.did.what == answers && !e.at.After(at) })
}

// untold is what is not so of what a process tells at a time of a request; empty when all is.
func (h history) untold(a *account, all []*account, k *knowledge, process string, at time.Time,
	heading, text string) string {
	given, gone := a.given(), a.lost()
	boundBy := func(t time.Time) bool { return !given.IsZero() && given.Before(t) }
	goneBy := func(t time.Time) bool { return !gone.IsZero() && gone.Before(t) }
	cause := heading[strings.LastIndex(heading, " ")+1:]
	// that it was there; its cluster may have forgotten it, and then it is not there
	known := boundBy(at.Add(-news)) && (!a.forgotten(given, at) || a.hadFrom(at.Add(-news), at))
	switch {
	case strings.HasPrefix(heading, saysGranted):
		switch {
		case !slices.ContainsFunc(a.saidEnds(), func(end time.Time) bool {
			return heading == saysGranted+api.Moment(requests.At(end))
		}):
			return fmt.Sprintf("its window ends at %s", a.end)
		case !boundBy(at):
			return "it was not all there"
		case goneBy(at.Add(-news)) && gone.Before(a.end.Add(-tolerated)) &&
			!(a.forgotten(given, at) && a.has(at)):
			return fmt.Sprintf("it lasted only until %s", gone)
		}
	case strings.HasPrefix(heading, saysScheduled):
		switch {
		case heading != saysScheduled+" "+api.Moment(requests.At(a.start)):
			return fmt.Sprintf("its window begins at %s", a.start)
		case a.standing().IsZero() || a.merged.After(at):
			return "nobody had approved it"
		case known:
			return fmt.Sprintf("it was there at %s", given)
		}
	case heading == saysWaiting:
		since := momentIn(sinceIn, text, 1)
		merged := a.mergedWith(all)
		slow, fast := h.aheadWhile(a.cluster, replicaOf(process), merged, at)
		switch {
		case known:
			return fmt.Sprintf("it was there at %s", given)
		case merged.IsZero() || since.Before(merged.Add(min(slow, 0)-tolerated)) ||
			since.After(at.Add(fast+tolerated)): // by the clock of who says so, or by GitHub's if that is behind
			return fmt.Sprintf("it says since %s; it was merged at %s", since, merged)
		case !k.wrongs.in(a.cluster, at.Add(-reasonFor), at, a.services()...):
			return "it had nothing to wait for"
		}
	case heading == saysWhere:
		if a.merged.IsZero() || known {
			return "it was not about to begin"
		}
	case heading == saysLasting:
		switch {
		case !a.has(at.Add(-news)) && !a.has(at):
			return "nothing of it was there"
		case len(a.anyCause(h, k, at)) == 0:
			return "it was not to end"
		}
	case heading == saysOver:
		if a.has(at) {
			return "it was there"
		}
	case strings.HasPrefix(heading, saysEnded):
		return h.notEnded(a, k, at, cause, text)
	case heading == saysGone:
		switch {
		case known:
			return fmt.Sprintf("it was there at %s", given)
		case !a.off(at.Add(-news), at):
			return "its file was on main"
		case !a.entered.IsZero() && a.entered.Before(at.Add(-news)):
			return "the ledger had it"
		}
	case strings.HasPrefix(heading, saysNever) || strings.HasPrefix(heading, saysRefused):
		switch {
		case strings.HasPrefix(heading, saysNever) && a.bound() && !a.waitsAgain(at),
			strings.HasPrefix(heading, saysRefused) && a.granted() && !a.refusedWhenMade(h, at):
			return fmt.Sprintf("it was there at %s", a.made[0].at)
		case strings.HasPrefix(heading, saysNever) &&
			!slices.Contains(a.anyCause(h, k, at), cause):
			return fmt.Sprintf("what happened to it is %v", a.anyCause(h, k, at))
		}
		if !strings.Contains(text, "The name "+a.name+" is taken by ") {
			return h.unnamed(a, text)
		}
		if !a.namesake(all) && !a.refused() && !h.broughtBack(a, at) {
			return "its name was nobody else's"
		}
	default:
		return "no rule knows what that is"
	}
	return ""
}

// off tells whether its file was not on main, having been there, at some time of a span.
func (a *account) off(from, to time.Time) bool {
	return slices.ContainsFunc(a.lefts, func(left time.Time) bool {
		return !left.After(to) && !slices.ContainsFunc(a.backs, func(back time.Time) bool {
			return back.After(left) && !back.After(from)
		})
	})
}

// given is when all was there that a request asks for; zero: it never was.
func (a *account) given() (at time.Time) {
	lacks := a.objects()
	for _, e := range a.made {
		if delete(lacks, e.version.place()); len(lacks) == 0 {
			return e.at
		}
	}
	return time.Time{}
}

// lost is when anything of that was gone first; zero: it never was. What a restored etcd did not have
// before all was there is made again.
func (a *account) lost() time.Time {
	given := a.given()
	for _, e := range a.gone {
		if e.at.After(given) {
			return e.at
		}
	}
	return time.Time{}
}

// notEnded is what is not so of an end that is told.
func (h history) notEnded(a *account, k *knowledge, at time.Time, cause, text string) string {
	if !a.granted() && !a.announced.IsZero() {
		return h.neverMade(a, k, at, cause, text)
	}
	if !a.granted() || a.has(at) {
		return "it was not there and is over"
	}
	first, gone := a.gone[0].at, a.over(at)
	ended := momentIn(lastedIn, text, 3)
	troubles := k.wrongs.troubles(a.cluster)
	seen := gone.Add(noticed + covered(troubles, recovery, gone, at)) // by a clock that may be ahead until then
	late := ended.Sub(gone) - h.furthest(a.cluster, gone, seen) - covered(troubles, recovery, gone, ended)
	causes := a.anyCause(h, k, first)
	if a.forgotten(a.made[0].at, at) { // and it was there again
		causes = append(causes, a.anyCause(h, k, gone)...)
	}
	switch {
	case !slices.Contains(causes, cause):
		return fmt.Sprintf("it lasted until %s, so the cause is one of %v", first, causes)
	case !momentIn(lastedIn, text, 1).Equal(a.start) ||
		!slices.ContainsFunc(a.saidEnds(), momentIn(lastedIn, text, 2).Equal):
		return fmt.Sprintf("its window was from %s to %s", a.start, a.end)
	case ended.Before(first.Truncate(time.Second).Add(-tolerated)) || late > noticed:
		return fmt.Sprintf("it says that it ended at %s; it lasted until %s", ended, gone)
	case cause == requests.CauseRelinquished && !strings.Contains(text, ", by @alice in #"):
		return "it does not say who gave it back"
	}
	return h.unnamed(a, text)
}

// unnamed is what is not so of where a comment says that the ledger has it.
func (h history) unnamed(a *account, text string) string {
	path := requests.RevocationPath(a.cluster, a.name)
	if !strings.Contains(text, "The ledger has it in "+path) {
		return "it does not say where the ledger has it"
	}
	commit := madeBy.FindStringSubmatch(text)
	if commit != nil && !slices.ContainsFunc(h, func(e event) bool {
		return e.push != nil && e.push.tip == commit[2] && e.push.changed[path] == "A"
	}) {
		return "commit " + commit[2] + " did not enter it into the ledger"
	}
	return ""
}

// undone is what is not so of a withdrawal that is said to be done.
func (h history) undone(all []*account, at time.Time, heading, text string) string {
	for _, a := range all {
		if !strings.Contains(text, a.name+" ") {
			continue
		}
		if cause := heading[len(saysWithdrawn):]; !slices.Contains(a.causes(h, at), cause) {
			return fmt.Sprintf("what happened to %s is %v", a.name, a.causes(h, at))
		}
		if a.has(at) {
			return a.name + " was there"
		}
		return h.unnamed(a, text)
	}
	return "nobody asked for that"
}

// toldOnce: an agent has one comment on a pull request, which it changes only to say something else.
func toldOnce(h history) (wrong []string) {
	said := map[int]*comment{} // by pull request
	for _, e := range h {
		if e.comment == nil {
			continue
		}
		c, heading := e.comment, e.comment.heading()
		switch before := said[c.pull]; {
		case before == nil:
		case before.id != c.id:
			wrong = append(wrong, fmt.Sprintf("%s said %q on #%d at %s in a comment beside another",
				c.process, heading, c.pull, e.at))
		case before.text == c.text:
			wrong = append(wrong, fmt.Sprintf("%s said %q on #%d again at %s", c.process, heading, c.pull,
				e.at))
		}
		said[c.pull] = c
	}
	return wrong
}
