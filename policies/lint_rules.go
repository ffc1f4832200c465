package policies

import (
	"fmt"
	"slices"

	"github.com/pullgrant/pullgrant/requests"
)

// rules looks at what the rules deny: names that no policy gives, and windows that are over. named
// are the groups that anybody names.
func (l *linter) rules(identities IdentityMap, named map[string]bool) {
	var offered []offer
	for _, r := range l.tree.rules() {
		for _, p := range r.Spec.Deny.Subjects {
			named[p.Name] = named[p.Name] || p.Kind == PartyGroup
		}
		if len(r.findings) > 0 {
			continue
		}
		if offered == nil {
			offered = l.offered()
		}
		_, d := document[AccessRule](l.tree, r.path)
		if until := r.Spec.Deny.Until; !until.IsZero() && !l.now.Before(until.Time) {
			d.Add("spec.deny.until", RuleOver, "the rule denies nothing since %s; remove it", until)
		} else {
			l.idle(r.Spec.Deny, identities, offered, d)
			l.hidden(r, d)
		}
		l.findings = append(l.findings, d.Findings...)
	}
}

// idle finds each name in a rule that keeps nothing from anybody, since no policy gives it: most
// often a slip. Kinds of objects are not among them: that no role reaches Secrets is worth a rule.
func (l *linter) idle(deny Denial, identities IdentityMap, offered []offer,
	d *requests.Document) {
	names := func(field string, names []string, only func(name []string) Denial) {
		for n := range names {
			one := only(names[n : n+1])
			if l.everyPolicy && !slices.ContainsFunc(offered, func(o offer) bool {
				return one.reaches(l.tree, o.cluster, o.Item) != deniesNot
			}) {
				d.Add(fmt.Sprintf("spec.deny.%s[%d]", field, n), RuleIdle, "no policy gives anything "+
					"that %s is about, so it keeps nothing from anybody; correct it, or remove it",
					requests.Quote(names[n]))
			}
		}
	}
	names("clusters", deny.Clusters, func(n []string) Denial { return Denial{Clusters: n} })
	names("namespaces", deny.Namespaces, func(n []string) Denial { return Denial{Namespaces: n} })
	names("roles", deny.Roles, func(n []string) Denial { return Denial{Roles: n} })
	for n, p := range deny.Subjects {
		if _, known := identities.find(p.Name); p.Kind == PartyUser && !known {
			d.Add(fmt.Sprintf("spec.deny.subjects[%d]", n), RuleIdle, "@%s is not in %s and gets "+
				"nothing anyway; correct the name, or remove it", p.Name, IdentitiesPath)
		}
	}
}

// offer is what requests can get on a cluster.
type offer struct {
	cluster string
	requests.Item
}

func (l *linter) offered() (all []offer) {
	for _, w := range l.policies {
		for _, cluster := range w.policy.Spec.Clusters {
			for _, item := range w.policy.Offers(l.tree, cluster) {
				all = append(all, offer{cluster, item})
			}
		}
	}
	return all
}
