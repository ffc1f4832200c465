package rbac

import (
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/requests"
)

// Reaches tells whether rules allow anything on objects of a kind, some or all of them. The kind is
// written as secrets or deployments.apps and stands for its subresources too, or as pods/exec, which
// stands for that one alone. The forms of rules are those of
// https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-resources.
func Reaches(rules []RoleRule, kind string) bool {
	object, sub, one := strings.Cut(kind, "/")
	resource, group := requests.SplitKind(object)
	is := func(r right) bool {
		if r.url != "" || r.group != group && r.group != wildcard {
			return false
		}
		given, part, isPart := strings.Cut(r.resource, "/")
		switch {
		case r.resource == wildcard:
			return true
		case given != resource && given != wildcard:
			return false
		}
		return !one || isPart && part == sub
	}
	return slices.ContainsFunc(rules, func(rule RoleRule) bool {
		for r := range rule.rights() {
			if is(r) {
				return true
			}
		}
		return false
	})
}
