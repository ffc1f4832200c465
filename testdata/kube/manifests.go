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
	"k8s.io/client-go/restmapper"

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
	mapper, err := cp.mapper()
	if err != nil {
		return err
	}
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
		if err := apply(ctx, client, mapper, document); err != nil {
			return err
		}
	}
}

// mapper knows the resource of each kind that the API server serves.
func (cp *ControlPlane) mapper() (meta.RESTMapper, error) {
	groups, err := restmapper.GetAPIGroupResources(cp.client.Discovery())
	if err != nil {
		return nil, fmt.Errorf("asking the API server what it serves: %w", err)
	}
	return restmapper.NewDiscoveryRESTMapper(groups), nil
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

func apply(ctx context.Context, client dynamic.Interface, mapper meta.RESTMapper,
	document map[string]any) error {
	object, err := toObject(document)
	if err != nil {
		return err
	}
	kind := object.GroupVersionKind()
	mapping, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return fmt.Errorf("applying %s %s: %w", kind.Kind, object.GetName(), err)
	}
	resources := client.Resource(mapping.Resource)
	options := metav1.ApplyOptions{FieldManager: "pullgrant-test", Force: true}
	if mapping.Scope.Name() != meta.RESTScopeNameNamespace {
		_, err = resources.Apply(ctx, object.GetName(), object, options)
	} else {
		if object.GetNamespace() == "" {
			object.SetNamespace(metav1.NamespaceDefault)
		}
		_, err = resources.Namespace(object.GetNamespace()).Apply(ctx, object.GetName(),
			object, options)
	}
	if err != nil {
		return fmt.Errorf("applying %s %s: %w", kind.Kind, object.GetName(), err)
	}
	return nil
}
