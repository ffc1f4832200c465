package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/policies"
)

// meant are the valid policies that the command is about: the one it names, those for its cluster,
// or all.
func (k known) meant(cmd *cobra.Command) (all []policies.AccessPolicy) {
	for _, name := range k.tree.PolicyNames() {
		policy, _, broken := k.tree.Policy(name)
		named, cluster := flagValue(cmd, "policy"), flagValue(cmd, "cluster")
		if len(broken) == 0 && (named == "" || named == name) &&
			(cluster == "" || slices.Contains(policy.Spec.Clusters, cluster)) {
			all = append(all, policy)
		}
	}
	return all
}

// grants are those of the policies that the command is about.
func (k known) grants(cmd *cobra.Command) (all []policies.GrantSpec) {
	for _, policy := range k.meant(cmd) {
		all = append(all, policy.Spec.Target.Grants...)
	}
	return all
}

func (k known) clusters(cmd *cobra.Command) (all []string) {
	for _, policy := range k.meant(cmd) {
		all = append(all, policy.Spec.Clusters...)
	}
	return all
}

func policyWords(k known, cmd *cobra.Command, _ string) (all []string) {
	for _, policy := range k.meant(cmd) {
		all = append(all, strings.TrimSuffix(policy.Metadata.Name+"\t"+policy.Spec.Description, "\t"))
	}
	return all
}

func requestWords(k known, _ *cobra.Command, _ string) []string { return k.requests }

func namespaceWords(k known, cmd *cobra.Command, _ string) (all []string) {
	for _, g := range k.grants(cmd) {
		all = append(all, g.AllowedNamespaces...)
	}
	return all
}

// roleWords are the roles that a request may pick from; one that is the only one need not be named.
func roleWords(k known, cmd *cobra.Command, _ string) (all []string) {
	for _, g := range k.grants(cmd) {
		all = append(all, g.Roles...)
	}
	return all
}

func grantWords(k known, cmd *cobra.Command, _ string) (all []string) {
	for _, g := range k.grants(cmd) {
		if g.Name != "" {
			all = append(all, g.Name)
		}
	}
	return all
}

// resourceWords are kinds of objects and, once a slash is typed, the names that policies have whole.
func resourceWords(k known, cmd *cobra.Command, typed string) (all []string) {
	for _, g := range k.grants(cmd) {
		for _, e := range g.Resources {
			if !strings.Contains(typed, "/") {
				all = append(all, e.Resource)
				continue
			}
			for _, name := range e.Names {
				if !strings.Contains(name, "*") {
					all = append(all, e.Resource+"/"+name)
				}
			}
		}
	}
	return all
}
