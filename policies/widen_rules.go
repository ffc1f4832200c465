package policies

import (
	"fmt"
	"slices"
	"strings"
)

// deniedLess says what rules of before deny that those of after do not: each file is compared with
// what stands in its place. Rules that do not read are left out; they deny more.
func deniedLess(before, after Tree) (all []string) {
	for _, old := range before.rules() {
		if len(old.findings) > 0 {
			continue
		}
		_, stands := after.Files[old.path]
		now := after.rule(old.path)
		switch {
		case !stands:
			all = append(all, fmt.Sprintf("rule %s is taken away: it denied %s", old.Metadata.Name,
				old.Spec.Deny))
		case len(now.findings) == 0:
			for _, less := range now.Spec.less(old.Spec) {
				all = append(all, "rule "+old.Metadata.Name+": "+less)
			}
		}
	}
	return append(all, groupsLeft(before, after)...)
}

// less says in what a rule denies less than the old one.
func (s RuleSpec) less(old RuleSpec) (all []string) {
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	d, was := s.Deny, old.Deny
	for n, now := range d.lists() {
		then := was.lists()[n]
		switch {
		case len(now.names) == 0:
		case len(then.names) == 0:
			add("it denies only the %s %s now", now.of, anyOf(now.names))
		default:
			for _, name := range then.names {
				if !slices.ContainsFunc(now.names, func(n string) bool { return now.includes(n, name) }) {
					add("it does not deny the %s %s any more", now.of, name)
				}
			}
		}
	}
	if !d.From.IsZero() && was.From.Before(d.From.Time) {
		add("it begins at %s only", d.From)
	}
	if !d.Until.IsZero() && (was.Until.IsZero() || d.Until.Before(was.Until.Time)) {
		add("it is over at %s already", d.Until)
	}
	if old.EndsLive && !s.EndsLive {
		add("it ends no access any more that was given before")
	}
	for _, except := range s.Except {
		if !slices.Contains(old.Except, except) {
			add("it does not deny %s any more", except)
		}
	}
	return all
}

// denialList is one of the lists of a Denial.
type denialList struct {
	of    string // what is in it
	names []string
	// includes tells whether what a name stands for is all that another does.
	includes func(name, other string) bool
}

// lists are those of a denial, in one order.
func (r Denial) lists() []denialList {
	same := func(a, b string) bool { return a == b }
	// Of an entry that is a glob itself, each * can only be met by one.
	glob := func(a, b string) bool { return matches(a, b) }
	kind := func(a, b string) bool { return a == b || strings.HasPrefix(b, a+"/") }
	var subjects []string
	for _, p := range r.Subjects {
		subjects = append(subjects, p.Kind+" "+p.Name)
	}
	return []denialList{{"subject", subjects, same}, {"cluster", r.Clusters, glob},
		{"namespace", r.Namespaces, glob}, {"role", r.Roles, glob}, {"resource", r.Resources, kind}}
}

// groupsLeft names who leaves a group that a rule denies something to.
func groupsLeft(before, after Tree) (all []string) {
	oldGroups, _ := parse(before, GroupsPath, ParseGroups)
	groups, _ := parse(after, GroupsPath, ParseGroups)
	for _, r := range after.rules() {
		for _, p := range r.Spec.Deny.Subjects {
			members, _ := groups.members(p.Name)
			were, _ := oldGroups.members(p.Name)
			for _, m := range were {
				if p.Kind == PartyGroup && !has(members, m) {
					all = append(all, fmt.Sprintf("%s leaves the group %s, to which the rule %s denies %s",
						m, p.Name, r.Metadata.Name, r.Spec.Deny))
				}
			}
		}
	}
	return all
}
