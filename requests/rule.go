package requests

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// Rule is one rule of a Role that is made for a grant: verbs on some objects of one resource, each
// by its name. What a policy offers has no names yet.
type Rule struct {
	Group    string   `json:"group,omitempty"`
	Resource string   `json:"resource"` // with its subresource after a slash
	Verbs    []string `json:"verbs"`
	Names    []string `json:"names,omitempty"`
	Match    []Match  `json:"match,omitempty"` // objects beside those named, kept current
}

// Limits of a Role that is made for a grant. An authorizer hardly notices names, writing does.
const (
	MaxRules = 20  // of one Role
	MaxNames = 500 // of one rule

	maxNamesSize = 512 << 10 // bytes; an object of three times that the API server does not take
)

// MaxMatched is how many names of a rule can be kept current: MaxNames, unless they are very long.
func (r Rule) MaxMatched() int {
	longest := 1
	for _, m := range r.Match {
		longest = max(longest, len(m.Then)+maxObjectName)
	}
	return min(MaxNames, maxNamesSize/longest)
}

// maxObjectName bounds the name of an object in Kubernetes, in bytes.
const maxObjectName = 253

// Key is the rule but for its names, as the agent's rights hold it and the fence asks for it: the
// resource with its group, a colon and the verbs in order.
func (r Rule) Key() string { return r.Kind() + ":" + strings.Join(r.Verbs, ",") }

// Kind is the resource with its group, as kubectl writes it.
func (r Rule) Kind() string {
	if r.Group == "" {
		return r.Resource
	}
	return r.Resource + "." + r.Group
}

// Object is the kind of the objects that the rule is about, whatever the subresource.
func (r Rule) Object() string {
	resource, _, _ := strings.Cut(r.Resource, "/")
	return Rule{Group: r.Group, Resource: resource}.Kind()
}

// RoleNames are the names that the rule has in its Role, in order, when those objects match it.
func (r Rule) RoleNames(matched []string) []string {
	names := slices.Concat(r.Names, matched)
	if len(r.Match) > 0 {
		names = append(names, Placeholder)
	}
	return slices.Compact(slices.Sorted(slices.Values(names)))
}

var (
	ruleGroup    = regexp.MustCompile(`^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)?$`)
	ruleResource = regexp.MustCompile(`^[a-z0-9-]{1,63}(/[a-z]{1,63})?$`)
	ruleVerb     = regexp.MustCompile(`^[a-z]{1,63}$`)
)

// CheckRule tells what is wrong with a rule of a Role that is made for a grant; empty when nothing
// is. Wildcards are never right, and an empty name is none: RBAC takes it for every list and
// creation (https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-resources).
func CheckRule(r Rule) string {
	switch {
	case !ruleGroup.MatchString(r.Group):
		return fmt.Sprintf("the API group %s is none", Quote(r.Group))
	case !ruleResource.MatchString(r.Resource):
		return fmt.Sprintf("the resource %s is none", Quote(r.Resource))
	case len(r.Verbs) == 0 || !slices.IsSorted(r.Verbs):
		return "it needs its verbs, in order"
	case len(r.Names)+len(r.Match) == 0 || len(r.Names) > MaxNames:
		return fmt.Sprintf("it has %d names; 1 to %d can be given", len(r.Names), MaxNames)
	}
	for _, verb := range r.Verbs {
		if !ruleVerb.MatchString(verb) {
			return fmt.Sprintf("the verb %s is none", Quote(verb))
		}
	}
	for _, name := range r.Names {
		if name == "" || name == Placeholder || strings.ContainsFunc(name, func(c rune) bool {
			return c < ' ' ||
				c == 0x7f
		}) {
			return fmt.Sprintf("the name %s is none", Quote(name))
		}
	}
	for _, m := range r.Match {
		if problem := CheckMatch(r.Object(), m); problem != "" {
			return fmt.Sprintf("what matches %s: %s", Quote(m.String()), problem)
		}
	}
	return ""
}

// EqualRules tells whether two Roles would allow the same, in the same order.
func EqualRules(a, b []Rule) bool {
	return slices.EqualFunc(a, b, func(a, b Rule) bool {
		return a.Key() == b.Key() && slices.Equal(a.Names, b.Names) &&
			reflect.DeepEqual(a.Match, b.Match)
	})
}

// Resource is what a request names of a kind: one object, those that a pattern of names matches or,
// without a name, those that a selector finds.
type Resource struct{ Kind, Name string }

// String is the resource as a request names it.
func (r Resource) String() string { return strings.TrimSuffix(r.Kind+"/"+r.Name, "/") }

// IsExact tells whether it is one object.
func (r Resource) IsExact() bool { return objectPattern.MatchString(r.Name) }

// KindPattern is the form of a kind of object in requests and policies: the plural of the resource
// in lower case, with its API group where that is not the core one.
const KindPattern = `^[a-z0-9-]{1,63}(\.[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)?$`

// ResourcePattern is the form of a resource in a request.
const ResourcePattern = `^[a-z0-9-]{1,63}(\.[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)?` +
	`(/([A-Za-z0-9*]([A-Za-z0-9*.:_-]{0,251}[A-Za-z0-9*])?|` + RegexpPattern + `))?$`

// ObjectPattern is the form of the name of one object.
const ObjectPattern = `^[A-Za-z0-9]([A-Za-z0-9.:_-]{0,251}[A-Za-z0-9])?$`

var (
	kindPattern     = regexp.MustCompile(KindPattern)
	resourcePattern = regexp.MustCompile(ResourcePattern)
	objectPattern   = regexp.MustCompile(ObjectPattern)
)

// CheckKind tells what is wrong with a kind of object; empty when nothing is.
func CheckKind(s string) string {
	return mustMatch(kindPattern, s, "the plural of a resource with its API group, such as pods "+
		"or deployments.apps")
}

// CheckResource tells what is wrong with a resource that a request names; empty when nothing is.
func CheckResource(s string) string {
	if problem := mustMatch(resourcePattern, s, "a kind and the name of one object, such as "+
		"pods/api-1 or deployments.apps/api, a pattern such as pods/api-*, or a kind alone where a "+
		"selector says which"); problem != "" {
		return problem
	}
	if r := SplitResource(s); r.Name != "" {
		return CheckNames(r.Name)
	}
	return ""
}

// SplitResource takes apart what CheckResource finds nothing wrong with.
func SplitResource(s string) Resource {
	kind, name, _ := strings.Cut(s, "/")
	return Resource{kind, name}
}

// SplitKind is a kind's resource and its API group.
func SplitKind(kind string) (resource, group string) {
	resource, group, _ = strings.Cut(kind, ".")
	return resource, group
}
