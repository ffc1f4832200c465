package kube

import (
	"context"
	"slices"

	"k8s.io/client-go/rest"
)

// Names are the names of objects, as far as whoever asks may list them; each once, in order.
func Names(ctx context.Context, config *rest.Config, of Objects) (names []string, err error) {
	c, err := NewCluster(config, "", CallTimeout, nil)
	if err != nil {
		return nil, err
	}
	all, err := c.See(ctx, of)
	for _, one := range all {
		names = append(names, one.Name)
	}
	return slices.Compact(slices.Sorted(slices.Values(names))), err
}
