package policies

import "github.com/pullgrant/pullgrant/requests"

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
