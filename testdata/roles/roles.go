// Package roles puts the roles of example policies into their catalogue: a role whose rules nobody
// knows is refused.
package roles

import (
	"maps"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/rbac"
)

// Harmless are rules by which nobody can keep access.
var Harmless = []rbac.RoleRule{{APIGroups: []string{""}, Resources: []string{"events", "pods",
	"pods/log"}, Verbs: []string{"get", "list", "watch"}}}

// File is the catalogue file of a role that has the rules.
func File(cluster, role string, rules []rbac.RoleRule) map[string]string {
	data, err := rbac.NewCatalog(cluster, role, false, rules).Encode()
	if err != nil {
		panic("roles: write a catalogue file: " + err.Error()) // texts always encode
	}
	return map[string]string{rbac.CatalogPath(cluster, role): string(data)}
}

// Catalogue is files with a catalogue file of the rules for each role that a policy among them
// gives and that has none.
func Catalogue(files map[string]string, rules []rbac.RoleRule) map[string]string {
	all := map[string]string{}
	for name, content := range files {
		policy, findings := policies.ParsePolicy(name, []byte(content))
		if len(findings) > 0 {
			continue // no policy, or one that is to be refused
		}
		for _, cluster := range policy.Spec.Clusters {
			for _, role := range policy.Roles() {
				maps.Copy(all, File(cluster, role, rules))
			}
		}
	}
	maps.Copy(all, files)
	return all
}
