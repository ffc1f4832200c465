package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// answer is what "why" found.
type answer struct {
	Forbidden []requests.Forbidden `json:"forbidden"`
	Cluster   string               `json:"cluster"`
	Ways      []way                `json:"ways"`              // cheapest first
	Nearest   []near               `json:"nearest,omitempty"` // where there is no way
	Owners    []string             `json:"owners,omitempty"`  // of the policies
}

// way is a request that would allow what was forbidden.
type way struct {
	Policy      string              `json:"policy"`
	Gives       []string            `json:"gives"` // in words
	MaxDuration requests.Duration   `json:"maxDuration"`
	Least       int                 `json:"leastApprovals"`
	Approvals   []policies.Approval `json:"approvals"`
	Command     string              `json:"command"` // for a shell
	asking      asking
	user        string // who gets it on the cluster
}

func newWay(found policies.Way, approvals []policies.Approval, a asking, name string) way {
	return way{Policy: found.Spec.Policy, Gives: found.Grant.Gives(), MaxDuration: found.Longest,
		Least: found.Approvals, Approvals: approvals, Command: a.line(name), asking: a,
		user: found.Grant.Subject.Name}
}

// near is a policy that comes near, and what is in its way.
type near struct {
	Policy string `json:"policy"`
	Why    string `json:"why"`
	rank   int
}

// rankOther is the rank of a policy that gives something else.
const rankOther = 4

// nearMisses are policies under which nobody can ask for what was forbidden.
type nearMisses []near

// add says what is between what was forbidden and a policy; why is a refusal of the rules.
func (n *nearMisses) add(l attempt, why policies.Decision) {
	name, all := l.policy.Metadata.Name, l.policy.Spec.Clusters
	here := slices.Contains(all, l.cluster)
	var others []string
	for _, cluster := range all {
		if cluster != l.cluster && l.on(cluster, l.forbidden) {
			others = append(others, cluster)
		}
	}
	one := near{Policy: name}
	switch {
	case why.Code != "":
		one.Why = fmt.Sprintf("would allow it, but %s: %s", why.Code, why.Message)
	case here && !l.offered && l.on(l.cluster, l.forbidden):
		people, teams := l.tree.Askers(l.policy)
		one.Why = "would allow it, but only " + cmp.Or(at(slices.Concat(teams, people)), "nobody") +
			" may ask; who may is in its subjects"
		one.rank = 1
	case here && l.offered && len(l.elsewhere()) > 0:
		one.Why = "would allow it in " + strings.Join(l.elsewhere(), ", ")
		one.rank = 2
	case l.offered && len(others) > 0:
		one.Why = "would allow it on " + strings.Join(others, ", ")
		one.rank = 3
	case here && l.offered:
		var gives []string
		for _, g := range l.policy.Spec.Target.Grants {
			gives = append(gives, g.String())
		}
		one.Why = "gives " + strings.Join(gives, "; ")
		one.rank = rankOther
	default:
		return
	}
	*n = append(*n, one)
}

// elsewhere are the namespaces of the policy in which it would allow it.
func (l attempt) elsewhere() (all []string) {
	for _, item := range l.policy.Offers(l.tree, l.cluster) {
		moved := slices.Clone(l.forbidden)
		for i := range moved {
			moved[i].Namespace = item.Namespace
		}
		if item.Namespace != "" && !slices.Contains(all, item.Namespace) && l.on(l.cluster, moved) {
			all = append(all, item.Namespace)
		}
	}
	return all
}

// first are the most of them that come nearest. Those that only give something else are told where
// there is none better.
func (n nearMisses) first(most int) []near {
	slices.SortStableFunc(n, func(a, b near) int { return cmp.Compare(a.rank, b.rank) })
	if i := slices.IndexFunc(n, func(one near) bool { return one.rank == rankOther }); i > 0 {
		n = n[:i]
	}
	return n[:min(most, len(n))]
}

// report says it for a terminal; name is the program's.
func (a answer) report(w world, name string) error {
	var r report
	for _, f := range a.Forbidden {
		r.text("%s may not %s on %s.", f.User, f, a.Cluster)
	}
	if len(a.Ways) > 0 && a.Ways[0].user != a.Forbidden[0].User {
		r.text("You are known there as %s: that is who would get access.", a.Ways[0].user)
	}
	for _, one := range a.Ways {
		r.title(one.Policy)
		for _, given := range one.Gives {
			r.text("  Gives    %s, for up to %s", given, one.MaxDuration)
		}
		r.text("  Needs    %s", whoApproves(one.Approvals))
		r.line("")
		r.command(one.asking, name)
	}
	if len(a.Ways) > 0 {
		return r.to(w.out)
	}
	r.title("No policy under which you may ask would allow it.")
	for _, one := range a.Nearest {
		r.text("  %s  %s", one.Policy, one.Why)
	}
	r.text("%s/ says who may ask for what; a pull request changes it, and %s.", policies.Folder,
		strings.TrimPrefix(cmp.Or(at(a.Owners), "-nobody")+" must approve that", "-"))
	return r.to(w.out)
}

// command is a command to copy.
func (r *report) command(a asking, name string) {
	for _, line := range a.lines(name, "  ") {
		r.line("%s", line)
	}
}
