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
	unused := map[string]bool{}
	for kind, root := range formats {
		for name := range root.format.Fields {
			unused[kind+" "+name] = true
		}
	}
	kind := ""
	var visit func(reflect.Type)
	visit = func(format reflect.Type) {
		for slices.Contains([]reflect.Kind{reflect.Pointer, reflect.Slice, reflect.Map},
			format.Kind()) {
			format = format.Elem()
		}
		if format.Kind() != reflect.Struct {
			return
		}
		for i := range format.NumField() {
			if name, _, _ := strings.Cut(format.Field(i).Tag.Get("yaml"), ","); name != "" {
				delete(unused, kind+" "+format.Name()+"."+name)
				if inside := format.Field(i).Type; inside != reflect.SliceOf(format) {
					visit(inside)
				}
			}
		}
	}
	for name, root := range formats {
		kind = name
		visit(root.file)
	}
	if len(unused) > 0 {
		t.Errorf("no such fields: %v", slices.Sorted(maps.Keys(unused)))
	}
	if len(formats) != len(Kinds) {
		t.Errorf("%d kinds, %d schemas", len(Kinds), len(formats))
	}
}
