package rbac

import (
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/requests"
)

// plainVerbs are what a wildcard in a role stands for, as far as a name reaches.
var plainVerbs = []string{"delete", "get", "list", "patch", "update", "watch"}

// On is what rules allow on one object and its subresources, one rule each, without its name, in
// order; with verbs, no more than these. Of objects that a pattern or a selector finds it is what
// rules allow on every one. Left out is what a name does not restrict: deletecollection,
// and creating the object itself, which a server-side apply could do under that name
// (https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-resources). A name
// stands in the address of a subresource, so creating that is restricted. A wildcard stands for the
// object itself: which subresources there are, the role does not tell.
func On(rules []RoleRule, object requests.Resource, verbs []string) (all []requests.Rule) {
	resource, group := requests.SplitKind(object.Kind)
	found := map[string][]string{} // verbs by resource
	for _, rule := range rules {
		if len(rule.ResourceNames) > 0 && !(object.IsExact() && slices.Contains(rule.ResourceNames,
			object.Name)) ||
			!slices.Contains(rule.APIGroups, group) && !slices.Contains(rule.APIGroups, wildcard) {
			continue
		}
		for _, given := range rule.Resources {
			if name, ok := within(given, resource); ok {
				found[name] = append(found[name], reaching(rule.Verbs, name)...)
			}
		}
	}
	for name, given := range found {
		given = slices.DeleteFunc(sorted(given), func(verb string) bool {
			return len(verbs) > 0 && !slices.Contains(verbs, verb)
		})
		if len(given) > 0 {
			all = append(all, requests.Rule{Group: group, Resource: name, Verbs: given})
		}
	}
	slices.SortFunc(all, func(a, b requests.Rule) int {
		return strings.Compare(a.Resource,
			b.Resource)
	})
	return all
}

// within is the resource, or the subresource of it, that an entry of a rule names.
func within(given, resource string) (name string, ok bool) {
	parent, sub, has := strings.Cut(given, "/")
	switch {
	case given == wildcard:
		return resource, true
	case has && (parent == resource || parent == wildcard) && sub != wildcard:
		return resource + "/" + sub, true
	}
	return resource, given == resource
}

// reaching are the verbs of a rule that a name restricts.
func reaching(verbs []string, resource string) (all []string) {
	for _, verb := range verbs {
		switch sub := strings.Contains(resource, "/"); {
		case verb == wildcard && sub:
			all = append(all, append([]string{"create"}, plainVerbs...)...)
		case verb == wildcard:
			all = append(all, plainVerbs...)
		case verb == "deletecollection", verb == "create" && !sub:
		default:
			all = append(all, verb)
		}
	}
	return all
}

// Named are the names that rules are restricted to, each once, in order.
func Named(rules []RoleRule) (names []string) {
	for _, rule := range rules {
		names = append(names, rule.ResourceNames...)
	}
	return sorted(names)
}
