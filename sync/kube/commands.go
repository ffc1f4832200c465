package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/client-go/rest"

	"github.com/pullgrant/pullgrant/requests"
)

// CommandPods are the pods of a namespace, in order, in which whoever asks may run a command by a
// grant. all tells that they may list pods besides, or that the cluster does not tell all that they
// may.
func CommandPods(ctx context.Context, config *rest.Config, namespace string) (pods []string,
	all bool, err error) {
	c, err := NewCluster(config, "", CallTimeout, nil)
	if err != nil {
		return nil, false, err
	}
	rules, all, err := c.held(ctx, namespace)
	if err != nil {
		return nil, false, fmt.Errorf("asking the cluster for commands in %s: %w", namespace, err)
	}
	has := func(given []string, wanted string) bool {
		return slices.Contains(given, wanted) || slices.Contains(given, "*")
	}
	for _, r := range rules {
		all = all || len(r.ResourceNames) == 0 && has(r.Verbs, "list") && has(r.APIGroups, "") &&
			has(r.Resources, "pods")
		if !slices.Contains(r.APIGroups, requests.CommandsGroup) {
			continue
		}
		for _, name := range r.ResourceNames {
			if pod, _, is := strings.Cut(name, "/"); is {
				pods = append(pods, pod)
			}
		}
	}
	slices.Sort(pods)
	return slices.Compact(pods), all, nil
}
