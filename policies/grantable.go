package policies

import (
	"slices"

	"github.com/pullgrant/pullgrant/requests"
)

// Grantable is what the policies for a cluster let somebody ask for: by namespace, the names of the ClusterRoles that may
// be bound in it, each once, in order. It is what the agent of the cluster needs the right to, and complete only when
// there are no findings. Protected roles and namespaces are findings.
func (t Tree) Grantable(cluster string) (roles map[string][]string, findings []requests.Finding) {
	roles = map[string][]string{}
	all, findings := t.policiesFor(cluster)
	for _, policy := range all {
		findings = append(findings, policy.protected()...)
		for _, g := range policy.Spec.Target.Grants {
			for _, namespace := range g.AllowedNamespaces {
				roles[namespace] = append(roles[namespace], g.RoleRef.Name)
			}
		}
	}
	for namespace, names := range roles {
		roles[namespace] = sorted(names)
	}
	return roles, findings
}

// policiesFor reads the policies that a cluster is named in. findings are those of every policy: one that cannot be read
// could be for the cluster too.
func (t Tree) policiesFor(cluster string) (all []AccessPolicy, findings []requests.Finding) {
	for _, name := range t.PolicyNames() {
		policy, _, more := t.Policy(name)
		findings = append(findings, more...)
		if slices.Contains(policy.Spec.Clusters, cluster) {
			all = append(all, policy)
		}
	}
	return all, findings
}

// protected are findings for the roles and namespaces of a policy that are never granted.
func (p AccessPolicy) protected() (findings []requests.Finding) {
	add := func(problem string) {
		if problem != "" {
			findings = append(findings, requests.Finding{File: Path(p.Metadata.Name), Line: 1, Column: 1, Rule: "protected", Message: problem})
		}
	}
	for _, g := range p.Spec.Target.Grants {
		add(protectedRole(g.RoleRef.Name))
		for _, namespace := range g.AllowedNamespaces {
			add(protectedNamespace(namespace))
		}
	}
	return findings
}

func sorted(list []string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) }
