package policies

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
)

// KindRevocation names the schema of a ledger entry, a request with a status. The file itself says AccessRequest.
const KindRevocation = "Revocation"

// Kinds lists the kinds of file that have a JSON Schema.
var Kinds = []string{requests.KindAccessRequest, KindAccessPolicy, KindIdentityMap, KindGroupMap, rbac.KindRoleCatalog, KindPolicyTest, KindRevocation}

// Schema is the JSON Schema (draft 7, which editors know best) of one of Kinds, compared without regard to case. It is
// made from the Go types that the loader fills, with the patterns and bounds that the loader checks. It knows less than
// the loader, which also compares fields and files with each other. The same kind always gives the same bytes.
func Schema(kind string) ([]byte, error) {
	i := slices.IndexFunc(Kinds, func(k string) bool { return strings.EqualFold(k, kind) })
	if i < 0 {
		return nil, fmt.Errorf("no schema for kind %s; kinds: %s", requests.Quote(kind), strings.Join(Kinds, ", "))
	}
	root := schemaRoots[Kinds[i]]
	s := structSchema(root.format, root.name)
	s.Schema, s.ID, s.Title = "http://json-schema.org/draft-07/schema#", requests.SchemaAddress(Kinds[i]), Kinds[i]
	s.Description = root.about
	s.Properties["apiVersion"].Const = requests.APIVersion
	s.Properties["kind"].Const = root.kind
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(s); err != nil {
		return nil, fmt.Errorf("write the schema of %s: %w", Kinds[i], err)
	}
	return b.Bytes(), nil
}

// schema is the part of JSON Schema in use, in the order it is written.
type schema struct {
	Schema      string `json:"$schema,omitempty"`
	ID          string `json:"$id,omitempty"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
	Type        string `json:"type,omitempty"`

	Const     string   `json:"const,omitempty"`
	Enum      []string `json:"enum,omitempty"`
	Pattern   string   `json:"pattern,omitempty"`
	MinLength int      `json:"minLength,omitempty"`
	MaxLength int      `json:"maxLength,omitempty"`
	Minimum   int      `json:"minimum,omitempty"`
	Maximum   int      `json:"maximum,omitempty"`

	Items       *schema `json:"items,omitempty"`
	MinItems    int     `json:"minItems,omitempty"`
	UniqueItems bool    `json:"uniqueItems,omitempty"`

	AdditionalProperties *bool              `json:"additionalProperties,omitempty"`
	Required             []string           `json:"required,omitempty"`
	Properties           map[string]*schema `json:"properties,omitempty"`

	Not   *schema   `json:"not,omitempty"`
	AnyOf []*schema `json:"anyOf,omitempty"`
	AllOf []*schema `json:"allOf,omitempty"`
	If    *schema   `json:"if,omitempty"`
	Then  *schema   `json:"then,omitempty"`
	Else  *schema   `json:"else,omitempty"`
}

// structSchema is the schema of a struct with yaml tags; name is the rule of metadata.name. A field may be left out
// exactly when its tag says omitempty.
func structSchema(t reflect.Type, name fieldRule) *schema {
	s := &schema{Type: "object", AdditionalProperties: new(bool), Properties: map[string]*schema{}, AllOf: schemaConditions[t.Name()]}
	for i := range t.NumField() {
		tag, options, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		rule, ok := fieldRules[t.Name()+"."+tag]
		if t == reflect.TypeFor[requests.Metadata]() {
			rule, ok = name, true
		}
		if !ok {
			panic("policies: fieldRules has nothing about " + t.Name() + "." + tag)
		}
		field := typeSchema(t.Field(i).Type, rule, name)
		field.Description = rule.about
		s.Properties[tag] = field
		if options != "omitempty" {
			s.Required = append(s.Required, tag)
		}
	}
	return s
}

// typeSchema is the schema of a value of type t under a rule.
func typeSchema(t reflect.Type, rule, name fieldRule) *schema {
	switch {
	case t == reflect.TypeFor[requests.Duration]():
		return &schema{Type: "string", Pattern: requests.DurationPattern}
	case t == reflect.TypeFor[requests.Time]():
		return &schema{Type: "string", Pattern: requests.TimePattern}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeSchema(t.Elem(), rule, name)
	case reflect.Struct:
		return structSchema(t, name)
	case reflect.Slice:
		of := rule
		of.min, of.max = 0, 0
		return &schema{Type: "array", Items: typeSchema(t.Elem(), of, name), MinItems: rule.min, UniqueItems: rule.unique}
	case reflect.Bool:
		return &schema{Type: "boolean"}
	case reflect.Int, reflect.Int64:
		return &schema{Type: "integer", Minimum: rule.min, Maximum: rule.max}
	case reflect.String:
		s := &schema{Type: "string", Enum: rule.enum, Pattern: rule.pattern, MinLength: rule.min, MaxLength: rule.max}
		if rule.not != "" {
			s.Not = &schema{Pattern: rule.not}
		}
		return s
	}
	panic("policies: a format has a field of unsupported type " + t.String())
}
