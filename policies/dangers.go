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

// scopeOf is where an item is bound, for which its dangers and risks are judged.
func scopeOf(i requests.Item) rbac.Scope {
	if i.Namespace == "" {
		return rbac.InCluster
	}
	return rbac.InNamespace
}

// scope is where a grant binds its roles, as scopeOf its items.
func (g GrantSpec) scope() rbac.Scope {
	if g.wide() {
		return rbac.InCluster
	}
	return rbac.InNamespace
}

// dangerProblem tells why the policy may not give an item on a cluster; empty when it may. A role
// whose rules are not known may have every danger of the scope.
func (s PolicySpec) dangerProblem(t Tree, cluster string, i requests.Item) string {
	rules, known := grantKindOf(i.Kind).gives(t, cluster, i)
	allowed := s.allowed(i.Role.Name)
	lacks := func(danger string) bool { return !slices.Contains(allowed, danger) }
	if !known {
		if slices.ContainsFunc(rbac.DangersAt(scopeOf(i)), lacks) {
			return unknownRole(t, cluster, i.Role.Name)
		}
		return ""
	}
	var names, by []string
	unnamed := map[string][]string{} // by the right that gives them
	for _, d := range rbac.DangersOf(rules, scopeOf(i)) {
		names = append(names, d.Danger)
		if lacks(d.Danger) {
			right := " by " + d.Right
			if len(i.Allows) == 0 { // the rules are those of the file
				right = fmt.Sprintf(" by spec.rules[%d] (%s)", d.Rule, d.Right)
			}
			if unnamed[right] == nil {
				by = append(by, right)
			}
			unnamed[right] = append(unnamed[right], d.Danger)
		}
	}
	if len(by) == 0 {
		return ""
	}
	for n, right := range by {
		by[n] = strings.Join(unnamed[right], ", ") + right
	}
	return fmt.Sprintf("whoever holds the role %s on %s can keep access beyond its end, and the "+
		"policy does not name how: %s of %s; make a role without that, or put {role: %s, dangers: "+
		"[%s]} into allowDangerous", requests.Quote(i.Role.Name), cluster, strings.Join(by, "; "),
		requests.Quote(rbac.CatalogPath(cluster, i.Role.Name)), i.Role.Name,
		strings.Join(names, ", "))
}

func unknownRole(t Tree, cluster, role string) string {
	if _, _, findings := t.Role(cluster, role); len(findings) > 0 {
		return fmt.Sprintf("what the role %s allows on %s is not known: %s", requests.Quote(role),
			cluster, findings[0])
	}
	return fmt.Sprintf("what the role %s allows on %s is not known, for there is no %s; run "+
		"`pullgrant catalog --cluster %s` and merge what it writes", requests.Quote(role), cluster,
		requests.Quote(rbac.CatalogPath(cluster, role)), cluster)
}

// dangers are findings for the roles of a policy that may not be given on the clusters, each where
// the policy names it. What is wrong with a catalogue file is told of that file, and that a role is
// protected by whoever asks that.
func (t Tree) dangers(p AccessPolicy, clusters ...string) []requests.Finding {
	_, d := document[AccessPolicy](t, Path(p.Metadata.Name))
	for n, g := range p.Spec.Target.Grants {
		for _, cluster := range clusters {
			offered := g.kind().offers(t, cluster, g)
			for _, r := range g.roles() {
				_, catalogued, findings := t.Role(cluster, r.role)
				if len(findings) > 0 || protectedRole(r.role) != "" {
					continue
				}
				// The namespaces of a grant do not differ in what a role may do.
				i := slices.IndexFunc(offered, func(i requests.Item) bool {
					return i.Role.Name == r.role
				})
				if i < 0 {
					continue
				}
				problem := p.Spec.dangerProblem(t, cluster, offered[i])
				if _, known := g.kind().gives(t, cluster, offered[i]); known && !catalogued {
					problem = unknownRole(t, cluster, r.role) // what is cut out of it is nothing
				}
				if problem != "" {
					d.Add(fmt.Sprintf("spec.target.grants[%d]%s", n, r.field), RuleDanger, "%s",
						problem)
				}
			}
		}
	}
	return d.Findings
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

// allowedRisk tells the approvers of an item of the dangers that the policy lets it have.
func (s PolicySpec) allowedRisk(t Tree, cluster string, i requests.Item) []rbac.Risk {
	dangers := s.inForce(t, cluster, i)
	if len(dangers) == 0 {
		return nil
	}
	return []rbac.Risk{{Code: "danger-allowed", High: true,
		Text: "can keep access beyond its end, " +
			"and the policy lets it be given all the same: " + strings.Join(dangers, ", ")}}
}

// inForce are the dangers of an item that the policy names: those that its rules show, else all
// that it names.
func (s PolicySpec) inForce(t Tree, cluster string, i requests.Item) (names []string) {
	allowed := s.allowed(i.Role.Name)
	rules, known := grantKindOf(i.Kind).gives(t, cluster, i)
	if !known {
		return allowed
	}
	for _, d := range rbac.DangersOf(rules, scopeOf(i)) {
		if slices.Contains(allowed, d.Danger) {
			names = append(names, d.Danger)
		}
	}
	return names
}

// RisksUnder are the risks of a role that a policy gives on a cluster: of the widest binding that
// it makes of it, after the dangers that it lets it have.
func (t Tree) RisksUnder(p AccessPolicy, cluster, role string) []rbac.Risk {
	scope := rbac.InNamespace
	var allowed []rbac.Risk
	for _, i := range p.Offers(t, cluster) {
		if i.Role.Name != role {
			continue
		}
		if scopeOf(i) == rbac.InCluster {
			scope = rbac.InCluster
		}
		if more := p.Spec.allowedRisk(t, cluster, i); len(allowed) == 0 {
			allowed = more
		}
	}
	return append(allowed, t.RoleRisks(cluster, role, scope)...)
}

// dangers looks at what the policy lets roles have: that it does, and what no role of them has.
func (l *linter) dangers(w world, d *requests.Document) {
	for n, allowed := range w.policy.Spec.Target.AllowDangerous {
		at := fmt.Sprintf("spec.target.allowDangerous[%d]", n)
		var used []string
		for _, cluster := range w.policy.Spec.Clusters {
			for _, i := range w.policy.Offers(l.tree, cluster) {
				if i.Role.Name == allowed.Role {
					used = append(used, w.policy.Spec.inForce(l.tree, cluster, i)...)
				}
			}
		}
		d.Add(at+".role", RuleDangerAllowed, "whoever is given %s can keep access beyond its end "+
			"(%s); make a ClusterRole without that", allowed.Role,
			strings.Join(allowed.Dangers, ", "))
		for m, name := range allowed.Dangers {
			if !slices.Contains(used, name) {
				d.Add(fmt.Sprintf("%s.dangers[%d]", at, m), RuleDangerUnused, "%s does not have "+
					"the danger %s, but may come to have it unseen; remove it", allowed.Role, name)
			}
		}
	}
}
