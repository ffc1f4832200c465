package kube

import (
	"context"
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/pullgrant/pullgrant/render"
)

// LiveFootprint reads what a cluster has of the agent's footprint, as render.Compare takes it: each
// object that stands where one of wanted would, every Role of the agent's name and every binding
// that names a ServiceAccount of ours, so that rights which are not wanted show too. It takes the
// right to get and list all of these.
func LiveFootprint(ctx context.Context, config *rest.Config, wanted []render.Object) (
	live []map[string]any, err error) {
	own := rest.CopyConfig(config)
	own.QPS, own.UserAgent, own.Timeout = -1, "pullgrant", CallTimeout
	client, err := dynamic.NewForConfig(own)
	if err != nil {
		return nil, fmt.Errorf("preparing the Kubernetes client: %w", err)
	}
	seen := map[string]bool{}
	add := func(object *unstructured.Unstructured) {
		if key := object.GetKind() + " " + object.GetNamespace() + "/" +
			object.GetName(); !seen[key] {
			seen[key] = true
			live = append(live, object.Object)
		}
	}
	for _, w := range wanted {
		kind := w.GetObjectKind().GroupVersionKind()
		resource, _ := meta.UnsafeGuessKindToResource(kind) // which is right for every kind of the footprint
		object, err := client.Resource(resource).Namespace(w.GetNamespace()).Get(ctx, w.GetName(),
			metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s %s: %w", kind.Kind, w.GetName(), err)
		}
		add(object)
	}
	for _, resource := range []string{"clusterrolebindings", "rolebindings", "roles"} {
		var of metav1.ListOptions
		if resource == "roles" {
			of.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, render.Agent).String()
		}
		list, err := client.Resource(schema.GroupVersionResource{Group: rbacv1.GroupName,
			Version: "v1", Resource: resource}).List(ctx, of)
		if err != nil {
			return nil, fmt.Errorf("listing %s: %w", resource, err)
		}
		for i := range list.Items {
			if resource == "roles" || namesOurs(&list.Items[i]) {
				add(&list.Items[i])
			}
		}
	}
	return live, nil
}

// namesOurs tells whether a binding has one of our accounts as a subject, in either way of
// naming a ServiceAccount.
func namesOurs(binding *unstructured.Unstructured) bool {
	subjects, _, _ := unstructured.NestedSlice(binding.Object, "subjects")
	for _, s := range subjects {
		subject, _ := s.(map[string]any)
		for _, account := range []string{render.Agent, render.Expirer, render.AWS} {
			switch subject["kind"] {
			case rbacv1.ServiceAccountKind:
				if subject["namespace"] == Namespace && subject["name"] == account {
					return true
				}
			case rbacv1.UserKind:
				if subject["name"] == "system:serviceaccount:"+Namespace+":"+account {
					return true
				}
			}
		}
	}
	return false
}
