package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/ledger"
)

// uses are how often somebody was granted access, and when last.
type uses struct {
	times int
	last  requests.Time
}

// usage says who may ask for what under a policy, how often that was used, and what nobody used.
// granted are the grants of all policies.
func (r *report) usage(now time.Time, tree policies.Tree, p duePolicy, back requests.Days,
	granted []ledger.Account) {
	if back == 0 {
		back = p.Spec.Recertify
	}
	since := requests.At(now.Add(-back.Long()))
	if r.Len() > 0 {
		r.line("")
	}
	r.line("Policy %s", p.Metadata.Name)
	switch {
	case p.since == nil:
		r.text("  no merge is known that its time began with, so it grants nothing")
	case !now.Before(p.end().Time):
		r.text("  it grants nothing since %s", p.end())
	default:
		r.text("  it grants nothing from %s on, unless this is merged", p.end())
	}
	r.title("Who may ask for what")
	for _, line := range tree.WhoAndWhat(p.AccessPolicy) {
		r.text("  %s", line)
	}
	granted = slices.DeleteFunc(slices.Clone(granted), func(a ledger.Account) bool {
		return a.Spec.Policy != p.Metadata.Name || a.Status.GrantedAt.Before(since.Time)
	})
	r.title("Used since " + since.String())
	r.text("  %s", count(len(granted), "grant"))
	by := usesBy(granted)
	for _, login := range slices.Sorted(maps.Keys(by)) {
		r.text("  %s: %s, the last at %s", login, count(by[login].times, "grant"), by[login].last)
	}
	r.list("Used by nobody since then", unused(tree, p.AccessPolicy, by, granted))
}

// usesBy counts grants by who asked for them.
func usesBy(granted []ledger.Account) map[string]uses {
	by := map[string]uses{}
	for _, a := range granted {
		login := strings.ToLower(a.Spec.Requester)
		one := by[login]
		one.times++
		if at := *a.Status.GrantedAt; at.After(one.last.Time) {
			one.last = at
		}
		by[login] = one
	}
	return by
}

// unused says which of those who may ask never did, as far as they are named, and what of that they
// may ask for nobody got.
func unused(tree policies.Tree, policy policies.AccessPolicy, by map[string]uses,
	granted []ledger.Account) (lines []string) {
	people, _ := tree.Askers(policy)
	for _, login := range people {
		if by[strings.ToLower(login)].times == 0 {
			lines = append(lines, login+" may ask and got nothing")
		}
	}
	for _, cluster := range policy.Spec.Clusters {
		for _, item := range policy.Offers(tree, cluster) {
			line := fmt.Sprintf("%s on %s", item, cluster)
			if !slices.Contains(lines, line) && !slices.ContainsFunc(granted, func(a ledger.Account) bool {
				return a.Cluster == cluster && gave(a, item)
			}) {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

// gave tells whether a grant was one of what a policy gives, as far as its entry tells: older ones
// have no roles.
func gave(a ledger.Account, item requests.Item) bool {
	return slices.ContainsFunc(a.Status.GrantRefs, func(ref requests.GrantRef) bool {
		return (item.Namespace == "" || ref.Namespace == item.Namespace) &&
			(item.Role.Name == "" || ref.Role == "" || ref.Role == item.Role.Name)
	})
}

// changed says what becomes of access when the policy becomes stricter.
func (r *report) changed(s policies.PolicySpec) {
	if s.OnChange == policies.OnChangeEnd {
		r.text("  and no longer than the policy's maximum and reviews as they are by then allow, nor than " +
			"whoever asked is in a team that may")
	}
}

// certified says until when a policy grants, as far as files tell.
func (r *report) certified(tree policies.Tree, policy policies.AccessPolicy) {
	if policy.Spec.Recertify == 0 {
		return
	}
	name := policy.Metadata.Name
	r.title("How often it must be certified")
	r.text("  every %s; else it grants nothing until an owner of %s approves what \"%s policy recertify\" "+
		"opens", policy.Spec.Recertify, policies.CertificationPath(name), program)
	if c, ok := tree.Certified(name); ok {
		r.line("  last on %s", c.Spec.Day)
	} else {
		r.line("  it never was; its time began when it was merged last")
	}
}
