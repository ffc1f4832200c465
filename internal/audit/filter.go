package audit

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// Filter says which rows are asked for. What is empty asks for nothing.
type Filter struct {
	Person    string               // GitHub login in any case, or Kubernetes user
	People    policies.IdentityMap // by which a login has users: what somebody else asked for them counts
	Namespace string
	Role      string
	Cluster   string
	Policy    string
	Cause     string
	Span      Span
}

// Span is a stretch of time from Since on, and no longer at Until. A zero time leaves that side
// open.
type Span struct{ Since, Until time.Time }

// At is the span of a single moment.
func At(t time.Time) Span { return Span{t, t.Add(1)} }

// Takes tells whether a row is asked for.
func (f Filter) Takes(r Row) bool {
	is := func(wanted, has string) bool { return wanted == "" || wanted == has }
	return (f.Person == "" || strings.EqualFold(f.Person, r.Requester) || f.Person == r.Subject ||
		f.receives(r)) &&
		(f.Namespace == "" || r.ClusterWide || slices.Contains(r.Namespaces, f.Namespace)) &&
		(f.Role == "" || slices.Contains(r.Roles, f.Role)) &&
		is(f.Cluster, r.Cluster) && is(f.Policy, r.Policy) && is(f.Cause, r.Cause) &&
		f.Span.Meets(r)
}

// receives tells whether a row's subject is a user of the login.
func (f Filter) receives(r Row) bool {
	return r.Subject != "" && slices.ContainsFunc(f.People.Spec.Users, func(u policies.Identity) bool {
		return strings.EqualFold(u.GitHub, f.Person) && u.On(r.Cluster) == r.Subject
	})
}

// Unseen says what is asked for by name and no row has, whatever else is asked for, with what there is
// instead: a name that was mistyped takes no row, as one does that nobody was given anything under.
func (f Filter) Unseen(rows []Row) (all []string) {
	for _, one := range []struct {
		named, what string
		alone       Filter
		of          func(Row) []string
	}{
		{f.Person, "is of the person", Filter{Person: f.Person, People: f.People}, func(Row) []string { return nil }},
		{f.Namespace, "reached the namespace", Filter{Namespace: f.Namespace},
			func(r Row) []string { return r.Namespaces }},
		{f.Role, "gave the ClusterRole", Filter{Role: f.Role}, func(r Row) []string { return r.Roles }},
		{f.Cluster, "is on the cluster", Filter{Cluster: f.Cluster},
			func(r Row) []string { return []string{r.Cluster} }},
		{f.Policy, "is under the policy", Filter{Policy: f.Policy},
			func(r Row) []string { return []string{r.Policy} }},
	} {
		if one.named == "" || len(rows) == 0 || slices.ContainsFunc(rows, one.alone.Takes) {
			continue
		}
		said := fmt.Sprintf("nothing here %s %s", one.what, requests.Quote(one.named))
		var there []string
		for _, r := range rows {
			there = append(there, one.of(r)...)
		}
		if there = slices.Compact(slices.Sorted(slices.Values(there))); len(there) > 0 {
			said += "; there are: " + strings.Join(there, ", ")
		}
		all = append(all, said)
	}
	return all
}

// Meets tells whether a row was going on in the span: access, from when it began until it really
// ended, at that moment no longer; of what never gave access, the moment of its refusal. What has
// no end yet may go on for ever.
func (s Span) Meets(r Row) bool {
	begin, end := r.From.Time, r.Ended.Time
	switch {
	case !begin.IsZero() && !end.IsZero() && !begin.Before(end):
		return false // it ended before it began
	case begin.IsZero() && end.IsZero():
		begin = r.Entered.Time
	case begin.IsZero():
		begin, end = end, end.Add(1)
	}
	return (s.Until.IsZero() || begin.Before(s.Until)) &&
		(s.Since.IsZero() || end.IsZero() || end.After(s.Since))
}
