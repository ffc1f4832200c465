package policies

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/requests"
)

// kindFields are the fields that a kind has beside the field kind, for the loader and the schema:
// those that it needs, and those that may be left out. The Go type has the fields of all kinds.
type kindFields struct{ needs, takes []string }

func (f kindFields) has(field string) bool {
	return slices.Contains(f.needs, field) || slices.Contains(f.takes, field)
}

// fieldsOf are the YAML names of a type's fields, without kind.
func fieldsOf(t reflect.Type) (all []string) {
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ","); name != "kind" {
			all = append(all, name)
		}
	}
	return all
}

// checkFields finds fields that a kind needs and lacks, and those that it does not know. kinds are
// the fields of every kind of T.
func checkFields[T any](d *requests.Document, at, rule, kind string, kinds map[string]kindFields) {
	for _, field := range fieldsOf(reflect.TypeFor[T]()) {
		switch path := at + "." + field; {
		case slices.Contains(kinds[kind].needs, field):
			d.Require(path)
		case d.Has(path) && !kinds[kind].has(field):
			var knowing []string
			for name, fields := range kinds {
				if fields.has(field) {
					knowing = append(knowing, name)
				}
			}
			d.Add(path, rule, "%s has no %s; remove it, or use %s", kind, field,
				strings.Join(sorted(knowing), " or "))
		}
	}
}

// kindConditions are checkFields for the schema of a type.
func kindConditions(t reflect.Type, kinds map[string]kindFields) (all []*schema) {
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		then := &schema{Required: kinds[name].needs}
		var unknown []*schema
		for _, field := range fieldsOf(t) {
			if !kinds[name].has(field) {
				unknown = append(unknown, &schema{Required: []string{field}})
			}
		}
		if len(unknown) > 0 {
			then.Not = &schema{AnyOf: unknown}
		}
		all = append(all, when(name, then))
	}
	return all
}
