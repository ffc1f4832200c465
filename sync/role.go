package sync

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
)

// LiveRoles reads ClusterRoles as the catalogue describes them, in the order of names. missing are those the cluster
// does not have. Reading them needs the right to get each of them.
func LiveRoles(ctx context.Context, config *rest.Config, cluster string, names []string) (found []rbac.RoleCatalog, missing []string, err error) {
	c, err := newCluster(config, cluster, callTimeout)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range names {
		role, err := c.role(ctx, name)
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

// role reads a ClusterRole.
func (c *cluster) role(ctx context.Context, name string) (rbac.RoleCatalog, error) {
	live, err := c.client.RbacV1().ClusterRoles().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return rbac.RoleCatalog{}, fmt.Errorf("reading ClusterRole %s: %w", name, err)
	}
	var rules []rbac.RoleRule
	for _, r := range live.Rules {
		rules = append(rules, rbac.RoleRule{APIGroups: r.APIGroups, Resources: r.Resources, ResourceNames: r.ResourceNames,
			NonResourceURLs: r.NonResourceURLs, Verbs: r.Verbs})
	}
	return rbac.NewCatalog(c.name, name, live.AggregationRule != nil, rules), nil
}

// unchanged refuses what is allowed when a role it gives is another in the cluster than the catalogue shows, now or at
// the merge: then its approvers saw something else. A role without a catalogue file is not compared, as its approvers
// were told.
func (a *Agent) unchanged(ctx context.Context, d policies.Decision, f policies.Facts) policies.Decision {
	if d.Outcome != policies.Allowed {
		return d
	}
	trees := []policies.Tree{f.Base}
	if f.Merge != nil {
		trees = append(trees, f.Merge.FirstParent)
	}
	for _, b := range d.Grant.Items {
		for _, t := range trees {
			shown, catalogued, _ := t.Role(d.Grant.Cluster, b.Role.Name)
			if !catalogued {
				continue
			}
			live, err := a.cluster.role(ctx, b.Role.Name)
			problem, code := "", policies.RoleChanged
			switch {
			case apierrors.IsNotFound(err):
				problem = "is not in the cluster any more"
			case err != nil:
				problem, code = fmt.Sprintf("cannot be compared with the catalogue: %v", err), policies.EvaluationError
			case live.Spec.Hash != shown.Spec.Hash || live.Spec.Aggregated != shown.Spec.Aggregated:
				problem = fmt.Sprintf("does not have the rules that %s shows; run `pullgrant catalog --cluster %s` and ask again",
					rbac.CatalogPath(d.Grant.Cluster, b.Role.Name), d.Grant.Cluster)
			default:
				continue
			}
			return d.Refused(code, "the role %s %s", requests.Quote(b.Role.Name), problem)
		}
	}
	return d
}
