package policies

import (
	"fmt"
	"strings"

	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
)

// checkCatalog finds what is wrong with a file under catalog/.
func (t Tree) checkCatalog(name string) []requests.Finding {
	if strings.Count(name, "/") != 2 || !strings.HasSuffix(name, ".yaml") {
		return []requests.Finding{{File: name, Line: 1, Column: 1, Rule: "path",
			Message: rbac.CatalogFolder + "/ holds <cluster>/<role>.yaml, as `pullgrant " +
				"catalog` writes them, nothing else"}}
	}
	_, findings := parse(t, name, rbac.ParseCatalog)
	return findings
}

// Roles are the names of the ClusterRoles that the policies for a cluster give, each once, in
// order. They are complete only when no policy has a finding.
func (t Tree) Roles(cluster string) (names []string, findings []requests.Finding) {
	all, findings := t.policiesFor(cluster)
	for _, policy := range all {
		names = append(names, policy.Roles()...)
	}
	return sorted(names), findings
}

// Role is the catalogue file of a cluster's role. ok is false when there is none; with findings,
// the file is there and cannot be trusted.
func (t Tree) Role(cluster, role string) (c rbac.RoleCatalog, ok bool,
	findings []requests.Finding) {
	file := rbac.CatalogPath(cluster, role)
	_, ok = t.Files[file]
	c, findings = parse(t, file, rbac.ParseCatalog)
	return c, ok, findings
}

// RoleRisks is what a reviewer must know about a cluster's role that is bound at a scope, as far as
// the catalogue tells; a role without a readable file is a high risk.
func (t Tree) RoleRisks(cluster, role string, at rbac.Scope) []rbac.Risk {
	c, ok, findings := t.Role(cluster, role)
	switch {
	case !ok:
		return []rbac.Risk{{Code: "uncatalogued", High: true,
			Text: fmt.Sprintf("the role's rules are not in the catalogue; run `pullgrant "+
				"catalog --cluster %s`", cluster)}}
	case len(findings) > 0:
		return []rbac.Risk{{Code: "uncatalogued", High: true, Text: "the role's catalogue file " +
			"is not valid: " + findings[0].String()}}
	}
	return c.Risks(at)
}
