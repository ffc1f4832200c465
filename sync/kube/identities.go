package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/client-go/rest"

	"github.com/pullgrant/pullgrant/requests"
)

// Identities are the names of the identities of grants that a user may act as now, in order. The
// API server tells everybody so much of themselves, by the ClusterRole system:basic-user. What
// gives every identity, as an administrator has it, names none.
func Identities(ctx context.Context, config *rest.Config) (names []string, err error) {
	c, err := NewCluster(config, "", CallTimeout, nil)
	if err != nil {
		return nil, err
	}
	rules, _, err := c.held(ctx, requests.GrantsNamespace)
	if err != nil {
		return nil, fmt.Errorf("asking the cluster for grants: %w", err)
	}
	for _, r := range rules {
		if !slices.Contains(r.Verbs, "impersonate") || !slices.Contains(r.Resources,
			"serviceaccounts") {
			continue
		}
		for _, name := range r.ResourceNames {
			if strings.HasPrefix(name, requests.ObjectName("", 0)) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
