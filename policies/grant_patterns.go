package policies

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
)

// What a KubernetesResourceRole gives beside objects that are named: those that match a pattern of
// names or a selector, as they come and go.

var matchFields = requests.Fields{
	"ResourceSpec.patterns": {About: "Whether a request may ask for objects by a pattern of their " +
		"names, kept current as they come and go. Only names that match one of names are given. " +
		"Never of secrets. Default: false."},
	"ResourceSpec.selectors": {About: "Whether a request may ask for objects by their labels, in " +
		"the same way. Default: false."},
}

// checkMatching finds kinds of objects that are given by their exact names only.
func checkMatching(d *requests.Document, at string, g GrantSpec) {
	for n, e := range g.Resources {
		problem := requests.Unmatched(e.Resource)
		if g.Scope != "" {
			problem = "with scope names are not kept current"
		}
		if problem == "" {
			continue
		}
		for field, set := range map[string]bool{"patterns": e.Patterns, "selectors": e.Selectors} {
			if set {
				d.Add(fmt.Sprintf("%s.resources[%d].%s", at, n, field), "pattern",
					"%s go by their "+
						"exact names only: %s; remove it", e.Resource, problem)
			}
		}
	}
}

// entries are the parts of a grant that a resource is asked for by, or why there is none.
func (g GrantSpec) entries(r requests.Resource, selector string) (all []ResourceSpec,
	problem string) {
	if r.IsExact() {
		if e, ok := g.entry(r); ok {
			return []ResourceSpec{e}, ""
		}
		return nil, fmt.Sprintf("%s is not in the policy; it gives %s", requests.Quote(r.String()),
			g)
	}
	if r.Name == "" && selector == "" {
		return nil, fmt.Sprintf("%s has no name; name one object, a pattern such as %[1]s/*, or say "+
			"which by selector (--selector)", r.Kind)
	}
	for _, e := range g.Resources {
		if e.Resource == r.Kind && (r.Name == "" && e.Selectors ||
			r.Name != "" && e.Patterns && requests.CanMatch(r.Name, e.Names)) {
			all = append(all, e)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Sprintf("the policy does not give %s; it gives %s",
			requests.Quote(r.String()), g)
	}
	return all, ""
}

// gives is what a rule of the grant is about when a request asks for a resource by the entry: a
// name, or what matches.
func (e ResourceSpec) gives(r requests.Resource, selector string) (names []string,
	match []requests.Match) {
	switch {
	case r.IsExact():
		return []string{r.Name}, nil
	case r.Name == "":
		return nil, []requests.Match{{Selector: selector, Within: e.Names}}
	}
	return nil, []requests.Match{{Pattern: r.Name, Within: e.Names}}
}

// offers is what can match a rule of the entry. By which labels, a request says.
func (e ResourceSpec) offers() (match []requests.Match) {
	if e.Patterns {
		match = append(match, requests.Match{Pattern: "*", Within: e.Names})
	}
	if e.Selectors {
		match = append(match, requests.Match{Within: e.Names})
	}
	return match
}

// within tells whether what matches may have such names by the entry.
func (e ResourceSpec) within(m requests.Match, glob string) bool {
	return (m.Pattern != "" && e.Patterns || m.Pattern == "" && e.Selectors) &&
		slices.ContainsFunc(e.Names, func(wider string) bool { return matches(wider, glob) })
}

// ways are the words for how objects may be asked for beside by their names.
func (e ResourceSpec) ways() string {
	switch {
	case e.Patterns && e.Selectors:
		return " (by pattern or labels too)"
	case e.Patterns:
		return " (by pattern too)"
	case e.Selectors:
		return " (by labels too)"
	}
	return ""
}

// matchesKind tells whether an item is about objects of a kind that come and go.
func matchesKind(i requests.Item, kind string) bool {
	return slices.ContainsFunc(i.Allows, func(r requests.Rule) bool {
		return r.Object() == kind && len(r.Match) > 0
	})
}

// addRule adds a rule to others by their keys: one with the same verbs on the same resource gets
// its names.
func addRule(rules map[string]requests.Rule, rule requests.Rule) {
	known := rules[rule.Key()]
	match := slices.Clone(known.Match)
	for _, m := range rule.Match {
		if !slices.ContainsFunc(match, func(o requests.Match) bool {
			return reflect.DeepEqual(o,
				m)
		}) {
			match = append(match, m)
		}
	}
	rule.Names, rule.Match = sorted(append(slices.Clone(known.Names), rule.Names...)), match
	rules[rule.Key()] = rule
}

// matchRisks are what the approvers of an item must know of what matches it.
func matchRisks(i requests.Item) []rbac.Risk {
	var globs, kinds []string
	for _, r := range i.Allows {
		for _, m := range r.Match {
			kinds, globs = append(kinds, r.Object()), append(globs, m.Within...)
		}
	}
	if len(kinds) == 0 {
		return nil
	}
	return []rbac.Risk{{Code: "matches", Text: fmt.Sprintf("reaches %s that come to match while it "+
		"lasts, up to %d: whoever can create or label some there can make one match; of all that "+
		"match, the policy gives those named %s", strings.Join(sorted(kinds), " and "),
		requests.MaxNames, anyOf(sorted(globs)))}}
}
