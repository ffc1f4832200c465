package rbac

import "slices"

// Access is one verb on objects of one resource: on the one with that name, or on every one.
type Access struct{ Verb, Group, Resource, Name string } // Resource: with its subresource

// Allows tells whether rules allow an access, as Kubernetes' own authorizer matches them. Where
// they do not, names are those of the objects on which they allow it, in order.
func Allows(rules []RoleRule, a Access) (all bool, names []string) {
	given := rights(rules)
	on := func(name string) bool {
		return wider(right{group: a.Group, resource: a.Resource, name: name, verb: a.Verb},
			func(r right) bool { return given[r] })
	}
	if on(a.Name) {
		return true, nil
	}
	return false, slices.DeleteFunc(Named(rules), func(name string) bool { return !on(name) })
}
