package requests

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Narrowing is what an approver leaves of what is asked for. What it does not name it leaves as it
// is.
type Narrowing struct {
	AtMost     Duration `json:"atMost,omitzero"`      // how long
	Namespaces []string `json:"namespaces,omitempty"` // of those asked for
	Resources  []string `json:"resources,omitempty"`  // as the request names them
}

// String is the narrowing as a review writes it, after its beginning.
func (n Narrowing) String() string {
	var all []string
	if n.AtMost > 0 {
		all = append(all, "at most "+n.AtMost.String())
	}
	if len(n.Namespaces) > 0 {
		all = append(all, onlyNamespaces+strings.Join(n.Namespaces, ", "))
	}
	if len(n.Resources) > 0 {
		all = append(all, onlyResources+strings.Join(n.Resources, ", "))
	}
	return strings.Join(all, "; ")
}

// Narrowed is what is left of a grant. It may be nothing, and is never more than before.
func (g Grant) Narrowed(n Narrowing) Grant {
	switch {
	case n.AtMost == 0:
	case g.Until.IsZero():
		g.Duration = min(g.Duration, n.AtMost)
	case g.AtMost == 0 || n.AtMost < g.AtMost:
		g.AtMost = n.AtMost
	}
	var left []Item
	for _, item := range g.Items {
		if len(n.Namespaces) > 0 && !slices.Contains(n.Namespaces, item.Namespace) {
			continue
		}
		if len(n.Resources) > 0 {
			if item = item.only(n.Resources); len(item.Allows) == 0 {
				continue
			}
		}
		item.Name = ItemName(g.Name, len(left), item.Mode)
		left = append(left, item)
	}
	g.Items = left
	return g
}

// only is what is left of an item when it is about some of its resources alone. Without rules it
// gives nothing, as everything does that is not about resources.
func (i Item) only(resources []string) Item {
	if i.Kind != KubernetesResourceRole {
		return Item{}
	}
	var left []Resource
	all := i.Resources
	i.Resources = nil
	for _, text := range all {
		if slices.Contains(resources, text) {
			i.Resources, left = append(i.Resources, text), append(left, SplitResource(text))
		}
	}
	if !slices.ContainsFunc(left, func(r Resource) bool { return r.Name == "" }) {
		i.Selector = ""
	}
	var rules []Rule
	for _, r := range i.Allows {
		asked := func(name string) bool { return slices.Contains(left, Resource{r.Object(), name}) }
		names, match := r.Names, r.Match
		r.Names, r.Match = nil, nil
		for _, name := range names {
			if asked(name) {
				r.Names = append(r.Names, name)
			}
		}
		for _, m := range match {
			if asked(m.Pattern) { // of a selector there is none, as its resource has no name
				r.Match = append(r.Match, m)
			}
		}
		if len(r.Names)+len(r.Match) > 0 {
			rules = append(rules, r)
		}
	}
	i.Allows = rules
	return i
}

// More tells what a narrowing names that is not asked for: it would have somebody believe that they
// gave that. at is when it was written. Empty where it names nothing such.
func (g Grant) More(n Narrowing, at time.Time) string {
	var namespaces, resources []string
	for _, item := range g.Items {
		namespaces = append(namespaces, item.Namespace)
		resources = append(resources, item.Resources...)
	}
	asked := g.Duration
	if !g.Until.IsZero() { // by what is left of it when the review is written, which stays so
		g.Windows = nil
		w := g.From(at)
		asked = Duration(w.End.Sub(w.Start.Time))
	}
	if n.AtMost > asked {
		return fmt.Sprintf("at most %s is more than what is asked for, %s", n.AtMost,
			Window{At(at), At(at.Add(time.Duration(asked)))}.Length())
	}
	for _, name := range n.Namespaces {
		if !slices.Contains(namespaces, name) {
			return fmt.Sprintf("the namespace %s is not asked for", Quote(name))
		}
	}
	for _, text := range n.Resources {
		if !slices.Contains(resources, text) {
			return fmt.Sprintf("%s is not among the resources that are asked for", Quote(text))
		}
	}
	return ""
}

// Narrowings are those that the records of approvers tell of.
func Narrowings(approvers []Approver) (all []Narrowing) {
	for _, a := range approvers {
		if n, err := parseNarrowingLine(narrowingPrefix + a.Narrowed); err == nil {
			all = append(all, n)
		}
	}
	return all
}
