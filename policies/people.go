package policies

import "strings"

// Teams are the GitHub teams, as org/team in lower case, that policies, rules and CODEOWNERS name,
// each once, in order. What does not read names none.
func (t Tree) Teams() []string {
	var all []string
	add := func(parties []Party) {
		for _, p := range parties {
			if p.Kind == PartyGroup && strings.Contains(p.Name, "/") {
				all = append(all, strings.ToLower(p.Name))
			}
		}
	}
	for _, name := range t.PolicyNames() {
		policy, _, _ := t.Policy(name)
		add(policy.Spec.Subjects)
		add(policy.Spec.OnBehalfOf)
		if b := policy.Spec.BreakGlass; b != nil {
			add(b.Subjects)
			add(b.Owners)
		}
		for _, c := range parts("", policy.Spec.Challenges) {
			add(c.Reviewers)
		}
	}
	for _, r := range t.rules() {
		add(r.Spec.Deny.Subjects)
	}
	owners, _ := t.codeowners()
	for _, r := range owners.Rules {
		for _, o := range r.Owners {
			if o.Team {
				add([]Party{{Kind: PartyGroup, Name: o.Name}})
			}
		}
	}
	return once(all)
}

// Unowned are the folders and files that decide who gets access, or tell who had it, and that nobody
// owns by CODEOWNERS; read is false where there is no such file, or it does not read.
func (t Tree) Unowned() (places []string, read bool) {
	owners, findings := t.codeowners()
	return world{owner: t.Owner, owners: owners}.unownedStrictPaths(),
		t.codeownersPath() != "" && len(findings) == 0
}
