package rbac

import "github.com/pullgrant/pullgrant/requests"

// Permits tells whether rules that are bound where it happens would have allowed what was forbidden.
func Permits(rules []RoleRule, f requests.Forbidden) bool {
	if f.Path != "" {
		given := rights(rules)
		return wider(right{url: f.Path, verb: f.Verb}, func(r right) bool { return given[r] })
	}
	a := Access{Verb: f.Verb, Group: f.Group, Resource: f.Resource, Name: f.Name}
	if f.Subresource != "" {
		a.Resource += "/" + f.Subresource
	}
	all, _ := Allows(rules, a)
	return all
}

// Breadth is how much rules give, to compare: a point for each verb on each resource, many for a
// wildcard.
func Breadth(rules []RoleRule) (points int) {
	const all = 1000
	for _, p := range Permissions(rules) {
		each := 1
		if p.Group == wildcard || p.Resource == wildcard {
			each = all
		}
		for _, verb := range p.Verbs {
			points += each
			if verb == wildcard {
				points += all
			}
		}
	}
	return points
}
