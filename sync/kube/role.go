package kube

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
)

// RoleDigests are digests of the roles of a grant as they are now.
func (c *Cluster) RoleDigests(ctx context.Context, g requests.Grant) (map[string]string, error) {
	rules := map[string]string{}
	for _, b := range g.Items {
		if b.Role.Name == "" {
			continue
		}
		digest, err := c.RoleDigest(ctx, b.Role.Name)
		if err != nil {
			return nil, err
		}
		rules[b.Role.Name] = digest
	}
	return rules, nil
}

// RoleDigest stands for the rules of a ClusterRole; "" for one that does not exist, which gives
// nothing until it does.
func (c *Cluster) RoleDigest(ctx context.Context, name string) (string, error) {
	role, err := c.Role(ctx, name)
	if apierrors.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s aggregated=%t", role.Spec.Hash, role.Spec.Aggregated), nil
}

// HasRules tells whether a RoleDigest is of the rules with a hash, as the catalogue has it.
func HasRules(digest, hash string) bool { return strings.HasPrefix(digest, hash+" ") }

// LiveRoles reads ClusterRoles as the catalogue describes them, in the order of names. missing are
// those the cluster does not have. Reading them needs the right to get each of them.
func LiveRoles(ctx context.Context, config *rest.Config, cluster string, names []string) (
	found []rbac.RoleCatalog, missing []string, err error) {
	c, err := NewCluster(config, cluster, CallTimeout, nil)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range names {
		role, err := c.Role(ctx, name)
		if apierrors.IsNotFound(err) {
			missing = append(missing, name)
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		found = append(found, role)
	}
	return found, missing, nil
}

// Role reads a ClusterRole.
func (c *Cluster) Role(ctx context.Context, name string) (rbac.RoleCatalog, error) {
	live, err := c.rbac.ClusterRoles().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return rbac.RoleCatalog{}, fmt.Errorf("reading ClusterRole %s: %w", name, err)
	}
	return rbac.NewCatalog(c.Name, name, live.AggregationRule != nil,
		roleRules(live.Rules)), nil
}
