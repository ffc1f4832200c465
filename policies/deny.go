package policies

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
)

// denies is whether a rule denies something, as far as that is known.
type denies int

const (
	deniesNot denies = iota
	deniesPerhaps
	deniesSurely
)

// reaches tells whether a denial is about an item on a cluster, whoever gets it and whenever:
// perhaps, where the catalogue does not tell what its role allows.
func (r Denial) reaches(t Tree, cluster string, i requests.Item) denies {
	if !within(r.Clusters, cluster) || i.Namespace != "" && !within(r.Namespaces, i.Namespace) ||
		!within(r.Roles, i.Role.Name) {
		return deniesNot
	}
	if len(r.Resources) == 0 {
		return deniesSurely
	}
	rules, known := grantKindOf(i.Kind).gives(t, cluster, i)
	switch {
	case !known:
		return deniesPerhaps
	case slices.ContainsFunc(r.Resources, func(kind string) bool { return rbac.Reaches(rules, kind) }):
		return deniesSurely
	}
	return deniesNot
}

// in tells whether a denial holds at some moment of a window, whose end is no part of it. nil is a
// window that is not known.
func (r Denial) in(w *requests.Window) denies {
	switch {
	case r.From.IsZero() && r.Until.IsZero():
		return deniesSurely
	case w == nil:
		return deniesPerhaps
	case !r.From.IsZero() && !r.From.Before(w.End.Time),
		!r.Until.IsZero() && !w.Start.Before(r.Until.Time):
		return deniesNot
	}
	return deniesSurely
}

// deniesTo tells whether a denial is about somebody.
func (j *judge) deniesTo(r Denial, login string) denies {
	people, teams := j.world.resolve(r.Subjects)
	in, open := j.known(login, teams)
	switch {
	case len(r.Subjects) == 0 || in || has(people, login):
		return deniesSurely
	case len(open) > 0:
		return deniesPerhaps
	}
	return deniesNot
}

// denies tells whether a denial is about a grant with that window: about one of its items at least.
// unknown is how it is about one of which the catalogue does not tell.
func (j *judge) denies(r Denial, g requests.Grant, w *requests.Window, unknown denies) denies {
	most := deniesNot
	for _, item := range g.Items {
		about := r.reaches(j.tree, g.Cluster, item)
		if about == deniesPerhaps {
			about = unknown
		}
		most = max(most, about)
	}
	to := j.deniesTo(r, g.Requester)
	if g.Behalf != "" {
		to = max(to, j.deniesTo(r, g.Behalf))
	}
	return min(most, r.in(w), to)
}

// asked is the window that the request would have, merged then or now; nil where neither is known.
func (j *judge) asked() *requests.Window {
	merge := j.facts.judgedAt(j.now)
	if merge.IsZero() && j.decision.Grant.NotBefore.IsZero() {
		return nil
	}
	w := j.decision.Grant.From(merge)
	return &w
}

// underRules is whether the rules let the request be granted (R70). What a role allows is taken for
// all where the catalogue does not tell; who is in a team, and when access would be, can be unknown
// before there is a pull request.
func (j *judge) underRules() Standing {
	g, w := *j.decision.Grant, j.asked()
	var denied, unknown []string
	for _, r := range j.tree.rulesAbout(g.Cluster) {
		if len(r.findings) > 0 {
			denied = append(denied, fmt.Sprintf("%s does not read, so it denies everything that it "+
				"could be about; fix it on the default branch first: %s", requests.Quote(r.path),
				r.findings[0]))
			continue
		}
		if r.Spec.excepts(g) {
			continue
		}
		switch j.denies(r.Spec.Deny, g, w, deniesSurely) {
		case deniesSurely:
			denied = append(denied, r.denial())
		case deniesPerhaps:
			unknown = append(unknown, "whether "+requests.Quote(r.path)+" denies it")
		}
	}
	switch {
	case len(denied) > 0:
		return Standing{Decision: standsDenied, Code: AccessDenied,
			Message: strings.Join(denied, "; ")}
	case len(unknown) > 0:
		return Standing{Decision: standsUnknown, Message: strings.Join(unknown, "; ")}
	}
	return Standing{Decision: standsAllowed}
}

// denial says to people that a rule denies, and why.
func (r ruleFile) denial() string {
	text := requests.Quote(r.path) + " denies " + r.Spec.String()
	return text + ": " + strconv.QuoteToGraphic(r.Spec.Reason) // whole: it is bounded, and the answer
}

// denied refuses what a rule denies, or may deny (R70).
func (j *judge) denied() string {
	s := j.underRules()
	if s.Decision == standsUnknown {
		s.Message = "it cannot be told " + s.Message + ", so it is denied"
	}
	return j.field("spec", AccessDenied, s.Message)
}

// surelyDenied is denied as far as it is known before there is a pull request.
func (j *judge) surelyDenied() string {
	if s := j.underRules(); s.Decision == standsDenied {
		return j.field("spec", AccessDenied, s.Message)
	}
	return ""
}

// deniedSince finds the rules that deny what is left of live access. Those that may deny it are not
// among them, nor those that do not read: what cannot be judged ends nothing.
func (j *judge) deniedSince(g requests.Grant) []ruleFile {
	left := g.Window
	if left.Start.Before(j.now) {
		left.Start = requests.At(j.now)
	}
	if !left.Start.Before(left.End.Time) {
		return nil
	}
	return slices.DeleteFunc(j.tree.rulesAbout(g.Cluster), func(r ruleFile) bool {
		return len(r.findings) > 0 || r.Spec.excepts(g) ||
			j.denies(r.Spec.Deny, g, &left, deniesPerhaps) != deniesSurely
	})
}

// endedByRule tells whether a rule denies live access now and ends it.
func (j *judge) endedByRule(g requests.Grant) bool {
	return slices.ContainsFunc(j.deniedSince(g), func(r ruleFile) bool {
		return r.Spec.EndsLive && !j.now.Before(r.Spec.Deny.From.Time)
	})
}

// LiveDenied tells by the path of the request what rules of tree say against access of one policy
// that was given: that they deny what is left of it at now, and whether that ends it. Membership of
// GitHub teams is not asked.
func LiveDenied(tree Tree, grants []requests.Grant, now time.Time) map[string]string {
	found := map[string]string{}
	if len(grants) == 0 {
		return found
	}
	j := newJudge(tree, factsOf(tree.Commit, grants[0].Path, TreeFile{}), now)
	for _, g := range grants {
		var all []string
		for _, r := range j.deniedSince(g) {
			text := r.denial()
			switch {
			case !r.Spec.EndsLive:
				text += "; it ends no access that was given before"
			case now.Before(r.Spec.Deny.From.Time):
				text += "; the access ends then"
			}
			all = append(all, text)
		}
		if len(all) > 0 {
			found[g.Path] = strings.Join(all, "; ")
		}
	}
	return found
}

// RuleView is a rule as the readers of a policy see it.
type RuleView struct {
	Path   string
	Denies string
	Reason string // free text, escape at every sink
}

// RulesOver are the rules that deny something of what a policy gives, with those that do not read
// and may deny all of it; of those the reason says why.
func (t Tree) RulesOver(policy AccessPolicy) (all []RuleView) {
	for _, r := range t.rules() {
		d := r.Spec.Deny
		if !slices.ContainsFunc(policy.Spec.Clusters, func(cluster string) bool {
			return within(d.Clusters, cluster) && (len(r.findings) > 0 ||
				slices.ContainsFunc(policy.Offers(t, cluster), func(i requests.Item) bool {
					return d.reaches(t, cluster, i) != deniesNot
				}))
		}) {
			continue
		}
		view := RuleView{r.path, r.Spec.String(), r.Spec.Reason}
		if len(r.findings) > 0 {
			view = RuleView{r.path, "everything that it could be about", r.findings[0].String()}
		}
		all = append(all, view)
	}
	return all
}
