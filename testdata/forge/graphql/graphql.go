// Package graphql holds GraphQL documents, and the answers to them, against GitHub's public schema
// (README.md).
package graphql

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

//go:embed github-schema.graphql
var file string

var schema = sync.OnceValues(func() (*ast.Schema, error) {
	return gqlparser.LoadSchema(&ast.Source{Name: "github-schema.graphql", Input: file})
})

// object is a JSON object.
type object = map[string]any

// Operation is a document with one operation, which GitHub would take.
type Operation struct {
	schema    *ast.Schema
	operation *ast.OperationDefinition
	// Variables are those of the operation, with the defaults that it gives.
	Variables map[string]any
}

// Parse checks a document and its variables. The error is in the words of a GraphQL server.
func Parse(document string, variables map[string]any) (*Operation, error) {
	s, err := schema()
	if err != nil {
		return nil, err
	}
	query, problems := gqlparser.LoadQueryWithRules(s, document, rules.NewDefaultRules())
	if len(problems) > 0 {
		return nil, problems
	}
	if len(query.Operations) != 1 {
		return nil, fmt.Errorf("the document has %d operations", len(query.Operations))
	}
	o := query.Operations[0]
	given, err := validator.VariableValues(s, o, variables)
	if err != nil {
		return nil, err
	}
	return &Operation{schema: s, operation: o, Variables: given}, nil
}

// Fields are the names of the fields that the operation asks for at the top.
func (o *Operation) Fields() (names []string) {
	for _, f := range o.fields(o.operation.SelectionSet, "Query") {
		names = append(names, f.Name)
	}
	return names
}

// Argument is the value of an argument of the field that a path of names leads to; nil when there
// is no such field, or it is given none.
func (o *Operation) Argument(name string, path ...string) any {
	selection := o.operation.SelectionSet
	for i, step := range path {
		fields := o.fields(selection, "")
		at := slices.IndexFunc(fields, func(f *ast.Field) bool { return f.Name == step })
		if at < 0 {
			return nil
		}
		if i == len(path)-1 {
			return fields[at].ArgumentMap(o.Variables)[name]
		}
		selection = fields[at].SelectionSet
	}
	return nil
}

// fields are those that are asked for of an object of some type, in fragments too.
func (o *Operation) fields(selection ast.SelectionSet, of string) (fields []*ast.Field) {
	within := func(condition string) bool {
		return condition == of || slices.ContainsFunc(o.schema.PossibleTypes[condition],
			func(d *ast.Definition) bool { return d.Name == of })
	}
	for _, s := range selection {
		switch s := s.(type) {
		case *ast.Field:
			fields = append(fields, s)
		case *ast.InlineFragment:
			if within(s.TypeCondition) {
				fields = append(fields, o.fields(s.SelectionSet, of)...)
			}
		case *ast.FragmentSpread:
			if within(s.Definition.TypeCondition) {
				fields = append(fields, o.fields(s.Definition.SelectionSet, of)...)
			}
		}
	}
	return fields
}

// Field works out a field from its arguments, when it is asked for.
type Field = func(arguments map[string]any) (any, error)

// Answer is what the operation asks for, out of a value that has at least that, or a Field of it.
// Where there may be several types, __typename of the value tells which. An error says where the
// value is not of the type that GitHub gives there.
func (o *Operation) Answer(value map[string]any) (map[string]any, error) {
	return o.object(o.operation.SelectionSet, value, "Query", "data")
}

func (o *Operation) object(selection ast.SelectionSet, value object, of, at string) (object, error) {
	if name, ok := value["__typename"].(string); ok {
		of = name
	}
	answer := object{}
	for _, f := range o.fields(selection, of) {
		if f.Name == "__typename" {
			answer[f.Alias] = of
			continue
		}
		v, known := value[f.Name]
		if !known {
			return nil, fmt.Errorf("%s has no %s", at, f.Name)
		}
		var err error
		if field, ok := v.(Field); ok {
			if v, err = field(f.ArgumentMap(o.Variables)); err != nil {
				return nil, fmt.Errorf("%s.%s: %w", at, f.Alias, err)
			}
		}
		if answer[f.Alias], err = o.value(f.Definition.Type, f.SelectionSet, v,
			at+"."+f.Name); err != nil {
			return nil, err
		}
	}
	return answer, nil
}

func (o *Operation) value(t *ast.Type, selection ast.SelectionSet, v any, at string) (any, error) {
	if v == nil {
		if t.NonNull {
			return nil, fmt.Errorf("%s is null, which it never is", at)
		}
		return nil, nil
	}
	if t.Elem != nil {
		list, ok := v.([]any)
		if !ok {
			return nil, fmt.Errorf("%s is %T and no list", at, v)
		}
		answer := []any{}
		for i, item := range list {
			one, err := o.value(t.Elem, selection, item, fmt.Sprintf("%s[%d]", at, i))
			if err != nil {
				return nil, err
			}
			answer = append(answer, one)
		}
		return answer, nil
	}
	switch definition := o.schema.Types[t.NamedType]; {
	case len(selection) > 0:
		fields, ok := v.(object)
		if !ok {
			return nil, fmt.Errorf("%s is %T and no object", at, v)
		}
		return o.object(selection, fields, t.NamedType, at)
	case !isLeaf(definition, v):
		return nil, fmt.Errorf("%s is %v, which is no %s", at, v, t.NamedType)
	}
	return v, nil
}

// isLeaf tells whether a value is one of a scalar type or an enumeration.
func isLeaf(d *ast.Definition, v any) bool {
	text, isText := v.(string)
	if data, err := json.Marshal(v); err == nil && !isText {
		text = string(data)
	}
	switch {
	case d.Kind == ast.Enum:
		return isText && d.EnumValues.ForName(text) != nil
	case d.Name == "Int":
		return !isText && strings.Trim(text, "-0123456789") == ""
	case d.Name == "Boolean":
		return text == "true" || text == "false"
	}
	return isText
}
