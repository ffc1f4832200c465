package simulation

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/simulation/cluster"
)

// rules say what is wrong with a history, each in sentences for people; none: nothing is. G1 to G8
// are those of docs/guarantees.md.
var rules = map[string]func(history) []string{
	"G1 approved":        approvedOnly,
	"G1 as asked":        asAsked,
	"G1 names":           namesFollow,
	"G1 stands":          stoodAll,
	"G1 known branch":    onKnownBranch,
	"G1 outside":         saidYes,
	"G1 denied":          neverDenied,
	"G1 limits":          withinLimits,
	"G1 owes nothing":    owesNothing,
	"G2 on time":         onTime,
	"G2 prompt":          prompt,
	"G2 not early":       endsNothingEarly,
	"G2 changed":         endsChanged,
	"G2 used":            endsUsed,
	"G2 withdrawn":       endsWithdrawn,
	"G3 armed":           armed,
	"G4 once":            once,
	"G4 names":           names,
	"G4 used up":         usedUp,
	"G5 stops":           stops,
	"G6 may write":       mayWrite,
	"G6 leads":           leads,
	"G6 passes":          passMay,
	"aws-auth others":    othersStay,
	"aws-auth in step":   inStep,
	"G6 this very one":   thisVeryOne,
	"G7 quiet":           nothingInQuiet,
	"G8 no words":        noWords,
	"ledger continues":   ledgerContinues,
	"ledger exact":       ledgerExact,
	"ledger true":        ledgerTrue,
	"nothing is left":    nothingLeft,
	"granted in time":    grantedInTime,
	"owed":               owed,
	"ended in time":      endedInTime,
	"recorded after end": recordedAfter,
	"told true":          toldTrue,
	"told once":          toldOnce,
	"told in time":       toldInTime,
	"G5 doubt":           doubt,
	"G5 granted after":   grantedAfter,
	"G5 outside":         saidNo,
	"uses true":          usesTrue,
	"uses kept":          usesKept,
	"metrics live":       shownLive,
	"metrics counts":     shownCounts,
	"metrics uses":       shownUses,
	"metrics stops":      shownStops,
	"metrics health":     shownHealth,
}

// check applies every rule: what is wrong, with the rule's name before it, in a stable order.
func (h history) check() (wrong []string) {
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		for _, what := range rules[name](h) {
			wrong = append(wrong, name+": "+what)
		}
	}
	return wrong
}

// account is what a history has about one request.
type account struct {
	*request
	approved, merged time.Time // zero: it never was
	pushed           bool      // its file came to main by nobody's merge
	start, end       time.Time // of the window that follows from them
	base             *account  // what it extends; nil: nothing
	extenders        []*account
	left             time.Time   // when its file left main; zero: it did not
	lefts            []time.Time // all of these, also before main was set back to have it
	leftBy           string
	back             time.Time   // when its file came to main again after that; zero: it did not
	backs            []time.Time // all of these, until its entry, also where main was set back to have it
	leftAgain        []time.Time // when people's pushes took it after that, until its entry
	deeds            []event
	made, gone       []event     // versions that made what gives access, and that removed it
	unseen           bool        // no agent saw it go before its end; set by ledgerTrue
	unwatched        bool        // no agent saw it go at all; the same
	trusted          bool        // nobody asked GitHub about it
	announced        time.Time   // when its record said last that something was about to be made; zero: never
	unarmed          []time.Time // when a Job of its went before anything was made

	stays      []*stay     // of all bindings that say that they are its
	entered    time.Time   // when the ledger had it; zero: it never did
	forgot     []time.Time // when its cluster forgot what was granted
	unrecorded time.Time   // when its record went last; zero: it is there, or never was
	unmade     []time.Time // when a restored etcd had its record as before it announced a binding, or none
	recalled   []time.Time // when a restored etcd brought its record back, or somebody set that back
}

// granted tells whether it ever had anything by an agent.
func (a *account) granted() bool { return len(a.made) > 0 }

// access are the resources of what gives access.
var access = []string{"rolebindings", "clusterrolebindings", "roles", "clusterroles"}

// accounts are those of all requests, in the order in which they were asked for.
func (h history) accounts() (all []*account) {
	byPath, byLabel := map[string]*account{}, map[string]*account{}
	byUID := map[types.UID]*account{} // of objects, whatever became of their labels
	trusted := false
	for _, e := range h {
		switch trusted = trusted || e.trusted; {
		case e.did != nil:
			a := byPath[e.did.request.path]
			if a == nil {
				a = &account{request: e.did.request, trusted: trusted}
				if a.extends != nil {
					a.base = byPath[a.extends.path]
				}
				if a.base != nil {
					a.base.extenders = append(a.base.extenders, a)
				}
				all = append(all, a)
				byPath[a.path], byLabel[of(requests.LabelValue(a.name), a.cluster)] = a, a
			}
			a.deeds = append(a.deeds, e)
			if t := tamperings.of(e.did.what); t != nil && t.forgets {
				a.forgot = append(a.forgot, e.at)
			}
			switch e.did.what {
			case recordBack:
				a.recalled = append(a.recalled, e.at)
			case approves:
				a.approved = e.at
			case merges:
				if trusted {
					continue // what counts is that it comes to main
				}
				a.opens(e.at)
			case mergesNot:
				a.merged, a.end = time.Time{}, time.Time{}
			}
		case e.push != nil:
			for _, a := range all {
				status := e.push.changed[a.path]
				if status == "A" && !a.left.IsZero() && a.entered.IsZero() {
					a.backs = append(a.backs, e.at)
				}
				if status == "D" && len(a.backs) > 0 && a.entered.IsZero() && e.push.cluster == "" && !e.push.again {
					a.leftAgain = append(a.leftAgain, e.at)
				}
				if status == "D" {
					a.lefts = append(a.lefts, e.at)
				}
				switch {
				case status == "D" && a.left.IsZero():
					a.left, a.leftBy = e.at, e.push.who
				case status == "A" && e.push.again: // by the very commit that brought it first
					a.left, a.leftBy, a.back = time.Time{}, "", time.Time{}
				case status == "A" && a.pushed && a.deeds[len(a.deeds)-1].did.what != puts:
					a.pushed, a.left, a.leftBy = false, time.Time{}, "" // what was taken away was not merged
				case status == "A" && !a.left.IsZero() && a.back.IsZero():
					a.back = e.at
				case status == "A" && a.left.IsZero() && !trusted:
					a.pushed = a.deeds[len(a.deeds)-1].did.what == puts
				}
				switch arrived := e.push.changed[a.path] == "A"; {
				case arrived && trusted && !a.granted() && a.entered.IsZero():
					a.onMain(e.at)
				case arrived && a.allowed == glass && e.push.cluster == a.cluster && a.merged.IsZero():
					a.opens(e.at) // the agent merged it
				}
				switch status := e.push.changed[requests.RevocationPath(a.cluster, a.name)]; {
				case status == "A" && a.entered.IsZero():
					a.entered = e.at
				case status == "D" && h.unkept(a, e.at):
					a.forgot = append(a.forgot, e.at)
				}
			}
		case e.version != nil && e.version.Resource != "leases": // which most are, and of no request
			o := e.version.object()
			a := byLabel[of(o.GetLabels()[render.LabelRequest], e.version.cluster)]
			if a == nil {
				a = byUID[o.GetUID()]
			}
			if byUID[o.GetUID()] = a; a == nil {
				continue
			}
			if e.version.Verb == restored {
				a.forgot = append(a.forgot, e.at)
				if e.version.Resource == records && e.version.New != nil {
					a.recalled = append(a.recalled, e.at)
				}
				if e.version.Resource == records && (e.version.New == nil || !announced(e.version.New)) {
					a.unmade = append(a.unmade, e.at)
				}
			}
			if e.version.Resource == records {
				a.unrecorded = time.Time{}
				if e.version.New == nil {
					a.unrecorded = e.at
				}
			}
			if e.version.announces() {
				a.announced = e.at
			}
			if e.version.kind() == "jobs delete" && !a.granted() {
				a.unarmed = append(a.unarmed, e.at)
			}
			if slices.Contains(access, e.version.Resource) {
				a.see(e)
			}
		}
	}
	return all
}

// unkept tells whether nobody need have the record of a request any more at a time: its window is over,
// or was by the clock of who has forgotten it.
func (h history) unkept(a *account, at time.Time) bool {
	return !at.Before(a.end) || !a.unrecorded.IsZero() && !h.latest(a.cluster, a.unrecorded).Before(a.end)
}

// opens has a request be on main with all that it takes from a time on, from which its window
// follows.
func (a *account) opens(at time.Time) {
	a.merged = at.Truncate(time.Second)
	a.start = a.merged
	if a.notBefore.After(a.start) {
		a.start = a.notBefore
	}
	if a.base != nil && a.base.end.After(a.start) {
		a.start = a.base.end
	}
	a.start, a.end = a.within(a.start)
	for _, b := range a.extenders { // which may have been merged before
		if !b.merged.IsZero() && !b.granted() {
			b.opens(b.merged)
		}
	}
}

// object is the version, or the last one of what was deleted.
func (v *version) object() cluster.Object {
	if v.New == nil {
		return v.Old
	}
	return v.New
}

// kind is the resource and what became of an object of it.
func (v *version) kind() string {
	switch {
	case v.Old == nil:
		return v.Resource + " create"
	case v.New == nil:
		return v.Resource + " delete"
	}
	return v.Resource + " update"
}

// place is where the object of a version stands.
func (v *version) place() string {
	return v.Resource + " " + v.object().GetNamespace() + "/" + v.object().GetName()
}

// withdrawalBound is how long after a file left main its binding may still be made: a call is slow
// for that long, and the next look at the branch comes within the poll.
const withdrawalBound = 60 * time.Second

// approvedOnly: nothing without a request that was approved, merged, and still on main.
func approvedOnly(h history) (wrong []string) {
	known := map[types.UID]bool{}
	for _, a := range h.accounts() {
		for _, e := range a.made {
			known[e.version.New.GetUID()] = true
			what := fmt.Sprintf("%s got %s at %s", a.name, e.version.place(), e.at)
			switch {
			case !a.may(e.at):
				wrong = append(wrong, what+", and nothing had allowed it")
			case a.merged.IsZero() || a.merged.After(e.at):
				wrong = append(wrong, what+", and was not merged")
			case a.pushed:
				wrong = append(wrong, what+", and came to main by a push")
			case !a.left.IsZero() && e.version.made.Sub(a.left) > withdrawalBound:
				wrong = append(wrong, fmt.Sprintf("%s by a call of %s, %s after it left main", what,
					e.version.made, e.version.made.Sub(a.left)))
			}
		}
	}
	for _, e := range h {
		if v := e.version; v != nil && v.process != "" && v.Old == nil &&
			slices.Contains(access, v.Resource) && !known[v.New.GetUID()] {
			wrong = append(wrong, fmt.Sprintf("%s made %s, which nobody asked for", v.process, v.place()))
		}
	}
	return wrong
}

// may tells whether something allowed a request before a time.
func (a *account) may(at time.Time) bool {
	return a.allowed == byItself || a.allowed == glass || !a.approved.IsZero() && !a.approved.After(at)
}

// once: nothing is made twice for a request, unless the cluster forgot it, and nothing that is in the
// ledger.
func once(h history) (wrong []string) {
	for _, a := range h.accounts() {
		made := map[string]event{}
		for _, e := range a.made {
			where := e.version.place()
			if before, again := made[where]; again && !a.forgotten(before.version.made, e.at) {
				wrong = append(wrong, fmt.Sprintf("%s got %s again at %s", a.name, where, e.at))
			}
			if made[where] = e; !a.entered.IsZero() && e.version.made.Sub(a.entered) > withdrawalBound {
				wrong = append(wrong, fmt.Sprintf("%s got %s at %s; it is in the ledger since %s", a.name,
					where, e.at, a.entered))
			}
		}
	}
	return wrong
}

// nothingLeft: of what agents make nothing is left at the end, and no request on main.
func nothingLeft(h history) (wrong []string) {
	there := map[types.UID]*version{}
	for _, e := range h {
		if e.version == nil {
			continue
		}
		uid := e.version.object().GetUID()
		if there[uid] == nil && e.version.object().GetLabels()[render.LabelRequest] == "" {
			continue // and nobody took its label off
		}
		if there[uid] = e.version; e.version.New == nil {
			delete(there, uid)
		}
	}
	for _, v := range there {
		wrong = append(wrong, fmt.Sprintf("%s %s is left", v.Resource, v.object().GetName()))
	}
	for _, e := range h {
		for path := range e.main {
			if strings.HasPrefix(path, requests.Folder+"/") {
				wrong = append(wrong, path+" is left on main")
			}
		}
	}
	slices.Sort(wrong)
	return wrong
}

// nothingInQuiet: planning again after all is done gives nothing to do. That something owed falls due then
// is told.
func nothingInQuiet(h history) (wrong []string) {
	quiet := false
	for _, e := range h {
		switch quiet = quiet || e.quiet; {
		case e.end:
			return wrong
		case !quiet:
		case e.push != nil:
			wrong = append(wrong, fmt.Sprintf("%s moved main at %s", e.push.who, e.at))
		case e.version != nil && e.version.process != "" && e.version.Resource != "leases" && !h.fallsDue(e):
			wrong = append(wrong, fmt.Sprintf("%s of %s at %s", e.version.kind(),
				e.version.object().GetName(), e.at))
		}
	}
	return append(wrong, "the history has no end")
}
