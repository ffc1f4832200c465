package graphql

import (
	"errors"
	"fmt"
	"slices"

	"github.com/vektah/gqlparser/v2/ast"
)

// Field works out a field from its arguments, when it is asked for. A Refused of it is part of the
// answer.
type Field = func(arguments map[string]any) (any, error)

// Refused says in GitHub's words why a field is not answered, which is null then.
type Refused struct{ Type, Message string }

func (r *Refused) Error() string { return r.Message }

// Problem is the refusal as an answer lists it.
func (r *Refused) Problem(path ...any) map[string]any {
	problem := object{"type": r.Type, "message": r.Message}
	if len(path) > 0 {
		problem["path"] = path
	}
	return problem
}

// errNull says that a field is null which never is, so that what it is part of is.
var errNull = errors.New("null")

// answering is an operation while it is answered.
type answering struct {
	*Operation
	problems []any
}

// Answer is the data that the operation asks for, out of a value that has at least that, or a Field
// for it, and the problems of what was refused. Where there may be several types, __typename of the
// value tells which. An error says where the value is not of the type that GitHub gives there.
func (o *Operation) Answer(value map[string]any) (data map[string]any, problems []any, err error) {
	a := &answering{Operation: o}
	data, err = a.object(o.operation.SelectionSet, value, o.root(), nil)
	if errors.Is(err, errNull) {
		data, err = nil, nil
	}
	return data, a.problems, err
}

// fields are those that are asked for of an object of some type, in fragments too: each name in the
// answer once, with all that is asked of it.
func (o *Operation) fields(selection ast.SelectionSet, of string) (fields []*ast.Field) {
	within := func(condition string) bool {
		return condition == of || slices.ContainsFunc(o.schema.PossibleTypes[condition],
			func(d *ast.Definition) bool { return d.Name == of })
	}
	add := func(f *ast.Field) {
		for i, known := range fields {
			if known.Alias == f.Alias {
				both := *known
				both.SelectionSet = slices.Concat(known.SelectionSet, f.SelectionSet)
				fields[i] = &both
				return
			}
		}
		fields = append(fields, f)
	}
	below := func(condition string, selection ast.SelectionSet) {
		if condition == "" || within(condition) {
			for _, f := range o.fields(selection, of) {
				add(f)
			}
		}
	}
	for _, s := range selection {
		switch s := s.(type) {
		case *ast.Field:
			add(s)
		case *ast.InlineFragment:
			below(s.TypeCondition, s.SelectionSet)
		case *ast.FragmentSpread:
			below(s.Definition.TypeCondition, s.Definition.SelectionSet)
		}
	}
	return fields
}

func (a *answering) object(selection ast.SelectionSet, value object, of string, path []any) (
	object, error) {
	if a.schema.Types[of].IsAbstractType() {
		name, _ := value["__typename"].(string)
		if !slices.ContainsFunc(a.schema.PossibleTypes[of],
			func(d *ast.Definition) bool { return d.Name == name }) {
			return nil, fmt.Errorf("%s is of the type %q, which is no %s", at(path), name, of)
		}
		of = name
	}
	answer := object{}
	for _, f := range a.fields(selection, of) {
		if f.Name == "__typename" {
			answer[f.Alias] = of
			continue
		}
		where := append(slices.Clone(path), f.Alias)
		v, known := value[f.Name]
		if !known {
			return nil, fmt.Errorf("%s has no %s", at(path), f.Name)
		}
		var err error
		if work, ok := v.(Field); ok {
			v, err = work(f.ArgumentMap(a.Variables))
		}
		var refused *Refused
		if errors.As(err, &refused) {
			a.problems = append(a.problems, refused.Problem(where...))
			v, err = nil, errNull
		} else if err == nil {
			v, err = a.value(f.Definition.Type, f.SelectionSet, v, where)
		} else {
			err = fmt.Errorf("%s: %w", at(where), err)
		}
		if errors.Is(err, errNull) && !f.Definition.Type.NonNull {
			v, err = nil, nil
		}
		if err != nil {
			return nil, err
		}
		answer[f.Alias] = v
	}
	return answer, nil
}

func (a *answering) value(t *ast.Type, selection ast.SelectionSet, v any, path []any) (any, error) {
	if v == nil {
		if t.NonNull {
			return nil, fmt.Errorf("%s is null, which it never is", at(path))
		}
		return nil, nil
	}
	if t.Elem != nil {
		list, ok := v.([]any)
		if !ok {
			return nil, fmt.Errorf("%s is %T and no list", at(path), v)
		}
		answer := []any{}
		for i, item := range list {
			one, err := a.value(t.Elem, selection, item, append(slices.Clone(path), i))
			if errors.Is(err, errNull) && !t.Elem.NonNull {
				one, err = nil, nil
			}
			if err != nil {
				return nil, err
			}
			answer = append(answer, one)
		}
		return answer, nil
	}
	switch definition := a.schema.Types[t.NamedType]; {
	case len(selection) > 0:
		fields, ok := v.(object)
		if !ok {
			return nil, fmt.Errorf("%s is %T and no object", at(path), v)
		}
		return a.object(selection, fields, t.NamedType, path)
	case !isLeaf(definition, v):
		return nil, fmt.Errorf("%s is %v, which is no %s", at(path), v, t.NamedType)
	}
	return v, nil
}

// at is a path in words.
func at(path []any) string {
	text := "data"
	for _, step := range path {
		if i, isIndex := step.(int); isIndex {
			text += fmt.Sprintf("[%d]", i)
		} else {
			text += fmt.Sprintf(".%v", step)
		}
	}
	return text
}
