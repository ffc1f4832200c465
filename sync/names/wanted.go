package names

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
)

// rule is one rule of a Role, with what can match it. One without matches keeps its names.
type rule struct {
	requests.Rule
	matches []match
}

// match tells which objects match: the last of those that are seen, which those before control.
type match struct {
	seen []kube.Objects
	fits func(name string) bool
	then string // follows their names
}

// kind is that of the objects that match.
func (m match) kind() string { return m.seen[len(m.seen)-1].Kind }

// rulesOf are those of an item. A pattern that is none has been refused long before.
func rulesOf(i requests.Item) (rules []rule, err error) {
	for _, r := range i.Allows {
		one := rule{Rule: r}
		for _, m := range r.Match {
			fits, err := m.Matcher()
			if err != nil {
				return nil, fmt.Errorf("what matches %s: %w", requests.Quote(m.String()), err)
			}
			match := match{fits: fits, then: m.Then}
			for _, kind := range m.Kinds(r.Object()) {
				match.seen = append(match.seen, kube.Objects{Namespace: i.Namespace, Kind: kind,
					Selector: m.Selector})
			}
			match.seen[0].Name = m.Deployment
			one.matches = append(one.matches, match)
		}
		rules = append(rules, one)
	}
	return rules, nil
}

// TooManyError says that more objects match than a rule of a Role may name.
type TooManyError struct {
	Kind  string // of the objects
	Count int    // with those that the request names
	Most  int
}

func (e *TooManyError) Error() string {
	return fmt.Sprintf("%d %s match, more than the %d of one rule; ask for fewer", e.Count, e.Kind,
		e.Most)
}

// wanted are the names that the rules of a Role should have. have are those it has; found are the
// objects that are seen, false when they are not known. A rule of which they are not known keeps
// what it has, and one that too many match keeps what it has of these.
func wanted(rules []rule, have [][]string, found func(kube.Objects) ([]kube.Seen, bool)) (
	names [][]string, tooMany *TooManyError) {
	for n, r := range rules {
		most := r.most(rules)
		matched, known := r.matched(found)
		all := r.RoleNames(matched)
		switch count := len(all) - 1; { // without the placeholder
		case len(r.matches) == 0 || !known:
			all = have[n]
		case count > most:
			tooMany = &TooManyError{r.matches[0].kind(), count, most}
			all = slices.DeleteFunc(all, func(name string) bool {
				return name != requests.Placeholder && !slices.Contains(have[n], name)
			})
		}
		names = append(names, all)
	}
	return names, tooMany
}

// most is how many names of the rule can be kept current. The rules of a command in the pods of a
// Deployment stop at the same pod: each is of no use without the others.
func (r rule) most(rules []rule) int {
	most := r.MaxMatched()
	for _, other := range rules {
		if d := r.deployment(); d != "" && other.deployment() == d {
			most = min(most, other.MaxMatched())
		}
	}
	return most
}

func (r rule) deployment() string {
	for _, m := range r.Match {
		if m.Deployment != "" {
			return m.Deployment
		}
	}
	return ""
}

// matched are the names of all that matches, false when some of it is not known.
func (r rule) matched(found func(kube.Objects) ([]kube.Seen, bool)) (names []string, known bool) {
	for _, m := range r.matches {
		var above map[types.UID]bool // what controls those that match
		var all []kube.Seen
		for n, of := range m.seen {
			if all, known = found(of); !known {
				return nil, false
			}
			controls := map[types.UID]bool{}
			all = slices.DeleteFunc(slices.Clone(all), func(o kube.Seen) bool {
				return n > 0 && !above[o.Controller]
			})
			for _, o := range all {
				controls[o.UID] = true
			}
			above = controls
		}
		for _, o := range all {
			if m.fits(o.Name) {
				names = append(names, o.Name+m.then)
			}
		}
	}
	return names, true
}
