package rbac

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/requests"
)

// Permission is one resource with the verbs on it, or one path of the API server that is no
// resource. The wildcard is kept as "*"; What and Does say it in words.
type Permission struct {
	Group    string   `json:"group,omitempty"`    // empty: the core group
	Resource string   `json:"resource,omitempty"` // with its subresource, as in pods/log
	Names    []string `json:"names,omitempty"`    // of objects; none: all
	Verbs    []string `json:"verbs"`              // reading ones first
	URL      string   `json:"url,omitempty"`      // instead of a resource
}

// wildcard stands for everything in a rule. Of a resource it also takes in every subresource.
const wildcard = "*"

// right is one verb on one object, or on all of them when name is empty.
type right struct{ group, resource, name, url, verb string }

// Permissions is what rules give, one entry for each resource: verbs are united, and what a wider
// rule gives as well is left out. The order does not depend on that of the rules.
func Permissions(rules []RoleRule) []Permission {
	given := rights(rules)
	return permissions(given, func(r right) bool {
		return wider(r, func(w right) bool { return w != r && given[w] })
	})
}

// Beyond is what rules give that held, bound in the same place, does not.
func Beyond(rules, held []RoleRule) []Permission {
	given, had := rights(rules), rights(held)
	return permissions(given, func(r right) bool {
		return wider(r, func(w right) bool { return had[w] || w != r && given[w] })
	})
}

// rights takes rules apart.
func rights(rules []RoleRule) map[right]bool {
	set := map[right]bool{}
	for _, rule := range rules {
		for r := range rule.rights() {
			set[r] = true
		}
	}
	return set
}

// rights takes a rule apart in the order of its lists, without what Kubernetes lets nobody do by
// it. An empty name in a rule matches requests that name no object, such as list, and is taken for
// all.
func (rule RoleRule) rights() iter.Seq[right] {
	return func(yield func(right) bool) {
		names := rule.ResourceNames
		if len(names) == 0 {
			names = []string{""}
		}
		for _, verb := range rule.Verbs {
			for _, url := range rule.NonResourceURLs {
				if !yield(right{url: url, verb: verb}) {
					return
				}
			}
			for _, group := range rule.APIGroups {
				for _, resource := range rule.Resources {
					for _, name := range names {
						r := right{group: group, resource: resource, name: name, verb: verb}
						if !r.isVoid() && !yield(r) {
							return
						}
					}
				}
			}
		}
	}
}

// isVoid tells whether a right is never matched: a wildcard is a whole resource or everything
// before a subresource, never a subresource or a part of a word, and whoever makes an object, or
// deletes all, does not name it.
// https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-resources
func (r right) isVoid() bool {
	part := func(word string) bool { return word != wildcard && strings.Contains(word, wildcard) }
	_, sub, isSub := strings.Cut(r.resource, "/")
	of, _, _ := strings.Cut(r.resource, "/")
	return part(r.verb) || part(r.group) || part(of) || strings.Contains(sub, wildcard) ||
		r.name != "" && (r.verb == "deletecollection" || r.verb == "create" && !isSub)
}

// count is how many rights a rule has, before repetitions are left out.
func (r RoleRule) count() int {
	return len(r.Verbs) * (len(r.NonResourceURLs) + len(r.APIGroups)*len(r.Resources)*max(
		len(r.ResourceNames), 1))
}

// wider tells whether one of the rights that include r, r itself among them, is in a set. The forms
// are those of Kubernetes' own matching:
// https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-resources.
func wider(r right, in func(right) bool) bool {
	verbs := []string{r.verb, wildcard}
	if r.url != "" {
		for _, verb := range verbs {
			if in(right{url: r.url, verb: verb}) {
				return true
			}
			for i := range len(strings.TrimSuffix(r.url, wildcard)) + 1 {
				if in(right{url: r.url[:i] + wildcard, verb: verb}) {
					return true
				}
			}
		}
		return false
	}
	resources := []string{r.resource, wildcard}
	if _, sub, ok := strings.Cut(r.resource, "/"); ok {
		resources = append(resources, "*/"+sub)
	}
	for _, verb := range verbs {
		for _, group := range []string{r.group, wildcard} {
			for _, resource := range resources {
				for _, name := range []string{r.name, ""} {
					if in(right{group: group, resource: resource, name: name, verb: verb}) {
						return true
					}
				}
			}
		}
	}
	return false
}

// permissions puts rights together again, without those to leave out.
func permissions(set map[right]bool, leaveOut func(right) bool) []Permission {
	verbs := map[right][]string{} // by right without its verb
	for r := range set {
		if !leaveOut(r) {
			verb := r.verb
			r.verb = ""
			verbs[r] = append(verbs[r], verb)
		}
	}
	merged := map[right]Permission{} // by right with all its verbs and without its name
	for r, list := range verbs {
		slices.SortFunc(list, compareVerbs)
		name := r.name
		r.verb = strings.Join(list, " ")
		if name != "" {
			r.name = "named"
		}
		p, ok := merged[r]
		if !ok {
			p = Permission{Group: r.group, Resource: r.resource, URL: r.url, Verbs: list}
		}
		if name != "" {
			p.Names = append(p.Names, name)
		}
		merged[r] = p
	}
	for _, p := range merged {
		slices.Sort(p.Names)
	}
	return slices.SortedFunc(maps.Values(merged), func(a, b Permission) int {
		return cmp.Or(cmp.Compare(a.URL, b.URL), cmp.Compare(a.Group, b.Group),
			cmp.Compare(a.Resource, b.Resource), slices.Compare(a.Names, b.Names))
	})
}

// usualVerbs are the verbs that most rules have, in the order people know.
var usualVerbs = []string{wildcard, "get", "list", "watch", "create", "update", "patch", "delete",
	"deletecollection"}

func compareVerbs(a, b string) int {
	place := func(verb string) int {
		if i := slices.Index(usualVerbs, verb); i >= 0 {
			return i
		}
		return len(usualVerbs)
	}
	return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(a, b))
}

// Rule is the permission as a rule that gives it.
func (p Permission) Rule() RoleRule {
	if p.URL != "" {
		return RoleRule{NonResourceURLs: []string{p.URL}, Verbs: p.Verbs}
	}
	return RoleRule{APIGroups: []string{p.Group}, Resources: []string{p.Resource},
		ResourceNames: p.Names, Verbs: p.Verbs}
}

// What is the object of a permission in words, for example: pods/log, deployments.apps, every
// resource of apps, secrets "a" and "b", the path /metrics.
func (p Permission) What() string {
	if p.URL != "" {
		return pathInWords(p.URL)
	}
	what := resourceInWords(p.Group, p.Resource)
	if len(p.Names) > 0 {
		what += " named " + join(quoted(p.Names), "and")
	}
	return what
}

// Does is the verbs in words: everything, or a list.
func (p Permission) Does() string {
	if slices.Contains(p.Verbs, wildcard) {
		return "everything"
	}
	return strings.Join(p.Verbs, ", ")
}

func pathInWords(url string) string {
	if prefix, ok := strings.CutSuffix(url, wildcard); ok {
		if prefix == "" || prefix == "/" {
			return "every path of the API server"
		}
		return "every path that begins with " + prefix
	}
	return "the path " + url
}

func resourceInWords(group, resource string) string {
	name, sub, hasSub := strings.Cut(resource, "/")
	switch {
	case group == wildcard && name == wildcard:
		name = "every resource"
	case name == wildcard && group == "":
		name = "every resource of the core group"
	case name == wildcard:
		name = "every resource of " + group
	case group == wildcard:
		return resource + " in every API group"
	case group != "":
		name += "." + group
	}
	switch {
	case !hasSub:
		return name
	case strings.HasPrefix(resource, "*/"):
		return "the subresource " + sub + " of " + name
	}
	return name + "/" + sub
}

func quoted(list []string) []string {
	var q []string
	for _, s := range list {
		q = append(q, requests.Quote(s))
	}
	return q
}

// join lists words for a sentence, at most eight of them.
func join(words []string, and string) string {
	const most = 8
	switch n := len(words); {
	case n > most:
		return strings.Join(words[:most-1], ", ") + ", …"
	case n > 1:
		return strings.Join(words[:n-1], ", ") + " " + and + " " + words[n-1]
	}
	return strings.Join(words, "")
}
