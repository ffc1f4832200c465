package kube

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
)

// AgentManifests are namespace, ServiceAccount, rights and fence of the agent that may bind those
// ClusterRoles in those namespaces, as `pullgrant install` renders them, for Apply. The namespaces
// must exist when it is applied; what is cluster-wide is replaced by the next call's. The fence is
// in force a moment later: AwaitFence. It panics on an empty list: absence must never mean all.
func AgentManifests(namespaces, roles []string) []byte {
	if len(namespaces) == 0 || len(roles) == 0 {
		panic("the agent's manifests need at least one namespace and one role")
	}
	var grants []requests.Item
	for _, namespace := range namespaces {
		for _, role := range roles {
			grants = append(grants, requests.Item{Kind: requests.KubernetesRoleBinding,
				Namespace: namespace,
				Role:      requests.Role{Kind: requests.KindClusterRole, Name: role}})
		}
	}
	return render.YAML(slices.Concat(render.Fence(),
		render.Rights(render.Footprint{Grants: grants})))
}

// AWSManifests are what keeps aws-auth: its ServiceAccount, rights and fence, and the agent's right
// to read that list, beside what AgentManifests has.
func AWSManifests() []byte {
	policy, binding := render.AWSFence()
	return render.YAML(append([]render.Object{&policy, &binding},
		render.Rights(render.Footprint{AWSAuth: true})...))
}

// Apply creates or updates, as admin and by server-side apply, the objects of a YAML stream in
// their order. An object without a namespace goes to default.
func (cp *ControlPlane) Apply(ctx context.Context, manifests []byte) error {
	client, err := dynamic.NewForConfig(cp.Admin())
	if err != nil {
		return fmt.Errorf("making the admin client: %w", err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(manifests))
	for {
		var document map[string]any
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("reading manifests: %w", err)
		}
		if document == nil {
			continue // nothing but a comment
		}
		if err := cp.apply(ctx, client, document); err != nil {
			return err
		}
	}
}

// toObject goes through JSON, as Kubernetes' own types know its numbers only.
func toObject(document any) (*unstructured.Unstructured, error) {
	text, err := json.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("reading manifests: %w", err)
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(text); err != nil {
		return nil, fmt.Errorf("reading manifests: %w", err)
	}
	return object, nil
}

// apply applies one object, unless it still is as the last call that applied the same left it: the
// tests begin with the same thirty objects, and to admit a policy costs the API server much.
func (cp *ControlPlane) apply(ctx context.Context, client dynamic.Interface,
	document map[string]any) error {
	object, err := toObject(document)
	if err != nil {
		return err
	}
	kind, name := object.GroupVersionKind(), object.GetName()
	mapping, err := cp.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if meta.IsNoMatchError(err) { // it may be served since the API server was asked
		cp.mapper.Reset()
		mapping, err = cp.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	}
	if err != nil {
		return fmt.Errorf("applying %s %s: %w", kind.Kind, name, err)
	}
	var objects dynamic.ResourceInterface = client.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		if object.GetNamespace() == "" {
			object.SetNamespace(metav1.NamespaceDefault)
		}
		objects = client.Resource(mapping.Resource).Namespace(object.GetNamespace())
	}
	manifest := content(object)
	if left, before := cp.applied.Load(manifest); before {
		if live, err := objects.Get(ctx, name, metav1.GetOptions{}); err == nil &&
			content(live) == left {
			return nil
		}
	}
	made, err := objects.Apply(ctx, name, object, metav1.ApplyOptions{
		FieldManager: "pullgrant-test", Force: true})
	if err != nil {
		return fmt.Errorf("applying %s %s: %w", kind.Kind, name, err)
	}
	cp.applied.Store(manifest, content(made))
	return nil
}

// content is an object but for what the API server and controllers note about it.
func content(object *unstructured.Unstructured) string {
	object = object.DeepCopy()
	object.SetManagedFields(nil)
	object.SetResourceVersion("")
	unstructured.RemoveNestedField(object.Object, "status")
	text, _ := object.MarshalJSON() // of what was JSON
	return string(text)
}
