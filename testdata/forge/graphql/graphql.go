// Package graphql holds GraphQL documents, and the answers to them, against GitHub's public schema
// (README.md).
package graphql

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strconv"
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
	query, err := loaded(s, document)
	if err != nil {
		return nil, err
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

// documents are those that were checked before: clients send a few, with other variables each time.
var documents sync.Map

// loaded checks a document, once.
func loaded(s *ast.Schema, document string) (*ast.QueryDocument, error) {
	if known, found := documents.Load(document); found {
		return known.(*ast.QueryDocument), nil
	}
	query, problems := gqlparser.LoadQueryWithRules(s, document, rules.NewDefaultRules())
	if len(problems) > 0 {
		return nil, problems
	}
	documents.Store(document, query)
	return query, nil
}

// Fields are the names of the fields that the operation asks for at the top.
func (o *Operation) Fields() (names []string) {
	for _, f := range o.fields(o.operation.SelectionSet, o.root()) {
		names = append(names, f.Name)
	}
	return names
}

// root is the type of the object that the operation asks.
func (o *Operation) root() string {
	if o.operation.Operation == ast.Mutation {
		return "Mutation"
	}
	return "Query"
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
	case d.Name == "Int": // of 32 bits
		_, err := strconv.ParseInt(text, 10, 32)
		return !isText && err == nil
	case d.Name == "Boolean":
		return text == "true" || text == "false"
	}
	return isText
}
