package simulation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// ledgerContinues: agents add to the ledger and take requests from main, and do nothing else there.
func ledgerContinues(h history) (wrong []string) {
	for _, e := range h {
		if e.push == nil || e.push.cluster == "" {
			continue
		}
		if !e.push.continues {
			wrong = append(wrong, fmt.Sprintf("%s: %s does not continue %s", e.push.who, e.push.tip,
				e.push.old))
		}
		for path, status := range e.push.changed {
			taken := strings.HasPrefix(path, requests.Folder+"/"+e.push.cluster+"/") && status == "D"
			entered := strings.HasPrefix(path, requests.RevocationsFolder+"/"+e.push.cluster+"/") &&
				status == "A"
			if !taken && !entered && !h.settles(e.push, path) {
				wrong = append(wrong, fmt.Sprintf("%s: %s %s", e.push.who, status, path))
			}
		}
	}
	slices.Sort(wrong)
	return wrong
}

// recordedAfter: an end is entered into the ledger when it has come, not before.
func recordedAfter(h history) (wrong []string) {
	for _, a := range h.accounts() {
		path := requests.RevocationPath(a.cluster, a.name)
		for _, e := range h {
			if e.push != nil && e.push.changed[path] != "" && a.has(e.at) {
				wrong = append(wrong, fmt.Sprintf("the end of %s is in the ledger since %s; it had access",
					a.name, e.at))
			}
		}
	}
	return wrong
}

// ledgerTrue: in the end each request that was merged has one entry, which says what became of it.
func ledgerTrue(h history) (wrong []string) {
	main := map[string]string{}
	for _, e := range h {
		if e.end {
			main = e.main
		}
	}
	all, k := h.accounts(), h.knowledge()
	for _, a := range all {
		if a.merged.IsZero() {
			continue
		}
		path := requests.RevocationPath(a.cluster, a.name)
		text, there := main[path]
		if !there {
			// what people took away before an agent saw it, or that a cluster forgot, no agent knows of;
			// and what has a name that another one had is taken from main without more
			if !k.lost[path] && (a.granted() && !a.forgotten(a.made[0].at, h[len(h)-1].at) ||
				(a.left.IsZero() || a.leftBy != "people") && !a.namesake(all)) {
				wrong = append(wrong, "the ledger has no entry of "+a.name)
			}
			continue
		}
		entry, findings := requests.ParseRevocation(path, []byte(text+"\n"))
		if len(findings) > 0 {
			wrong = append(wrong, fmt.Sprint(findings))
			continue
		}
		a.unseen, a.unwatched = h.unseen(a), h.unwatched(a)
		if what := a.untrue(h, k, entry.Status); what != "" {
			wrong = append(wrong, fmt.Sprintf("the entry of %s says %s %s; %s", a.name,
				entry.Status.Cause, entry.Status.Code, what))
		}
	}
	return wrong
}

// untrue is what is wrong with an entry; empty when nothing is.
func (a *account) untrue(h history, k *knowledge, s requests.Status) string {
	if k.lost[requests.RevocationPath(a.cluster, a.name)] && s.Cause == requests.CauseDenied {
		return "" // nobody knows any more that there was more
	}
	if !a.granted() {
		switch {
		case a.standing().IsZero():
			if s.Cause != requests.CauseDenied || s.Code == "" {
				return "nothing had allowed it"
			}
		case s.Cause == requests.CauseExpired && !a.mayExpire(h), s.Cause == requests.CauseBindingDeleted &&
			!a.meddled(h):
			return "it was never bound"
		}
		return ""
	}
	forgotten, named := a.forgotten(a.made[0].at, h[len(h)-1].at), map[string]bool{}
	for _, ref := range s.GrantRefs {
		named[ref.UID] = true
	}
	for _, e := range a.made {
		if !named[string(e.version.New.GetUID())] && !forgotten {
			return "it does not name " + e.version.place()
		}
	}
	if len(a.gone) < len(a.made) {
		return "it has access"
	}
	told := h.told()
	causes := a.anyCause(told, k, a.gone[0].at)
	if forgotten { // of what was there, and was again, the entry tells of one
		causes = append(causes, a.anyCause(told, k, a.over(h[len(h)-1].at))...)
	}
	if !slices.Contains(causes, s.Cause) {
		return fmt.Sprintf("it had access until %s, so the cause is one of %v", a.gone[0].at, causes)
	}
	return ""
}

// meddled tells whether its Job may have gone before anything was bound: by hand, with its namespace,
// by a clock that is ahead, or at another end than the one that its record was made to have.
func (a *account) meddled(h history) bool {
	return len(a.forgot) > 0 || !a.unarmedAhead(h).IsZero() ||
		covered(h.downs(of(namespaceGone, a.cluster)), 0, a.merged, a.end) > 0 ||
		slices.ContainsFunc(a.deeds, func(e event) bool {
			return e.did.what == deletesJob || tamperings.of(e.did.what) != nil
		})
}

// mayExpire tells whether it may be entered as expired though it was never made: it was announced, so that
// nobody can tell that it was not, and its window was over by some clock then.
func (a *account) mayExpire(h history) bool {
	return !a.announced.IsZero() && slices.Contains(a.causesAround(h, a.entered), requests.CauseExpired)
}

// unarmedAhead is when its Job went though nothing was made yet, and before its end, as a clock of its
// cluster said that this had come, or nearly: that ends it for all. Zero: never.
func (a *account) unarmedAhead(h history) time.Time {
	for _, at := range a.unarmed {
		near := a.end.Add(-tolerated)
		if at.Before(a.end) && !h.latest(a.cluster, at).Before(near) {
			return at
		}
	}
	return time.Time{}
}

// has tells whether something gives access at a time.
func (a *account) has(at time.Time) bool {
	there := 0
	for _, e := range a.made {
		if !e.at.After(at) {
			there++
		}
	}
	for _, e := range a.gone {
		if !e.at.After(at) {
			there--
		}
	}
	return there > 0
}

// tolerated is by how much clocks may differ: an end by people that is no further from the window's
// is an end by the window as well.
const tolerated = plan.MaxSkew

// causes are those that are true of a binding that went at a time.
func (a *account) causes(h history, at time.Time) (causes []string) {
	causes = a.causesAround(h, at)
	if a.unseen && !at.Before(a.gone[0].at) {
		causes = append(causes, requests.CauseExpired)
	}
	deeds := a.deeds
	if a.base != nil { // what ends that ends what goes on from it
		deeds = slices.Concat(deeds, a.base.deeds)
	}
	if a.leftAlong() {
		causes = append(causes, requests.CauseRelinquished)
	}
	for _, e := range deeds {
		if e.at.After(at) && !a.takenAnew(e, at) && !a.takenAsItWaits(e) {
			continue
		}
		switch e.did.what {
		case takesAway, changesOnMain:
			causes = append(causes, requests.CauseRevoked)
		case givesBack:
			causes = append(causes, requests.CauseRelinquished)
			if a.trusted { // by whom, only GitHub knows
				causes = append(causes, requests.CauseRevoked)
			}
		case deletes, deletesJob:
			causes = append(causes, requests.CauseBindingDeleted)
			if !at.Before(a.end.Add(-plan.MaxSkew)) { // no clock tells the one from the other
				causes = append(causes, requests.CauseExpired)
			}
		}
		if cause := a.withdraws(e); cause != "" {
			causes = append(causes, cause)
		}
		if t := tamperings.of(e.did.what); t != nil {
			causes = append(causes, t.causes...)
		}
		// where nobody saw it go, or only its Job went, its record alone says until when it was to last
		if e.did.what == prolongs && (a.unwatched || len(a.unarmed) > 0) {
			causes = append(causes, requests.CauseBindingDeleted)
		}
	}
	return causes
}

// anyCause is what may have ended it by a time: what somebody did to it, or what became otherwise.
func (a *account) anyCause(h history, k *knowledge, at time.Time) []string {
	return append(a.causes(h, at), a.changed(k, at)...)
}

// enteredBy tells whether the ledger had it at a time.
func (a *account) enteredBy(at time.Time) bool { return !a.entered.IsZero() && !at.Before(a.entered) }

// takenAnew tells whether a deed after the end took its file from main, as one had before that end: it was
// there again meanwhile, or main was set back to have it, and nobody knew yet who had taken it. Whoever does
// so last, as main has it by its entry, is told to have ended it.
func (a *account) takenAnew(e event, end time.Time) bool {
	takes := func(e event) bool {
		return e.did.request == a.request && (e.did.what == takesAway || e.did.what == givesBack)
	}
	first := slices.IndexFunc(a.deeds, takes)
	return takes(e) && !a.deeds[first].at.After(end) && !a.enteredBy(e.at) &&
		slices.ContainsFunc(a.backs, func(back time.Time) bool {
			return back.After(a.deeds[first].at) && !back.After(e.at)
		})
}

// takenAsItWaits tells whether a deed came before its entry, and once it waited to be granted as if it never had
// been.
func (a *account) takenAsItWaits(e event) bool {
	return a.granted() && a.waitsAgain(e.at) && !a.enteredBy(e.at)
}

// leftAlong tells whether its file, which was back on main, left with what somebody merged for something else:
// a branch of alice's, the requester of all, that began while it was away.
func (a *account) leftAlong() bool {
	return slices.ContainsFunc(a.leftAgain, func(at time.Time) bool {
		return !slices.ContainsFunc(a.deeds, func(e event) bool {
			return e.at.Equal(at) && (e.did.what == takesAway || e.did.what == givesBack)
		})
	})
}
