package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/policies"
)

// clustersOf are the clusters that the valid policies of a tree name, each once, in order.
func clustersOf(tree policies.Tree) (all []string) {
	for _, name := range tree.PolicyNames() {
		if policy, _, broken := tree.Policy(name); len(broken) == 0 {
			all = append(all, policy.Spec.Clusters...)
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(all)))
}

// clusterMeant is the cluster that a person is about: the one they name, the only one, or the one
// that their kubeconfig's current context is named for.
func clusterMeant(cmd *cobra.Command, named, kubeconfig string, clusters []string) (string, error) {
	there := strings.Join(clusters, ", ")
	context := currentContext(kubeconfig)
	switch {
	case len(clusters) == 0:
		return "", usagef(cmd, "no policy of the access repository is valid, so none gives anything; "+
			"\"%s validate\" tells why", program)
	case named != "" && !slices.Contains(clusters, named):
		return "", usagef(cmd, "--cluster %q: no policy is for it; there are: %s", named, there)
	case named != "":
		return named, nil
	case len(clusters) == 1:
		return clusters[0], nil
	case slices.Contains(clusters, context):
		return context, nil
	case context != "":
		return "", usagef(cmd, "--cluster is missing, and the current context, %s, has the name of "+
			"none; there are: %s", context, there)
	}
	return "", usagef(cmd, "--cluster is missing; there are: %s", there)
}
