package policies

import (
	"cmp"
	"fmt"
	"math"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/requests"
)

// contradictions finds what of a policy never comes to anything.
func (l *linter) contradictions(w world, d *requests.Document) {
	l.challenges(w, d)
	l.idleWindows(w, d)
	l.deniedAlways(w, d)
	l.unmatched(w, d)
}

// challenges finds those that nobody needs to meet, or can, while the policy as a whole works: what
// nobody can do at all is an error of Check.
func (l *linter) challenges(w world, d *requests.Document) {
	cluster := w.policy.Spec.Clusters[0] // the other clusters say the same, or nearly
	l.siblings(w, d, "spec", AllOf, w.policy.Spec.Challenges, w.approvals(cluster))
	most := w.policy.Spec.limits().MaxPending
	for at, c := range parts("spec", w.policy.Spec.Challenges) {
		if c.After >= most {
			d.Add(at+".after", RuleChallengeLate, "it counts from %s after the request on, and a request may "+
				"wait for %s (limits.maxPending), so it never does; write less", c.After, most)
		}
	}
}

// siblings looks at challenges beside each other: all of them must be met, or of an AnyOf some.
func (l *linter) siblings(w world, d *requests.Document, at, kind string, all []Challenge,
	approvals []Approval) {
	for i, a := range approvals {
		at := fmt.Sprintf("%s.challenges[%d]", at, i)
		if _, hopeless := w.short(a); kind == AnyOf && hopeless {
			d.Add(at, RuleChallengeIdle, "nobody can meet it: %s, and nobody can approve their own; name "+
				"more, or remove it", a.needs())
			continue
		}
		for n, other := range approvals {
			// Owners are people's to say, in another file: that they are the reviewers is no slip.
			leaves := len(a.Parts)+len(other.Parts) == 0 && a.Kind != other.Kind
			// Of two that mean the same the second is told.
			if n == i || leaves || other.implies(a) && a.implies(other) && i < n {
				continue
			}
			switch {
			case kind == AnyOf && a.implies(other):
				d.Add(at, RuleChallengeIdle, "whoever meets it has met challenges[%d] beside it too, which "+
					"asks for less; remove one of them", n)
			case kind == AllOf && other.implies(a):
				d.Add(at, RuleChallengeIdle, "whoever meets challenges[%d] beside it has met it too; remove "+
					"one of them", n)
			default:
				continue
			}
			break
		}
		if c := all[i]; len(c.Challenges) > 0 && (c.Kind == AnyOf && c.needed() == 1 ||
			c.Kind == AllOf && !c.InOrder) {
			l.siblings(w, d, at, c.Kind, c.Challenges, a.Parts)
		}
	}
}

// idleWindows finds windows inside of others: they open nothing more.
func (l *linter) idleWindows(w world, d *requests.Document) {
	all := w.policy.Spec.Windows
	inside := func(a, b requests.Hours) bool {
		return a.TimeZone == b.TimeZone && b.From <= a.From && a.From < a.To && a.To <= b.To &&
			!slices.ContainsFunc(a.Days, func(day string) bool { return !slices.Contains(b.Days, day) })
	}
	for i, a := range all {
		for n, b := range all {
			if n != i && inside(a, b) {
				d.Add(fmt.Sprintf("spec.windows[%d]", i), RuleWindowIdle, "it lies inside of windows[%d], so it "+
					"opens nothing more; remove it", n)
				break
			}
		}
	}
}

// deniedAlways finds what a policy gives and a rule denies to everybody who may ask, whenever.
func (l *linter) deniedAlways(w world, d *requests.Document) {
	for i, g := range w.policy.Spec.Target.Grants {
		var by, what string
		given := false
		for _, cluster := range w.policy.Spec.Clusters {
			for _, item := range g.kind().offers(l.tree, cluster, g) {
				rule := l.denierOf(w, cluster, item)
				if given = given || rule == ""; by == "" && rule != "" {
					by, what = rule, fmt.Sprintf("%s on %s", item, cluster)
				}
			}
		}
		switch at := fmt.Sprintf("spec.target.grants[%d]", i); {
		case by == "":
		case given:
			d.Add(at, RuleDeniedAlways, "%s is denied always by %s, so every request for that is refused; take "+
				"it out of one of them", what, by)
		default:
			d.Add(at, RuleDeniedAlways, "all that it gives is denied always, such as %s by %s, so every request "+
				"for it is refused; take it out of one of them", what, by)
		}
	}
}

// denierOf is the file of a rule that surely denies something to all who may ask, at all times.
func (l *linter) denierOf(w world, cluster string, item requests.Item) string {
	people, teams := w.resolve(w.policy.Spec.Subjects)
	for _, r := range l.tree.rulesAbout(cluster) {
		deny := r.Spec.Deny
		if len(r.findings) > 0 || !deny.From.IsZero() || !deny.Until.IsZero() ||
			deny.reaches(l.tree, cluster, item) != deniesSurely {
			continue
		}
		denied, deniedTeams := w.resolve(deny.Subjects)
		spared := func(names, of []string) bool {
			return slices.ContainsFunc(names, func(name string) bool { return !has(of, name) })
		}
		if len(deny.Subjects) == 0 || !spared(people, denied) && !spared(teams, deniedTeams) {
			return r.path
		}
	}
	return ""
}

// hidden finds rules that deny nothing that another does not deny as well.
func (l *linter) hidden(r ruleFile, d *requests.Document) {
	for _, other := range l.tree.rules() {
		same := other.Spec.includes(r.Spec) && r.Spec.includes(other.Spec)
		if other.path == r.path || len(other.findings) > 0 || same && r.path < other.path ||
			!other.Spec.includes(r.Spec) {
			continue
		}
		d.Add("spec.deny", RuleHidden, "%s denies all of that too, so this rule keeps nothing more from "+
			"anybody; remove it, or narrow the other", other.path)
		return
	}
}

// includes tells whether a rule denies all that another does.
func (s RuleSpec) includes(other RuleSpec) bool {
	mine, its := s.Deny, other.Deny
	for n, list := range mine.lists() {
		names := its.lists()[n].names
		if len(list.names) > 0 && (len(names) == 0 || slices.ContainsFunc(names, func(name string) bool {
			return !slices.ContainsFunc(list.names, func(m string) bool { return list.includes(m, name) })
		})) {
			return false
		}
	}
	return (mine.From.IsZero() || !its.From.IsZero() && !mine.From.After(its.From.Time)) &&
		(mine.Until.IsZero() || !its.Until.IsZero() && !its.Until.After(mine.Until.Time)) &&
		(s.EndsLive || !other.EndsLive)
}

// unmatched finds patterns that nothing matches which a request may hold.
func (l *linter) unmatched(w world, d *requests.Document) {
	check := func(at, pattern string, least, most int, what string) {
		if pattern != "" && neverMatches(pattern, least, most) {
			d.Add(at, RulePatternNever, "no %s matches it: one has %d to %d characters; correct it", what,
				least, most)
		}
	}
	check("spec.reasonPattern", w.policy.Spec.ReasonPattern, requests.MinReason, requests.MaxReason, "reason")
	for i, f := range w.policy.Spec.Fields {
		check(fmt.Sprintf("spec.fields[%d].pattern", i), f.Pattern, 1, requests.MaxFieldValue,
			"value of a field")
	}
}

// neverMatches tells that a pattern matches no text in one line of so many characters. It may miss
// that, never the other way around.
func neverMatches(pattern string, least, most int) bool {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return false // which Check tells
	}
	shortest, longest := lengths(parsed.Simplify())
	return shortest > most || anchored(parsed) && longest < least
}

// anchored tells whether a pattern is about the whole of a text: it begins with ^ and ends with $.
func anchored(re *syntax.Regexp) bool {
	return re.Op == syntax.OpConcat && re.Sub[0].Op == syntax.OpBeginText &&
		re.Sub[len(re.Sub)-1].Op == syntax.OpEndText
}

// lengths are of the shortest and the longest text that a simple pattern takes; both are beyond all
// where it takes none.
func lengths(re *syntax.Regexp) (shortest, longest int) {
	switch re.Op {
	case syntax.OpNoMatch:
		return math.MaxInt, 0
	case syntax.OpLiteral:
		if strings.ContainsFunc(string(re.Rune), func(r rune) bool { return r < ' ' }) {
			return math.MaxInt, 0 // which no request may hold
		}
		return len(re.Rune), len(re.Rune)
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return 1, 1
	case syntax.OpCapture:
		return lengths(re.Sub[0])
	case syntax.OpQuest:
		_, longest = lengths(re.Sub[0])
		return 0, longest
	case syntax.OpStar:
		return 0, math.MaxInt
	case syntax.OpPlus:
		shortest, _ = lengths(re.Sub[0])
		return shortest, math.MaxInt
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			few, many := lengths(sub)
			shortest, longest = sum(shortest, few), sum(longest, many)
		}
		return shortest, longest
	case syntax.OpAlternate:
		shortest = math.MaxInt
		for _, sub := range re.Sub {
			few, many := lengths(sub)
			shortest, longest = min(shortest, few), max(longest, many)
		}
		return shortest, longest
	}
	return 0, 0
}

// sum adds what may be beyond all.
func sum(a, b int) int {
	if a > math.MaxInt-b {
		return math.MaxInt
	}
	return a + b
}

// overlap looks for another policy through which the same people get the same with approvals that w
// does not ask for.
func (l *linter) overlap(w world, d *requests.Document, other world) {
	if w.policy.Metadata.Name == other.policy.Metadata.Name {
		return
	}
	what, cluster := sharedTarget(l.tree, w.policy, other.policy)
	who := sharedAskers(w, other)
	if what == "" || who == "" {
		return
	}
	mine := w.approvals(cluster)
	for _, theirs := range other.approvals(cluster) {
		if !slices.ContainsFunc(mine, func(m Approval) bool { return m.implies(theirs) }) {
			d.Add("spec.challenges", RuleOverlap, "%s gets %s also under the policy %s, which "+
				"asks for %s and this one does not; keep the stricter or part what they give",
				who, what, other.policy.Metadata.Name, cmp.Or(theirs.Asks, fmt.Sprintf("%s %d of %s",
					theirs.Kind, theirs.Count, nameAll(theirs))))
			return
		}
	}
}

func sharedTarget(t Tree, a, b AccessPolicy) (what, cluster string) {
	for _, cluster := range a.Spec.Clusters {
		if !slices.Contains(b.Spec.Clusters, cluster) {
			continue
		}
		for _, item := range a.Offers(t, cluster) {
			if b.Spec.covers(item) {
				return fmt.Sprintf("%s on %s", item, cluster), cluster
			}
		}
	}
	return "", ""
}

func sharedAskers(a, b world) string {
	people, teams := a.resolve(a.policy.Spec.Subjects)
	otherPeople, otherTeams := b.resolve(b.policy.Spec.Subjects)
	for _, team := range teams {
		if has(otherTeams, team) {
			return "@" + team
		}
	}
	for _, login := range people {
		if has(otherPeople, login) {
			return "@" + login
		}
	}
	return ""
}
