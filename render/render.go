package render

import (
	"bytes"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"
	kjson "sigs.k8s.io/json"

	"github.com/pullgrant/pullgrant/requests"
)

// Render gives the objects of a grant, those of its items in their order, ready to be created: with
// kind and apiVersion, labels and annotations. The same grant always gives the same objects. A
// grant without a window, of a request that is not merged yet, renders without the annotations that
// are not known.
//
// An error means that the grant is not one that may exist (a name out of form, a protected
// namespace, role or subject) or that kustomize made something else of it. Nothing may be applied
// then. Render may be called concurrently.
func Render(g requests.Grant) ([]Object, error) {
	if err := check(g); err != nil {
		return nil, fmt.Errorf("render grant %s: %w", requests.Quote(g.Name), err)
	}
	plain, _ := plainObjects(g)
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

// plainObjects are the objects of a grant before kustomize adds labels and annotations, each with
// what compares it with the grant.
func plainObjects(g requests.Grant) (objects []Object, same []func(got Object) error) {
	for _, item := range g.Items {
		for _, object := range kindOf(item).objects(g, item) {
			objects = append(objects, object)
			same = append(same, func(got Object) error { return kindOf(item).same(g, item, got) })
		}
	}
	if g.Impersonates() {
		for _, object := range homeObjects(g) {
			objects = append(objects, object)
			same = append(same, func(got Object) error { return sameHome(g, got) })
		}
	}
	return objects, same
}

// YAML writes objects as one YAML stream for people, kubectl and whatever keeps a cluster in step
// with git: keys sorted, every text that some YAML reader could take for a number or a truth value
// quoted, and so the same bytes for the same objects.
func YAML[T any](objects []T) []byte {
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	for _, object := range objects {
		if err := encoder.Encode(generic(object)); err != nil {
			panic("render: write YAML: " + err.Error()) // a map of maps, lists and plain values always encodes
		}
	}
	encoder.Close()
	return b.Bytes()
}

// generic is an object as its JSON tags say; the Kubernetes types have no YAML tags, and without
// them yaml/v3 would drop fields. This decoder leaves whole numbers whole, so that none is written
// as 1e+09. The status is the cluster's to write.
func generic(object any) (value map[string]any) {
	data, err := json.Marshal(object)
	if err == nil {
		err = kjson.UnmarshalCaseSensitivePreserveInts(data, &value)
	}
	if err != nil {
		panic("render: write JSON: " + err.Error()) // a Kubernetes object always encodes
	}
	delete(value, "status")
	return value
}
