package execaudit

import (
	"cmp"
	"slices"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// of lists those records whose grant an event is about. What was allowed is a use of the grants that
// let it through; what was refused is told of each grant of a command there that its caller has.
// An event of anybody else, at whatever other time, is of none: so whoever could forge one can only
// have grants used that there are.
func (e Event) of(records []plan.Record) (all []plan.Record) {
	for _, r := range records {
		if r.EverGranted() && e.during(r) && slices.ContainsFunc(r.Grant.Items,
			func(i requests.Item) bool { return e.by(r.Grant, i) }) {
			all = append(all, r)
		}
	}
	return all
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
