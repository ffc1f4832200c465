package kube

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
)

// others are the objects of an attempt that the agent does not make; NAME is new in each attempt.
var others = map[string]string{
	"plain binding": `
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: plain-NAME}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: bob@example.com}]`,
	"plain job": `
apiVersion: batch/v1
kind: Job
metadata: {name: plain-NAME}
spec:
  parallelism: 0
  template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}`,
	"cluster binding": `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: plain-NAME}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: fence-empty}
subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: bob@example.com}]`,
	"role": `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: plain-NAME}`,
	"cluster role": `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: plain-NAME}`,
	"granted role": `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: payments-debug}`,
	"own rights": `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: pullgrant-agent}`,
	"home account": `
apiVersion: v1
kind: ServiceAccount
metadata: {name: pullgrant-20261123-alice-fence-NAME}`,
	"home pod": `
apiVersion: v1
kind: Pod
metadata: {name: plain-NAME}
spec:
  securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: c
      image: i
      securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}`,
	"home deployment": `
apiVersion: apps/v1
kind: Deployment
metadata: {name: plain-NAME}
spec:
  selector: {matchLabels: {a: b}}
  template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}`,
	"home secret": `
apiVersion: v1
kind: Secret
type: kubernetes.io/service-account-token
metadata: {name: plain-NAME, annotations: {kubernetes.io/service-account.name: default}}`,
	"home controller": `
apiVersion: v1
kind: ReplicationController
metadata: {name: plain-NAME}
spec:
  replicas: 0
  selector: {a: b}
  template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}`,
	"rights": `
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: pullgrant-agent}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: pullgrant-agent}
subjects: [{kind: ServiceAccount, namespace: pullgrant-system, name: pullgrant-agent}]`,
}

// grantNumber is a grant of an hour that has just begun.
func grantNumber(n int, namespace string) requests.Grant {
	name := fmt.Sprintf("20261123-alice-fence-%d", n)
	return requests.Grant{
		Name: name, Path: requests.Path("prod-eu", "payments-debug", name), Cluster: "prod-eu",
		Policy: "payments-debug", Requester: "alice",
		Subject:  requests.Subject{Kind: requests.KindUser, Name: "alice@example.com"},
		Duration: requests.Duration(time.Hour),
		Window:   requests.NewWindow(time.Now(), requests.Duration(time.Hour)),
		Evidence: requests.Evidence{Source: requests.EvidenceBranch,
			MergeCommit: "1111111111111111111111111111111111111111"},
		Items: []requests.Item{{Kind: requests.KubernetesRoleBinding,
			Name: requests.ObjectName(name,
				0), Namespace: namespace,
			Role: requests.Role{Kind: requests.KindClusterRole, Name: "payments-debug"}}},
	}
}

// keptGrant is the grant with a Role whose first rule is kept current, and whose second one is not.
func keptGrant(g requests.Grant) requests.Grant {
	verbs := []string{"get", "list", "watch"}
	g.Items = []requests.Item{{Kind: requests.KubernetesResourceRole,
		Name: g.Items[0].Name, Namespace: g.Items[0].Namespace, Role: g.Items[0].Role,
		Resources: []string{"deployments.apps/api", "pods/api-1", "pods/nginx-*"},
		Allows: []requests.Rule{
			{Resource: "pods", Verbs: verbs, Names: []string{"api-1"},
				Match: []requests.Match{{Pattern: "nginx-*", Within: []string{"*"}}}},
			{Group: "apps", Resource: "deployments", Verbs: verbs, Names: []string{"api"}},
		}}}
	return g
}

// others of the agent's objects, each the n-th of a grant with that item.
var agentObjects = map[string]struct {
	item func(namespace string) requests.Item
	n    int
}{
	"named role": {namedItem, 0}, "role binding": {namedItem, 1},
	"exec role": {execItem, 0}, "kept exec role": {keptExecItem, 0},
	"wide role": {wideRoleItem, 0}, "wide role binding": {wideRoleItem, 1},
	"wide binding": {wideItem, 0}, "home role": {wideItem, 1}, "home binding": {wideItem, 2},
	"identity binding": {func(namespace string) requests.Item {
		return requests.Item{Kind: requests.KubernetesRoleBinding, Namespace: namespace,
			Mode: requests.ModeImpersonate,
			Role: requests.Role{Kind: requests.KindClusterRole, Name: "payments-debug"}}
	}, 0},
}

func namedItem(namespace string) requests.Item {
	return requests.Item{Kind: requests.KubernetesResourceRole, Namespace: namespace,
		Role:      requests.Role{Kind: requests.KindClusterRole, Name: "view"},
		Resources: []string{"deployments.apps/nginx", "pods/nginx-1"},
		Allows: []requests.Rule{
			{Group: "apps", Resource: "deployments", Verbs: []string{"get", "list", "watch"},
				Names: []string{"nginx"}},
			{Group: "apps", Resource: "deployments/scale", Verbs: []string{"get"},
				Names: []string{"nginx"}},
			{Resource: "pods", Verbs: []string{"get", "list", "watch"},
				Names: []string{"nginx-1"}}}}
}

func execItem(namespace string) requests.Item {
	e := requests.Exec{Pod: "nginx-1", Container: "app", Command: []string{"cat", "/etc/*"}}
	return requests.Item{Kind: requests.KubernetesExec, Namespace: namespace, Exec: &e,
		Allows: e.Rules(e.Container)}
}

// keptExecItem is a command in the pods of a Deployment, all three of whose rules are kept current.
func keptExecItem(namespace string) requests.Item {
	e := requests.Exec{Deployment: "nginx", Container: "app", Command: []string{"cat", "/etc/*"}}
	return requests.Item{Kind: requests.KubernetesExec, Namespace: namespace, Exec: &e,
		Allows: e.Rules(e.Container)}
}

func wideItem(string) requests.Item {
	return requests.Item{Kind: requests.KubernetesClusterRoleBinding,
		Mode: requests.ModeImpersonate,
		Role: requests.Role{Kind: requests.KindClusterRole, Name: "fence-wide"}}
}

func wideRoleItem(string) requests.Item {
	return requests.Item{Kind: requests.KubernetesResourceRole, Mode: requests.ModeImpersonate,
		Role:      requests.Role{Kind: requests.KindClusterRole, Name: "view"},
		Resources: []string{"configmaps/settings"},
		Allows: []requests.Rule{{Resource: "configmaps", Verbs: []string{"get", "list", "watch"},
			Names: []string{"settings"}}}}
}

// allItems are one of each, for the agent's rights.
func allItems(namespace string) []requests.Item {
	return append(grantNumber(0, namespace).Items, namedItem(namespace), execItem(namespace),
		keptExecItem(namespace), wideItem(namespace), wideRoleItem(namespace))
}

// agentObject is one of agentObjects, owned by the Job of that UID where one can own it.
func agentObject(t *testing.T, g requests.Grant, name string,
	job types.UID) *unstructured.Unstructured {
	t.Helper()
	kind := agentObjects[name]
	i := kind.item(g.Items[0].Namespace)
	i.Name = requests.ObjectName(g.Name, 0)
	g.Items = []requests.Item{i}
	objects, err := render.Render(g)
	if err != nil {
		t.Fatal(err)
	}
	render.Own(objects[kind.n], requests.ObjectName(g.Name, 0), string(job))
	return toUnstructured(t, objects[kind.n])
}

// jobOf and bindingOf are the objects of a grant as the agent makes them.
func jobOf(t *testing.T, g requests.Grant) *unstructured.Unstructured {
	t.Helper()
	job, err := render.Backstop(g, g.Items[0].Namespace, g.Window.Start.Time)
	if err != nil {
		t.Fatal(err)
	}
	return toUnstructured(t, job)
}

func bindingOf(t *testing.T, g requests.Grant, job types.UID) *unstructured.Unstructured {
	t.Helper()
	bindings, err := render.Render(g)
	if err != nil {
		t.Fatal(err)
	}
	render.Own(bindings[0], requests.ObjectName(g.Name, 0), string(job))
	return toUnstructured(t, bindings[0])
}

func toUnstructured(t *testing.T, object any) *unstructured.Unstructured {
	t.Helper()
	u, err := toObject(object)
	if err != nil {
		t.Fatal(err)
	}
	delete(u.Object, "status")
	return u
}

// merge applies a JSON merge patch (RFC 7396).
func merge(base, patch map[string]any) map[string]any {
	merged := maps.Clone(base)
	if merged == nil {
		merged = map[string]any{}
	}
	for key, value := range patch {
		switch value := value.(type) {
		case nil:
			delete(merged, key)
		case map[string]any:
			below, _ := merged[key].(map[string]any)
			merged[key] = merge(below, value)
		default:
			merged[key] = value
		}
	}
	return merged
}

// stable is what of an object nobody but a person changes; nil when it is not there.
func stable(t *testing.T, of dynamic.ResourceInterface, name string) map[string]any {
	t.Helper()
	object, err := of.Get(t.Context(), name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range [][]string{{"status"}, {"metadata", "managedFields"}, {"metadata",
		"resourceVersion"}, {"metadata", "generation"}} {
		unstructured.RemoveNestedField(object.Object, path...)
	}
	return object.Object
}

func fromYAML(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	var document map[string]any
	if err := yaml.Unmarshal([]byte(text), &document); err != nil {
		t.Fatal(err)
	}
	return toUnstructured(t, document)
}
