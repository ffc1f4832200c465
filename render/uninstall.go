package render

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/requests"
)

// Everything is a footprint with every object that one of the cluster can have, but for the Roles in
// namespaces that policies name: to find what there is to take away.
func Everything(cluster string) Footprint {
	return Footprint{Cluster: cluster, AWSAuth: true, ExecAudit: []string{"10.0.0.0/8"},
		Grants: []requests.Item{{Kind: requests.KubernetesClusterRoleBinding,
			Mode: requests.ModeImpersonate}}}
}

// Removal is one object to delete.
type Removal struct {
	Resource        string // as kubectl takes it, such as deployment.apps
	Namespace, Name string
	// Granting says that access can be given as long as the object is there, so that it goes first,
	// and whether access was given meanwhile is looked at before any other goes.
	Granting bool

	stage int
}

// objectName is what a name of ours is made of. RBAC takes any text for a name, and what a shell could
// obey is no name of ours.
var objectName = regexp.MustCompile(`^[a-z0-9][a-z0-9:.-]*$`)

// Removals are the objects to delete of those that are live, in an order that never leaves access
// without an end: first the agent that gives it, then its rights, then the expirer, then the fence, and
// the namespaces last. others are those that are not of our making, though they name an account of
// ours.
func Removals(live []map[string]any) (all []Removal, others []string) {
	for _, object := range live {
		d := differenceOf(object)
		metadata, _ := object["metadata"].(map[string]any)
		labels, _ := metadata["labels"].(map[string]any)
		if labels[LabelPartOf] != ManagedBy || !objectName.MatchString(d.Name) {
			others = append(others, d.String())
			continue
		}
		resource, version := strings.ToLower(d.Kind), fmt.Sprint(object["apiVersion"])
		if group, _, grouped := strings.Cut(version, "/"); grouped {
			resource += "." + group
		}
		stage := stageOf(d)
		all = append(all, Removal{Resource: resource, Namespace: d.Namespace, Name: d.Name,
			Granting: stage == 0, stage: stage})
	}
	slices.SortFunc(all, func(a, b Removal) int {
		return cmp.Or(cmp.Compare(a.stage, b.stage), cmp.Compare(a.Resource, b.Resource),
			cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return all, others
}

func stageOf(d Difference) int {
	switch expires := d.Name == Expirer || d.Name == ExpirerRights; {
	case d.Kind == "Deployment" && d.Name == Agent:
		return 0
	case d.Kind == "Namespace":
		return 6
	case strings.HasPrefix(d.Kind, "ValidatingAdmissionPolicy"):
		return 5
	case expires && d.Kind != "Deployment":
		return 4 // the expirer is stopped before its rights go
	case expires:
		return 3
	case strings.HasSuffix(d.Kind, "Binding"):
		return 1
	}
	return 2
}
