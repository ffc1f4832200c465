package policies

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// A rule about a field that no longer exists would be a restriction that nobody applies.
func TestEveryFieldRuleIsUsed(t *testing.T) {
	unused := maps.Clone(fieldRules)
	var visit func(reflect.Type)
	visit = func(format reflect.Type) {
		for format.Kind() == reflect.Pointer || format.Kind() == reflect.Slice {
			format = format.Elem()
		}
		if format.Kind() != reflect.Struct {
			return
		}
		for i := range format.NumField() {
			if name, _, _ := strings.Cut(format.Field(i).Tag.Get("yaml"), ","); name != "" {
				delete(unused, format.Name()+"."+name)
				visit(format.Field(i).Type)
			}
		}
	}
	for _, root := range schemaRoots {
		visit(root.format)
	}
	if len(unused) > 0 {
		t.Errorf("no such fields: %v", slices.Sorted(maps.Keys(unused)))
	}
	if len(schemaRoots) != len(Kinds) {
		t.Errorf("%d kinds, %d schemas", len(Kinds), len(schemaRoots))
	}
}
