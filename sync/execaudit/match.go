package execaudit

import (
	"cmp"
	"slices"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// of lists those records whose grant an event is about. What was allowed is a use of the grants that
// let it through: which pods a Deployment had then nobody knows any more, so one with another name counts
// where no other grant is of that pod. What was refused is told of each grant of a command there that its
// caller has.
// An event of anybody else, at whatever other time, is of none: so whoever could forge one can only
// have grants used that there are.
func (e Event) of(records []plan.Record) (all []plan.Record) {
	for _, r := range records {
		if r.EverGranted() && e.during(r) && e.byOneOf(r.Grant, false) {
			all = append(all, r)
		}
	}
	named := func(r plan.Record) bool { return e.byOneOf(r.Grant, true) }
	if e.Allowed() && slices.ContainsFunc(all, named) {
		all = slices.DeleteFunc(all, func(r plan.Record) bool { return !named(r) })
	}
	return all
}

// byOneOf tells whether it is of one of a grant's items, or of one by the name of its pod.
func (e Event) byOneOf(g requests.Grant, named bool) bool {
	return slices.ContainsFunc(g.Items, func(i requests.Item) bool {
		return e.by(g, i) && (!named || i.Exec.NamesPodOf(e.Name))
	})
}

// during tells whether access lasted, by clocks that may differ.
func (e Event) during(r plan.Record) bool {
	end := r.Grant.Window.End
	if r.Phase == plan.Ended && r.EndedAt.Before(end.Time) {
		end = r.EndedAt
	}
	return !e.At.Before(r.Grant.Window.Start.Add(-plan.MaxSkew)) &&
		!e.At.After(end.Add(plan.MaxSkew))
}

// by tells whether whoever an item is for made the call: as the grant's identity, or, where the item
// is theirs, as themselves, whoever passed it on as theirs.
func (e Event) by(g requests.Grant, i requests.Item) bool {
	theirs := e.User == g.Subject.Name && e.As == g.User()
	if !i.Impersonates() {
		theirs = cmp.Or(e.As, e.User) == g.Subject.Name
	}
	return i.Exec != nil && e.Namespace == i.Namespace && theirs &&
		(!e.Allowed() || i.Exec.Ran(e.Verb, e.Name, e.Cut))
}
