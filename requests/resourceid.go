package requests

import (
	"fmt"
	"slices"
	"strings"
)

// ResourceID is an object as a person names it, and where it is.
type ResourceID struct {
	Cluster   string // empty: not said
	Namespace string // as written, a pattern too; empty: not said, or of no namespace
	Kind      string // as KindPattern has it; empty: everything of a role in the namespace
	Name      string // as written, a pattern too; empty: not said
	// ClusterWide says that objects of the kind stand in no namespace.
	ClusterWide bool
}

// Resource is the object as a request's spec.resources names it; empty for a whole namespace.
func (id ResourceID) Resource() string {
	if id.Name == "" {
		return id.Kind
	}
	return Resource{id.Kind, id.Name}.String()
}

const resourceForms = "write KIND/NAME, KIND/NAMESPACE/NAME, /CLUSTER/KIND/NAMESPACE/NAME, or " +
	"Teleport's /TELEPORT/KIND/CLUSTER/NAMESPACE/NAME"

// ParseResourceID reads the ways in which people name an object; problem is empty when it is one:
//
//   - KIND/NAME, such as deployments.apps/api
//   - KIND/NAMESPACE/NAME, as P0 has it, such as Deployments/default/nginx-deployment
//   - /CLUSTER/KIND/NAMESPACE/NAME, without the namespace where the kind has none
//   - /TELEPORT/KIND/CLUSTER/NAMESPACE/NAME, as Teleport has it, without the namespace where the
//     kind has none; the name of Teleport's own cluster is of no meaning here
//
// A kind may stand in any case, singular, plural or shortened, with spaces round each slash. In the
// forms with a cluster a namespace stands for everything in it, as Teleport has it; as KIND/NAME it
// is the object, and as Teleport 18 writes it, kube:cw:namespaces. Namespace and name may be
// patterns. Whether the name is one is for ParseRequest to say.
func ParseResourceID(text string) (id ResourceID, problem string) {
	parts := strings.Split(text, "/")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	if slices.Contains(parts[1:], "") || len(parts) > 6 {
		return ResourceID{}, resourceForms
	}
	rest := parts[1:]
	written := parts[0]
	if parts[0] == "" {
		if len(parts) < 3 {
			return ResourceID{}, resourceForms
		}
		written, rest = parts[2], parts[3:]
	}
	if strings.EqualFold(written, "kube_cluster") {
		return ResourceID{}, "a whole cluster is not asked for as a resource; ask with " +
			"--cluster under a " +
			"policy that gives a role in the whole cluster, a " + KubernetesClusterRoleBinding
	}
	kind, problem := objectKindOf(written)
	if problem != "" {
		return ResourceID{}, problem
	}
	id.Kind, id.ClusterWide = kind.name, kind.clusterWide
	if parts[0] == "" {
		// Both forms have the kind second; a part more than the kind's own place needs is
		// Teleport's.
		if own := len(rest) - 1; own == 2 || own == 1 && kind.clusterWide {
			id.Cluster, rest = rest[0], rest[1:]
		} else {
			id.Cluster = parts[1]
		}
		if problem := CheckName(id.Cluster); problem != "" {
			return ResourceID{}, fmt.Sprintf("the cluster %s is none: %s",
				Quote(id.Cluster), problem)
		}
	}
	if id, problem = id.placed(rest, parts[0] == ""); problem != "" {
		return ResourceID{}, problem
	}
	if id.Kind == "namespaces" && parts[0] == "" && !strings.EqualFold(written, kubeWide+id.Kind) {
		id = ResourceID{Cluster: id.Cluster, Namespace: id.Name}
	}
	if problem := CheckNamespaces(id.Namespace); id.Namespace != "" && problem != "" {
		return ResourceID{}, fmt.Sprintf("the namespace %s is none: %s", Quote(id.Namespace),
			problem)
	}
	return id, ""
}

// placed fills in namespace and name, which stand after the kind. An absolute one has them all.
func (id ResourceID) placed(rest []string, absolute bool) (ResourceID, string) {
	switch {
	case len(rest) > 2 || absolute && len(rest) == 0:
		return ResourceID{}, resourceForms
	case len(rest) == 2 && id.ClusterWide:
		return ResourceID{}, fmt.Sprintf("%s stand in no namespace; leave out %s", id.Kind,
			Quote(rest[0]))
	case len(rest) == 1 && absolute && !id.ClusterWide:
		return ResourceID{}, fmt.Sprintf("%s stand in a namespace; %s", id.Kind, resourceForms)
	case len(rest) == 2:
		id.Namespace, id.Name = rest[0], rest[1]
	case len(rest) == 1:
		id.Name = rest[0]
	}
	return id, ""
}
