package policies

import (
	"maps"
	"slices"

	"github.com/pullgrant/pullgrant/requests"
)

// Grantable is everything that the policies for a cluster let somebody ask for, in the order of the
// policies. It is what the agent of the cluster needs rights for, and complete only when there are
// no findings. What is protected is a finding, and so is a role with a danger that its policy does
// not name: the agent is to have no right to bind it.
func (t Tree) Grantable(cluster string) (items []requests.Item, findings []requests.Finding) {
	return t.offers(cluster, func(policy AccessPolicy) []requests.Finding {
		return append(policy.protected(), t.dangers(policy, cluster)...)
	})
}

func (t Tree) offers(cluster string, check func(AccessPolicy) []requests.Finding) (
	items []requests.Item, findings []requests.Finding) {
	all, findings := t.policiesFor(cluster)
	for _, policy := range all {
		if more := check(policy); len(more) > 0 {
			findings = append(findings, more...)
			continue
		}
		items = append(items, policy.Offers(t, cluster)...)
	}
	return items, findings
}

// Offered is what a policy of the tree lets somebody ask for in a cluster; nothing when the file is
// no policy, or one that is not valid. What its roles are dangerous by is not asked.
func (t Tree) Offered(path, cluster string) []requests.Item {
	one := Tree{Files: maps.Clone(t.Files)}
	maps.DeleteFunc(one.Files, func(name string, _ TreeFile) bool {
		return isUnder(name, Folder) && name != path
	})
	items, _ := one.offers(cluster, AccessPolicy.protected)
	return items
}

// policiesFor reads the policies that a cluster is named in. findings are those of every policy:
// one that cannot be read could be for the cluster too.
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

func sorted(list []string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
