package names

import (
	"fmt"
	"slices"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
)

// rule is one rule of a Role, with what can match it. One without matches keeps its names.
type rule struct {
	requests.Rule
	matches []match
}

// match tells which of some objects match.
type match struct {
	of   kube.Objects
	fits func(name string) bool
}

// rulesOf are those of an item. A pattern that is none has been refused long before.
func rulesOf(i requests.Item) (rules []rule, err error) {
	for _, r := range i.Allows {
		one := rule{Rule: r}
		for _, m := range r.Match {
			fits, err := m.Matcher()
			if err != nil {
				return nil, fmt.Errorf("what matches %s: %w", requests.Quote(m.String()), err)
			}
			one.matches = append(one.matches, match{kube.Objects{Namespace: i.Namespace,
				Kind: r.Object(), Selector: m.Selector}, fits})
		}
		rules = append(rules, one)
	}
	return rules, nil
}

// TooManyError says that more objects match than a rule of a Role may name.
type TooManyError struct {
	Kind  string
	Count int // with those that the request names
}

func (e *TooManyError) Error() string {
	return fmt.Sprintf("%d %s match, more than the %d of one rule; ask for fewer", e.Count, e.Kind,
		requests.MaxNames)
}

// wanted are the names that the rules of a Role should have. have are those it has; found are the
// names of objects, false when they are not known. A rule of which they are not known keeps what it
// has, and one that too many match keeps what it has of these.
func wanted(rules []rule, have [][]string, found func(kube.Objects) ([]string, bool)) (
	names [][]string, tooMany *TooManyError) {
	for n, r := range rules {
		matched, known := r.matched(found)
		all := r.RoleNames(matched)
		switch count := len(all) - 1; { // without the placeholder
		case len(r.matches) == 0 || !known:
			all = have[n]
		case count > requests.MaxNames:
			tooMany = &TooManyError{r.Kind(), count}
			all = slices.DeleteFunc(all, func(name string) bool {
				return name != requests.Placeholder && !slices.Contains(have[n], name)
			})
		}
		names = append(names, all)
	}
	return names, tooMany
}

// matched are the names of all that matches, false when some of it is not known.
func (r rule) matched(found func(kube.Objects) ([]string, bool)) (names []string, known bool) {
	for _, m := range r.matches {
		all, known := found(m.of)
		if !known {
			return nil, false
		}
		for _, name := range all {
			if m.fits(name) {
				names = append(names, name)
			}
		}
	}
	return names, true
}
