package main

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
)

// shapes makes the JSON Schema (draft 7) of what a command prints, from the Go type that it prints.
// Tags of a field say what its name does not: about in words, enum the values that it may have.
type shapes struct{ structs map[string]any } // by name, each once

type object = map[string]any

const draft7 = "http://json-schema.org/draft-07/schema#"

// schemaOf is the schema of a value of type t.
func schemaOf(t reflect.Type, title string) object {
	s := shapes{structs: map[string]any{}}
	all := s.of(t)
	all["$schema"], all["title"] = draft7, title
	all["definitions"] = s.structs
	return all
}

// listOf is the schema of a list of what items describes.
func listOf(items json.RawMessage, title string) object {
	return object{"$schema": draft7, "title": title, "type": "array", "items": items}
}

func (s shapes) of(t reflect.Type) object {
	switch {
	case t.Implements(reflect.TypeFor[encoding.TextMarshaler]()):
		return object{"type": "string"}
	case t.Implements(reflect.TypeFor[json.Marshaler]()):
		return object{} // in a form of its own
	}
	switch t.Kind() {
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Int, reflect.Int64:
		return object{"type": "integer"}
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.Slice:
		return object{"type": "array", "items": s.of(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": s.of(t.Elem())}
	case reflect.Struct:
		if _, has := s.structs[t.String()]; !has {
			s.structs[t.String()] = nil // while it is made: it may hold others of its type
			s.structs[t.String()] = s.object(t)
		}
		return object{"$ref": "#/definitions/" + t.String()}
	}
	panic("no schema says what a " + t.String() + " is")
}

func (s shapes) object(t reflect.Type) object {
	fields, required := object{}, []string{}
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || f.Anonymous && name == "" || name == "-" {
			continue
		}
		field := s.of(f.Type)
		if about := f.Tag.Get("about"); about != "" {
			field["description"] = about
		}
		if values := f.Tag.Get("enum"); values != "" {
			field["enum"] = strings.Split(values, ",")
		}
		fields[name] = field
		switch optional := strings.HasPrefix(options, "omit"); {
		case !optional && nilable(f.Type): // which JSON has as null
			fields[name] = object{"anyOf": []object{field, {"type": "null"}}}
			fallthrough
		case !optional:
			required = append(required, name)
		}
	}
	return object{"type": "object", "additionalProperties": false, "required": required, "properties": fields}
}

func nilable(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Slice, reflect.Map, reflect.Pointer:
		return !t.Implements(reflect.TypeFor[json.Marshaler]())
	}
	return false
}
