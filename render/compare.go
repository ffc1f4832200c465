package render

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Difference is how a cluster differs from a footprint in one object.
type Difference struct {
	Kind, Namespace, Name string
	Wanted, Live          map[string]any // nil where there is none
	Fields                []string       // that are not as wanted, where there are both
}

// String is the kind and the name, with the namespace where there is one.
func (d Difference) String() string {
	return d.Kind + " " + strings.TrimPrefix(d.Namespace+"/"+d.Name, "/")
}

// Compare tells how live objects, as their API server writes them, differ from the wanted ones, in
// order of kind, namespace and name. Of rights and of the fence every field counts. Of other
// objects only the fields that are wanted do: the rest is filled in by the API server, or set by
// others for reasons of their own.
func Compare(wanted []Object, live []map[string]any) (differences []Difference) {
	left := map[string]Difference{}
	for _, l := range live {
		d := differenceOf(l)
		d.Live = l
		left[d.String()] = d
	}
	for _, object := range wanted {
		want := generic(object)
		d := differenceOf(want)
		d.Live, d.Wanted = left[d.String()].Live, want
		delete(left, d.String())
		if d.Live != nil {
			d.Fields = d.changed()
		}
		if d.Live == nil || len(d.Fields) > 0 {
			differences = append(differences, d)
		}
	}
	differences = slices.AppendSeq(differences, maps.Values(left))
	slices.SortFunc(differences, func(a, b Difference) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace),
			cmp.Compare(a.Name, b.Name))
	})
	return differences
}

func differenceOf(object map[string]any) Difference {
	text := func(from map[string]any, key string) string { s, _ := from[key].(string); return s }
	metadata, _ := object["metadata"].(map[string]any)
	return Difference{Kind: text(object, "kind"), Namespace: text(metadata, "namespace"),
		Name: text(metadata, "name")}
}

// changed are the fields that are not as wanted. Of the metadata, labels are ours.
func (d Difference) changed() []string {
	version, _ := d.Wanted["apiVersion"].(string)
	exact := strings.HasPrefix(version, "rbac.authorization.k8s.io/") || strings.HasPrefix(version,
		"admissionregistration.k8s.io/")
	rest := func(object map[string]any) (labels any, rest map[string]any) {
		metadata, _ := object["metadata"].(map[string]any)
		rest = maps.Clone(object)
		delete(rest, "metadata")
		delete(rest, "status")
		return metadata["labels"], rest
	}
	labels, want := rest(d.Wanted)
	liveLabels, live := rest(d.Live)
	return append(differ("metadata.labels", labels, liveLabels, false), differ("", want,
		live, exact)...)
}

// differ names the fields, by their paths, in which live is not as wanted.
func differ(path string, want, live any, exact bool) (fields []string) {
	switch want := want.(type) {
	case map[string]any:
		live, ok := live.(map[string]any)
		if !ok && len(want) > 0 {
			return []string{path}
		}
		keys := slices.Collect(maps.Keys(want))
		if exact {
			keys = slices.AppendSeq(keys, maps.Keys(live))
		}
		for _, key := range slices.Compact(slices.Sorted(slices.Values(keys))) {
			fields = append(fields, differ(strings.TrimPrefix(path+"."+key, "."), want[key],
				live[key], exact)...)
		}
		return fields
	case []any:
		live, _ := live.([]any)
		if len(live) != len(want) {
			return []string{path}
		}
		for i := range want {
			fields = append(fields, differ(fmt.Sprintf("%s[%d]", path, i), want[i],
				live[i], exact)...)
		}
		return fields
	}
	if !reflect.DeepEqual(want, live) {
		return []string{path}
	}
	return nil
}
