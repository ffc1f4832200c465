package simulation

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/monitor"
)

const (
	// doubtBound is how long after git or GitHub stopped to answer something may still be made that was
	// judged before: a judgement holds for half a minute, and calls may be slow.
	doubtBound = 90 * time.Second
	// faultyGrant is how long it takes from the merge until access is there, of the time in which
	// everything answers.
	faultyGrant = 4 * time.Minute
)

// doubt: while git or GitHub answers nobody, or an agent says that it is stopped, nothing is given that
// was not judged before; and nothing that was not known, or only kept from being granted, is refused
// for that.
func doubt(h history) (wrong []string) {
	systems := []string{git, github, partly(openPulls)} // which say what was taken back
	down := map[string][]span{}
	for _, system := range systems {
		down[system] = h.downs(system)
	}
	for _, a := range h.accounts() {
		for _, e := range a.made {
			for _, system := range systems {
				for _, s := range down[system] {
					if e.at.Sub(s.from) > doubtBound && e.at.Before(s.to) && !(a.trusted && system != git) {
						wrong = append(wrong, fmt.Sprintf("%s got %s at %s, and %s answers nobody since %s", a.name,
							e.version.place(), e.at, system, s.from))
					}
				}
			}
			if stop := h.stopped(e.version.process, e.at); stop != "" {
				wrong = append(wrong, fmt.Sprintf("%s got %s at %s, and %s says %s", a.name, e.version.place(),
					e.at, e.version.process, stop))
			}
		}
		if what := h.doubted(a); what != "" {
			wrong = append(wrong, fmt.Sprintf("%s was refused, %s", a.name, what))
		}
	}
	return wrong
}

// stopped is what a process said before and after a time that keeps it from granting, and not that it
// ended in between; empty: nothing.
func (h history) stopped(process string, at time.Time) string {
	var before *scrape
	var over []*line // since then
	for _, e := range h {
		switch {
		case e.log != nil && e.log.process == process:
			over = append(over, e.log)
		case e.scrape == nil || e.scrape.process != process:
		case e.at.Before(at):
			before, over = e.scrape, nil
		case before == nil:
			return ""
		default:
			for _, stop := range monitor.Stopping {
				name := fmt.Sprintf("granting_stopped{reason=%q}", string(stop.Code))
				if before.numbers[name] == 1 && e.scrape.numbers[name] == 1 &&
					!slices.ContainsFunc(over, func(l *line) bool {
						return l.says("no longer a reason not to grant", "code="+string(stop.Code))
					}) {
					return name
				}
			}
			return ""
		}
	}
	return ""
}

// doubted is why a request was refused that is no reason; empty when there is none.
func (h history) doubted(a *account) string {
	entry, _ := h.entry(a)
	code := policies.Code(entry.Status.Code)
	for _, stop := range monitor.Stopping {
		if code == stop.Code {
			return "as the agent was stopped: " + string(code)
		}
	}
	switch {
	case code == policies.EvaluationError:
		return "as something was not known"
	case code == policies.NoPullRequest && !h.byPush(a):
		return "as no pull request was known; it came with one"
	case code == policies.ExpiredBeforeGrant && entry.Status.RevokedAt.Before(a.end.Add(-tolerated)):
		return fmt.Sprintf("as its window was over; that ends at %s", a.end)
	}
	return ""
}

// byPush tells whether the last push that brought or changed a request's file on main was no merge: a
// push straight to main, or one that undid another one.
func (h history) byPush(a *account) (yes bool) {
	for _, e := range h {
		if p := e.push; p != nil && p.cluster == "" && !p.again && slices.Contains([]string{"A", "M"},
			p.changed[a.path]) {
			yes = !slices.ContainsFunc(a.deeds, func(d event) bool {
				return d.did.what == merges && d.at.Equal(e.at)
			})
		}
	}
	return yes
}

// denied tells whether the ledger says that a request was refused.
func (h history) denied(a *account) bool {
	entry, there := h.entry(a)
	return there && entry.Status.Cause == requests.CauseDenied
}

// clocksApart are when those of the agents of a cluster, of its API server and of GitHub differ by
// more than is tolerated, or nearly.
func (h history) clocksApart(cluster string) (all []span) {
	theirs, ahead := []string{of(kubernetes, cluster)}, map[string]time.Duration{"GitHub's": 0}
	for _, p := range h.lives() {
		if p.program == agents.name && p.cluster == cluster {
			theirs = append(theirs, replicaOf(p.process))
		}
	}
	apart := false
	for _, e := range h {
		c := e.clock
		if c == nil || c.cluster != cluster || !slices.Contains(theirs, c.of) {
			continue
		}
		ahead[c.of] = c.ahead
		now := slices.Sorted(maps.Values(ahead))
		far := now[len(now)-1]-now[0] > tolerated-time.Second
		if far && !apart {
			all = append(all, span{e.at, h[len(h)-1].at})
		} else if apart && !far {
			all[len(all)-1].to = e.at
		}
		apart = far
	}
	return all
}

// grantedAfter: whoever is approved gets access though things go wrong, once all answers for long
// enough while the window is open.
func grantedAfter(h history) (wrong []string) {
	all, wrongs, k, told := h.accounts(), h.wrongs(), h.knowledge(), h.told()
	trusted := remembered(func(cluster string) []span {
		return h.undecided(cluster, append(h.clocksApart(cluster), wrongs.troubles(cluster)...))
	})
	for _, a := range all {
		if a.standing().IsZero() || a.refused() || a.pushed || a.spoilt() || a.namesake(all) ||
			a.base != nil && !a.base.ran() || h.denied(a) || h.crowded(a) { // which other rules judge
			continue
		}
		at := earlier(a.unarmedAhead(told), earlier(a.given(), a.end))
		for _, e := range a.deeds {
			if e.at.After(a.merged) && e.did.what != merges {
				at = earlier(e.at, at)
			}
		}
		if entry, there := h.entry(a); there && slices.Contains(a.changed(k, a.entered), entry.Status.Cause) {
			at = earlier(a.entered, at) // which ended it before
		}
		if k.lost[a.entryOf()] { // why it was entered nobody knows any more
			at = earlier(a.entered, at)
		}
		unable := slices.Concat(wrongs.troubles(a.cluster, a.services()...), k.spans(rulesWeak),
			k.spans(forgets), trusted(a.cluster), h.clocksApart(a.cluster))
		if !k.was(lags, "", a.merged, a.merged.Add(lagsBy)) { // and who asks meanwhile asks again after a pause
			unable = append(unable, span{a.merged, a.merged.Add(lagsBy)})
		}
		if had := at.Sub(a.start) - covered(unable, toldAgain, a.start, at); had > faultyGrant {
			wrong = append(wrong, fmt.Sprintf("%s, to begin at %s, was not all there at %s, after %s in which all "+
				"answered", a.name, a.start, at, had))
		}
	}
	return wrong
}
