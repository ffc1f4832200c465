package render

import (
	"bytes"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/requests"
)

// Render gives the objects of a grant, one RoleBinding for each of its Bindings and in their order, ready to be created:
// with kind and apiVersion, labels and annotations. The same grant always gives the same objects. A grant without a
// window, of a request that is not merged yet, renders without the annotations that are not known.
//
// An error means that the grant is not one that may exist (a name out of form, a protected namespace, role or subject)
// or that kustomize made something else of it. Nothing may be applied then. Render may be called concurrently.
func Render(g requests.Grant) ([]rbacv1.RoleBinding, error) {
	if err := check(g); err != nil {
		return nil, fmt.Errorf("render grant %s: %w", requests.Quote(g.Name), err)
	}
	plain := make([]rbacv1.RoleBinding, len(g.Bindings))
	for i, b := range g.Bindings {
		plain[i] = roleBinding(g.Subject, b)
	}
	output, err := build(plain, labels(g), annotations(g))
	if err != nil {
		return nil, fmt.Errorf("render grant %s: %w", g.Name, err)
	}
	objects, err := guard(g, output)
	if err != nil {
		return nil, fmt.Errorf("render grant %s: %w", g.Name, err)
	}
	return objects, nil
}

// roleBinding is a binding before kustomize adds labels and annotations.
func roleBinding(subject requests.Subject, b requests.Binding) rbacv1.RoleBinding {
	return rbacv1.RoleBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: KindRoleBinding},
		ObjectMeta: metav1.ObjectMeta{Name: b.Name, Namespace: b.Namespace},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: subject.Kind, Name: subject.Name}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: b.Role.Kind, Name: b.Role.Name},
	}
}

// YAML writes objects as one YAML stream for people and kubectl: keys sorted, every text that some YAML reader could
// take for a number or a truth value quoted, and so the same bytes for the same objects.
func YAML[T any](objects []T) []byte {
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	for _, object := range objects {
		if err := encoder.Encode(generic(object)); err != nil {
			panic("render: write YAML: " + err.Error()) // a map of maps and strings always encodes
		}
	}
	encoder.Close()
	return b.Bytes()
}

// generic is an object as its JSON tags say; the Kubernetes types have no YAML tags, and without them yaml/v3 would
// drop fields. The status is the cluster's to write.
func generic(object any) (value map[string]any) {
	data, err := json.Marshal(object)
	if err == nil {
		err = json.Unmarshal(data, &value)
	}
	if err != nil {
		panic("render: write JSON: " + err.Error()) // a Kubernetes object always encodes
	}
	delete(value, "status")
	return value
}
