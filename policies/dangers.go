package policies

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
)

// DangerousRole has a policy give a role although whoever holds it can keep access beyond its end.
// Every danger that the role has where the policy binds it must be named (R57).
type DangerousRole struct {
	Role    string   `yaml:"role" json:"role"`
	Dangers []string `yaml:"dangers" json:"dangers"` // rbac.DangerNames
}

func aboutDangers() string {
	var all []string
	for _, d := range rbac.Dangers {
		all = append(all, fmt.Sprintf("%s: can %s.", d.Name, d.Text))
	}
	return "Every danger that the role has where the policy binds it. " + strings.Join(all, " ")
}

// checkDangerous finds entries of allowDangerous for roles that the policy does not give: they
// would be in force as soon as it does.
func checkDangerous(d *requests.Document, p AccessPolicy) {
	roles := p.Roles()
	for i, allowed := range p.Spec.Target.AllowDangerous {
		at := fmt.Sprintf("spec.target.allowDangerous[%d]", i)
		if d.Has(at+".role") && !slices.Contains(roles, allowed.Role) {
			d.Check(at+".role", "danger-role", allowed.Role, "the policy does not give this role")
		}
		for j, name := range allowed.Dangers {
			if slices.Contains(allowed.Dangers[:j], name) {
				d.Check(fmt.Sprintf("%s.dangers[%d]", at, j), "duplicate", name,
					"it stands in this list twice")
			}
		}
	}
}

// allowed are the dangers that a policy names for a role.
func (s PolicySpec) allowed(role string) (dangers []string) {
	for _, d := range s.Target.AllowDangerous {
		if d.Role == role {
			dangers = append(dangers, d.Dangers...)
		}
	}
	return dangers
}

// roleProblem tells why a policy may not give a role on a cluster; empty when it may. A role whose
// rules are not known may have every danger of the scope.
func (s PolicySpec) roleProblem(t Tree, cluster string, r roleField) string {
	allowed := s.allowed(r.role)
	lacks := func(danger string) bool { return !slices.Contains(allowed, danger) }
	file := requests.Quote(rbac.CatalogPath(cluster, r.role))
	role, catalogued, findings := t.Role(cluster, r.role)
	switch {
	case len(findings) > 0:
		return fmt.Sprintf("what the role %s allows on %s is not known: %s",
			requests.Quote(r.role), cluster, findings[0])
	case !catalogued && slices.ContainsFunc(rbac.DangersAt(r.scope), lacks):
		return fmt.Sprintf("what the role %s allows on %s is not known, for there is no %s; run "+
			"`pullgrant catalog --cluster %s` and merge what it writes",
			requests.Quote(r.role), cluster, file, cluster)
	}
	var names, by []string
	unnamed := map[string][]string{} // by the rule that gives them
	for _, d := range rbac.DangersOf(role.Spec.Rules, r.scope) {
		names = append(names, d.Danger)
		if lacks(d.Danger) {
			rule := fmt.Sprintf(" by spec.rules[%d] (%s)", d.Rule, d.Right)
			if unnamed[rule] == nil {
				by = append(by, rule)
			}
			unnamed[rule] = append(unnamed[rule], d.Danger)
		}
	}
	if len(by) == 0 {
		return ""
	}
	for i, rule := range by {
		by[i] = strings.Join(unnamed[rule], ", ") + rule
	}
	return fmt.Sprintf("whoever holds the role %s on %s can keep access beyond its end, and the "+
		"policy does not name how: %s of %s; make a role without that, or put {role: %s, dangers: "+
		"[%s]} into allowDangerous", requests.Quote(r.role), cluster, strings.Join(by, "; "),
		file, r.role, strings.Join(names, ", "))
}

// dangers are findings for the roles of a policy that may not be given on the clusters, each where
// the policy names it. What is wrong with a catalogue file is told of that file, and that a role is
// protected by whoever asks that.
func (t Tree) dangers(p AccessPolicy, clusters ...string) []requests.Finding {
	_, d := document[AccessPolicy](t, Path(p.Metadata.Name))
	for i, g := range p.Spec.Target.Grants {
		for _, r := range g.roles() {
			for _, cluster := range clusters {
				_, _, findings := t.Role(cluster, r.role)
				problem := p.Spec.roleProblem(t, cluster, r)
				if problem != "" && len(findings) == 0 && protectedRole(r.role) == "" {
					d.Add(fmt.Sprintf("spec.target.grants[%d]%s", i, r.field), RuleDanger, "%s",
						problem)
				}
			}
		}
	}
	return d.Findings
}

// dangerUnnamed tells whether the policy gives an item only by a role that has a danger which it
// does not name, as the catalogue has it. Where that does not tell, nothing speaks against the
// item.
func (j *judge) dangerUnnamed(cluster string, item requests.Item) bool {
	spec := j.world.policy.Spec
	_, catalogued, _ := j.tree.Role(cluster, item.Role.Name)
	return catalogued && !slices.ContainsFunc(spec.Target.Grants, func(g GrantSpec) bool {
		return g.Kind == item.Kind && g.kind().covers(g, item) &&
			!slices.ContainsFunc(g.roles(), func(r roleField) bool {
				return r.role == item.Role.Name && spec.roleProblem(j.tree, cluster, r) != ""
			})
	})
}

// dangersAdded says which dangers s lets be given that old did not.
func (s PolicySpec) dangersAdded(old PolicySpec) (all []string) {
	for _, given := range s.Target.AllowDangerous {
		for _, d := range rbac.Dangers {
			if slices.Contains(given.Dangers, d.Name) &&
				!slices.Contains(old.allowed(given.Role), d.Name) {
				all = append(all, fmt.Sprintf("access may be kept beyond its end: whoever is "+
					"given %s can %s (%s)", given.Role, d.Text, d.Name))
			}
		}
	}
	return all
}

// scope is the widest at which a policy gives a role.
func (s PolicySpec) scope(role string) rbac.Scope {
	scope := rbac.InNamespace
	for _, g := range s.Target.Grants {
		for _, r := range g.roles() {
			if r.role == role && r.scope == rbac.InCluster {
				scope = rbac.InCluster
			}
		}
	}
	return scope
}

// RisksUnder are RoleRisks of a role that a policy gives, after the dangers that the policy lets it
// have.
func (t Tree) RisksUnder(p AccessPolicy, cluster, role string) []rbac.Risk {
	risks := t.RoleRisks(cluster, role, p.Spec.scope(role))
	if allowed := p.Spec.inForce(t, cluster, role); len(allowed) > 0 {
		risks = slices.Insert(risks, 0, rbac.Risk{Code: "danger-allowed", High: true,
			Text: "can keep access beyond its end, and the policy lets it be given all the same: " +
				strings.Join(allowed, ", ")})
	}
	return risks
}

// inForce are the dangers of a role that its policy names: those that the catalogue shows, else all
// that it names.
func (s PolicySpec) inForce(t Tree, cluster, role string) (names []string) {
	allowed := s.allowed(role)
	known, catalogued, _ := t.Role(cluster, role)
	if !catalogued {
		return allowed
	}
	for _, d := range rbac.DangersOf(known.Spec.Rules, s.scope(role)) {
		if slices.Contains(allowed, d.Danger) {
			names = append(names, d.Danger)
		}
	}
	return names
}

// dangers looks at what the policy lets roles have: that it does, and what no role of them has.
func (l *linter) dangers(w world, d *requests.Document) {
	for i, allowed := range w.policy.Spec.Target.AllowDangerous {
		at := fmt.Sprintf("spec.target.allowDangerous[%d]", i)
		var used []string
		for _, cluster := range w.policy.Spec.Clusters {
			used = append(used, w.policy.Spec.inForce(l.tree, cluster, allowed.Role)...)
		}
		d.Add(at+".role", RuleDangerAllowed, "whoever is given %s can keep access beyond its end "+
			"(%s); make a ClusterRole without that", allowed.Role,
			strings.Join(allowed.Dangers, ", "))
		for j, name := range allowed.Dangers {
			if !slices.Contains(used, name) {
				d.Add(fmt.Sprintf("%s.dangers[%d]", at, j), RuleDangerUnused, "%s does not have "+
					"the danger %s, but may come to have it unseen; remove it", allowed.Role, name)
			}
		}
	}
}
