package awsauth

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/sync/mapusers"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// wanted are the people whom aws-auth is to let in, one entry for each ARN: that of the grant which
// ends last. until is when the first of their grants ends; zero when there is none.
func wanted(records []plan.Record, now time.Time) (entries []mapusers.Entry, until time.Time) {
	live := slices.DeleteFunc(slices.Clone(records), func(r plan.Record) bool {
		return !gives(r,
			now)
	})
	slices.SortFunc(live, func(a, b plan.Record) int {
		return cmp.Or(b.Grant.Window.End.Compare(a.Grant.Window.End.Time),
			cmp.Compare(a.Grant.Name, b.Grant.Name))
	})
	for _, r := range live {
		until = r.Grant.Window.End.Time // the last one ends first
		if slices.ContainsFunc(entries, func(e mapusers.Entry) bool {
			return strings.EqualFold(e.ARN, r.Grant.ARN)
		}) {
			continue
		}
		entries = append(entries, mapusers.Entry{ARN: r.Grant.ARN,
			Username: r.Grant.Subject.Name, Request: r.Grant.Name})
	}
	slices.SortFunc(entries, func(a, b mapusers.Entry) int { return cmp.Compare(a.ARN, b.ARN) })
	return entries, until
}

// gives tells whether a record is of access that somebody with an ARN has now, or is about to have:
// what gives it is announced.
func gives(r plan.Record, now time.Time) bool {
	return r.Grant.ARN != "" && r.Grant.Window.Open(now) &&
		(r.Phase == plan.Granting || r.Phase == plan.Granted) &&
		slices.ContainsFunc(r.Objects, func(o plan.Object) bool {
			return o.IsBinding() && (o.UID != "" || o.Content != "")
		})
}
