package kube

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/template"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"
)

//go:embed agent-rbac.yaml
var agentRBAC string

var agentTemplate = template.Must(template.New("agent-rbac.yaml").Parse(agentRBAC))

// AgentManifests are namespace, ServiceAccount and rights of the agent that may bind those ClusterRoles in those
// namespaces, as YAML for Apply. The namespaces must exist when it is applied; names are taken as they are. It panics on
// an empty list: absence must never mean all, and an empty resourceNames does mean that.
func AgentManifests(namespaces, roles []string) []byte {
	if len(namespaces) == 0 || len(roles) == 0 {
		panic("the agent's manifests need at least one namespace and one role")
	}
	var out bytes.Buffer
	err := agentTemplate.Execute(&out, map[string][]string{"Namespaces": namespaces, "Roles": roles})
	if err != nil {
		panic(err) // only a broken template can fail
	}
	return out.Bytes()
}

// Apply creates or updates, as admin and by server-side apply, the objects of a YAML stream in their order. An object
// without a namespace goes to default.
func (cp *ControlPlane) Apply(ctx context.Context, manifests []byte) error {
	groups, err := restmapper.GetAPIGroupResources(cp.client.Discovery())
	if err != nil {
		return fmt.Errorf("asking the API server what it serves: %w", err)
	}
	client, err := dynamic.NewForConfig(cp.Admin())
	if err != nil {
		return fmt.Errorf("making the admin client: %w", err)
	}
	mapper := restmapper.NewDiscoveryRESTMapper(groups)
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

func apply(ctx context.Context, client dynamic.Interface, mapper meta.RESTMapper, document map[string]any) error {
	text, err := json.Marshal(document) // through JSON: Kubernetes' own types know its numbers only
	if err != nil {
		return fmt.Errorf("reading manifests: %w", err)
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(text); err != nil {
		return fmt.Errorf("reading manifests: %w", err)
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
		_, err = resources.Namespace(object.GetNamespace()).Apply(ctx, object.GetName(), object, options)
	}
	if err != nil {
		return fmt.Errorf("applying %s %s: %w", kind.Kind, object.GetName(), err)
	}
	return nil
}
