package policies

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// BreakGlass lets named people have what a policy gives before anybody looks at it, and says who
// answers for that afterwards.
type BreakGlass struct {
	Subjects     []Party           `yaml:"subjects" json:"subjects"` // who may; people by name
	MaxDuration  requests.Duration `yaml:"maxDuration" json:"maxDuration"`
	Owners       []Party           `yaml:"owners" json:"owners"` // of the debt
	ReviewWithin requests.Duration `yaml:"reviewWithin" json:"reviewWithin"`
}

// maxReviewWithin is the longest that a policy may leave until break-glass has been answered for.
const maxReviewWithin = requests.Duration(30 * 24 * time.Hour)

var breakGlassFields = requests.Fields{
	"PolicySpec.breakGlass": {About: "Who may have access before anybody looks at it " +
		"(spec.breakGlass: true of a request), and who answers for that. Default: nobody."},
	"BreakGlass.subjects": {About: "Who may: people by their logins, whether or not they are among the " +
		"policy's subjects.", Min: 1, Unique: true},
	"BreakGlass.maxDuration": {About: "The longest that such access may last, for example 30m. Not " +
		"longer than the target's maxDuration."},
	"BreakGlass.owners": {About: "Owners of the debt, one of whom approves the review of each such " +
		"access. Who asked for it or received it never does.", Min: 1, Unique: true},
	"BreakGlass.reviewWithin": {About: "How long after access begins the debt is overdue, for example 24h; " +
		"at most " + maxReviewWithin.String() + "."},
}

// checkBreakGlass finds what is wrong with the break-glass of a policy file.
func checkBreakGlass(d *requests.Document, s PolicySpec) {
	const at = "spec.breakGlass"
	b := s.BreakGlass
	if b == nil {
		return
	}
	checkParties(d, at+".subjects", b.Subjects)
	checkParties(d, at+".owners", b.Owners)
	for i, p := range b.Subjects {
		if p.Kind == PartyGroup {
			d.Add(fmt.Sprintf("%s.subjects[%d].kind", at, i), "break-glass", "whoever may break the glass "+
				"is named: kind: User")
		}
	}
	if b.MaxDuration > s.Target.MaxDuration {
		d.Check(at+".maxDuration", "duration", b.MaxDuration.String(), "it may not be longer than "+
			"the target's maxDuration, "+s.Target.MaxDuration.String())
	}
	if b.ReviewWithin > maxReviewWithin {
		d.Check(at+".reviewWithin", "duration", b.ReviewWithin.String(), "it may not be longer than "+
			maxReviewWithin.String())
	}
}

// Lets tells whether a person may break the glass.
func (b *BreakGlass) Lets(login string) bool {
	return b != nil && slices.ContainsFunc(b.Subjects, func(p Party) bool {
		return p.Kind == PartyUser && strings.EqualFold(p.Name, login)
	})
}

// askers are those who may ask for access, or have it at once.
func (s PolicySpec) askers(breakGlass bool) []Party {
	switch {
	case !breakGlass:
		return s.Subjects
	case s.BreakGlass == nil:
		return nil
	}
	return s.BreakGlass.Subjects
}

// breaksGlass tells whether the request is to be allowed with nobody's review, by its policy.
func (j *judge) breaksGlass() bool {
	return j.request.Spec.BreakGlass && j.world.policy.Spec.BreakGlass != nil
}

// target is that of the policy, with the durations of what is asked for.
func (j *judge) target() Target {
	t := j.world.policy.Spec.Target
	if j.breaksGlass() {
		t.MaxDuration = min(t.MaxDuration, j.world.policy.Spec.BreakGlass.MaxDuration)
		t.DefaultDuration = min(t.DefaultDuration, t.MaxDuration)
	}
	return t
}

// glassPending is how long a request that breaks the glass may lie open: whatever cannot wait must not
// come a day later, when nobody expects it.
const glassPending = requests.Duration(15 * time.Minute)

// maxPending is how long the request may lie open (R52).
func (j *judge) maxPending() requests.Duration {
	most := j.world.policy.Spec.limits().MaxPending
	if j.breaksGlass() {
		most = min(most, glassPending)
	}
	return most
}

// glassSteps check whether a request that says so may be granted before anybody looks at it (R75).
func (j *judge) glassSteps() []step {
	if !j.request.Spec.BreakGlass {
		return nil
	}
	return []step{{BreakGlassNotAllowed, j.glassOffered}}
}

func (j *judge) glassOffered() string {
	spec, b := j.request.Spec, j.world.policy.Spec.BreakGlass
	if b == nil {
		return j.field("spec.breakGlass", BreakGlassNotAllowed, fmt.Sprintf("the policy %s lets nobody "+
			"have access before a review; ask without breakGlass (`pullgrant request`)", spec.Policy))
	}
	if !b.Lets(spec.Requester) {
		return j.field("spec.breakGlass", BreakGlassNotAllowed, fmt.Sprintf("@%s may not break the glass "+
			"under the policy %s, which lets %s; ask without breakGlass (`pullgrant request`)", spec.Requester,
			spec.Policy, names(b.Subjects)))
	}
	people, teams := j.world.resolve(b.Owners)
	requester, _ := j.world.identities.find(spec.Requester)
	receiver, _ := j.world.identities.find(j.decision.Grant.Behalf)
	j.decision.Grant.BreakGlass = &requests.BreakGlass{Owners: slices.Concat(people, teams),
		ReviewWithin: b.ReviewWithin, RequesterID: requester.GitHubID, BehalfID: receiver.GitHubID}
	return ""
}

// debtSteps refuse break-glass while other break-glass is not answered for (R76).
func (j *judge) debtSteps() []step {
	if !j.request.Spec.BreakGlass {
		return nil
	}
	return []step{{BreakGlassOwed, j.owes}}
}

func (j *judge) owes() string {
	g := j.decision.Grant
	for _, o := range j.facts.Owed.Debts {
		switch {
		case o.Name == g.Name:
		case o.Unreadable:
			return fmt.Sprintf("whose break-glass %s is cannot be read, so it is taken for everybody's; "+
				"have its file put right", requests.Quote(o.Name))
		case o.Cluster == g.Cluster && o.Policy == g.Policy:
			return fmt.Sprintf("break-glass under the policy %s is not answered for: %s", g.Policy, o)
		case o.isOf(g):
			return fmt.Sprintf("break-glass of @%s is not answered for: %s", g.Requester, o)
		}
	}
	return ""
}

// String is what a policy lets be before a review, as its readers see it.
func (b BreakGlass) String() string {
	return fmt.Sprintf("%s may have it for at most %s before anybody looks at it; to be answered for "+
		"by %s within %s", names(b.Subjects), b.MaxDuration, names(b.Owners), b.ReviewWithin)
}

// glassWider says what a policy's break-glass allows that the old one did not.
func (s PolicySpec) glassWider(old PolicySpec) (all []string) {
	b, was := s.BreakGlass, old.BreakGlass
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	switch {
	case b == nil:
		return nil
	case was == nil:
		return []string{"break-glass: " + b.String()}
	}
	for _, p := range b.Subjects {
		if !slices.Contains(was.Subjects, p) {
			add("%s may break the glass too", p.Name)
		}
	}
	for _, p := range b.Owners {
		if !slices.Contains(was.Owners, p) {
			add("%s may answer for break-glass too", p.Name)
		}
	}
	if b.MaxDuration > was.MaxDuration {
		add("break-glass may last %s instead of %s", b.MaxDuration, was.MaxDuration)
	}
	if b.ReviewWithin > was.ReviewWithin {
		add("break-glass may stay %s without an answer instead of %s", b.ReviewWithin, was.ReviewWithin)
	}
	return all
}

// glassHopeless names whose break-glass nobody could answer for: they are one of too few owners.
// Anybody may be in a GitHub team.
func (w world) glassHopeless(b BreakGlass) (all []string) {
	owners, teams := w.resolve(b.Owners)
	for _, p := range b.Subjects {
		others := slices.DeleteFunc(slices.Clone(owners), func(login string) bool {
			return strings.EqualFold(login, p.Name)
		})
		if len(others) == 0 && len(teams) == 0 {
			all = append(all, fmt.Sprintf("nobody could answer for break-glass of @%s: breakGlass.owners "+
				"needs somebody besides them", p.Name))
		}
	}
	return all
}

// breakGlass warns of access that is long for what nobody looks at before.
func (l *linter) breakGlass(w world, d *requests.Document) {
	b := w.policy.Spec.BreakGlass
	if b != nil && b.MaxDuration > unreviewedLong {
		d.Add("spec.breakGlass.maxDuration", RuleGlassLong, "%s before anybody looks at it; have it be "+
			"%s at most", b.MaxDuration, unreviewedLong)
	}
}

// notAtOnce is the rule of schemas that break-glass goes without a field.
func notAtOnce(field string) *schema {
	return &schema{Not: &schema{Required: []string{"breakGlass", field},
		Properties: map[string]*schema{"breakGlass": {Const: true}}}}
}
