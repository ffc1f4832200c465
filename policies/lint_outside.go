package policies

import (
	"fmt"
	"slices"

	"github.com/pullgrant/pullgrant/requests"
)

// roleless looks for what is given without a role, where a challenge asks about one.
func (w world) roleless(d *requests.Document) {
	for at, c := range parts("spec", w.policy.Spec.Challenges) {
		for _, g := range w.policy.Spec.Target.Grants {
			if c.Kind == RBACAuthorization && len(g.offered()) == 0 {
				d.Add(at, RuleRBACRoleless, "%s: no role is given by that, so nothing says what the verb %s "+
					"would be on, and no request for it meets this; give it under another policy", g, c.verb())
				break
			}
		}
	}
}

// numberless looks for an OnCall by a service in which nobody has a number who may get access by it.
// Who is in a team only GitHub knows.
func (w world) numberless(d *requests.Document) {
	s := w.policy.Spec
	people, teams := w.resolve(slices.Concat(s.Subjects, s.OnBehalfOf))
	if len(teams) > 0 {
		return
	}
	for at, c := range parts("spec", s.Challenges) {
		if c.Kind == OnCall && c.Rota == "" && !slices.ContainsFunc(people, func(login string) bool {
			identity, _ := w.identities.find(login)
			return c.onCallID(identity) != ""
		}) {
			d.Add(at, RuleOnCallUnknown, "nobody who may ask has a number there, so nobody is ever on call; "+
				"add it under onCall in %s", IdentitiesPath)
		}
	}
}

// rotas looks for people in them whom nobody knows: when it is their turn, nobody is on call.
func (l *linter) rotas(identities IdentityMap) {
	for _, r := range l.tree.rotas() {
		if len(r.findings) > 0 {
			continue
		}
		_, d := document[Rota](l.tree, r.path)
		check := func(at, login string) {
			if _, ok := identities.find(login); !ok {
				d.Add(at, RuleOnCallUnknown, "%s does not say who @%s is, so in this time nobody gets access by "+
					"being on call; add them, or correct the name", IdentitiesPath, login)
			}
		}
		for i, shift := range r.Spec.Shifts {
			for j, login := range shift.People {
				check(fmt.Sprintf("spec.shifts[%d].people[%d]", i, j), login)
			}
		}
		for i, o := range r.Spec.Overrides {
			if o.To.After(l.now) {
				check(fmt.Sprintf("spec.overrides[%d].person", i), o.Person)
			}
		}
		l.findings = append(l.findings, d.Findings...)
	}
}
