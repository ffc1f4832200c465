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

// KindRevocation names the schema of a ledger entry, a request with a status. The file itself says
// AccessRequest.
const KindRevocation = "Revocation"

// Kinds lists the kinds of file, and of what goes over the wire, that have a JSON Schema.
var Kinds = []string{requests.KindAccessRequest, KindAccessPolicy, KindIdentityMap, KindGroupMap,
	KindAccessRule, KindRota, KindCertification, rbac.KindRoleCatalog, KindPolicyTest, KindRevocation, KindDebt,
	KindGlassReview, KindWebhookRequest, KindWebhookResponse, KindRequestList,
	requests.KindAudited}

// Schema is the JSON Schema (draft 7, which editors know best) of one of Kinds, compared without
// regard to case. It is made from the Go types that the loader fills, with the patterns and bounds
// that the loader checks. It knows less than the loader, which also compares fields and files with
// each other. The same kind always gives the same bytes.
func Schema(kind string) ([]byte, error) {
	i := slices.IndexFunc(Kinds, func(k string) bool { return strings.EqualFold(k, kind) })
	if i < 0 {
		return nil, fmt.Errorf("no schema for kind %s; kinds: %s", requests.Quote(kind),
			strings.Join(Kinds, ", "))
	}
	root := formats[Kinds[i]]
	s := structSchema(root.file, root.format)
	s.Schema, s.ID, s.Title = "http://json-schema.org/draft-07/schema#",
		requests.SchemaAddress(Kinds[i]), Kinds[i]
	s.Description = root.format.About
	if s.Properties["kind"] != nil {
		s.Properties["apiVersion"].Const = requests.APIVersion
		s.Properties["kind"].Const = root.format.Kind
	}
	for _, t := range nesting {
		if _, has := root.format.Fields[t.Name()+".kind"]; has {
			s.Definitions = map[string]*schema{t.Name(): structSchema(t, root.format)}
		}
	}
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
	Ref         string `json:"$ref,omitempty"`
	Type        string `json:"type,omitempty"`

	Const     any      `json:"const,omitempty"`
	Enum      []string `json:"enum,omitempty"`
	Pattern   string   `json:"pattern,omitempty"`
	MinLength int      `json:"minLength,omitempty"`
	MaxLength int      `json:"maxLength,omitempty"`
	Minimum   int      `json:"minimum,omitempty"`
	Maximum   int      `json:"maximum,omitempty"`

	Items       *schema `json:"items,omitempty"`
	Contains    *schema `json:"contains,omitempty"`
	MinItems    int     `json:"minItems,omitempty"`
	MaxItems    int     `json:"maxItems,omitempty"`
	UniqueItems bool    `json:"uniqueItems,omitempty"`

	AdditionalProperties *bool              `json:"additionalProperties,omitempty"`
	Required             []string           `json:"required,omitempty"`
	Properties           map[string]*schema `json:"properties,omitempty"`
	PatternProperties    map[string]*schema `json:"patternProperties,omitempty"`
	MinProperties        int                `json:"minProperties,omitempty"`

	Not   *schema   `json:"not,omitempty"`
	AnyOf []*schema `json:"anyOf,omitempty"`
	OneOf []*schema `json:"oneOf,omitempty"`
	AllOf []*schema `json:"allOf,omitempty"`
	If    *schema   `json:"if,omitempty"`
	Then  *schema   `json:"then,omitempty"`
	Else  *schema   `json:"else,omitempty"`

	Definitions map[string]*schema `json:"definitions,omitempty"`
}

// nesting are the types of fields that hold others of the same type.
var nesting = []reflect.Type{reflect.TypeFor[Challenge](), reflect.TypeFor[requests.ChallengeStatus]()}

// formats are the formats by kind, each with the Go type that the loader fills.
var formats = map[string]struct {
	file   reflect.Type
	format requests.Format
}{
	requests.KindAccessRequest: {reflect.TypeFor[requests.AccessRequest](), requests.RequestFormat},
	KindAccessPolicy:           {reflect.TypeFor[AccessPolicy](), PolicyFormat},
	KindIdentityMap:            {reflect.TypeFor[IdentityMap](), IdentityFormat},
	KindGroupMap:               {reflect.TypeFor[GroupMap](), GroupFormat},
	KindAccessRule:             {reflect.TypeFor[AccessRule](), RuleFormat},
	KindCertification:          {reflect.TypeFor[Certification](), CertificationFormat},
	KindRota:                   {reflect.TypeFor[Rota](), RotaFormat},
	rbac.KindRoleCatalog:       {reflect.TypeFor[rbac.RoleCatalog](), rbac.CatalogFormat},
	KindPolicyTest:             {reflect.TypeFor[PolicyTest](), TestFormat},
	KindDebt:                   {reflect.TypeFor[Debt](), DebtFormat},
	KindGlassReview:            {reflect.TypeFor[GlassReview](), GlassReviewFormat},
	KindRevocation:             {reflect.TypeFor[requests.Revocation](), requests.RevocationFormat},
	KindWebhookRequest:         {reflect.TypeFor[WebhookRequest](), webhookRequestFormat},
	KindWebhookResponse:        {reflect.TypeFor[WebhookResponse](), webhookResponseFormat},
	KindRequestList:            {reflect.TypeFor[RequestList](), requestListFormat},
	requests.KindAudited:       {reflect.TypeFor[requests.Audited](), requests.AuditFormat},
}

// structSchema is the schema of a struct with yaml tags. A field may be left out exactly when its
// tag says omitempty.
func structSchema(t reflect.Type, f requests.Format) *schema {
	s := &schema{Type: "object", AdditionalProperties: new(bool), Properties: map[string]*schema{},
		AllOf: conditions(t.Name())}
	for i := range t.NumField() {
		tag, options, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		rule, ok := f.Fields[t.Name()+"."+tag]
		if t == reflect.TypeFor[requests.Metadata]() {
			rule, ok = f.Name, true
		}
		if !ok {
			panic("policies: no format says anything about " + t.Name() + "." + tag)
		}
		field := typeSchema(t.Field(i).Type, rule, f)
		field.Description = rule.About
		s.Properties[tag] = field
		if options != "omitempty" {
			s.Required = append(s.Required, tag)
		}
	}
	return s
}

// typeSchema is the schema of a value of type t under what its format says of the field.
func typeSchema(t reflect.Type, rule requests.Field, f requests.Format) *schema {
	switch {
	case t == reflect.TypeFor[requests.Duration]():
		return &schema{Type: "string", Pattern: requests.DurationPattern}
	case t == reflect.TypeFor[requests.Days]():
		return &schema{Type: "string", Pattern: requests.DaysPattern}
	case t == reflect.TypeFor[requests.Day]():
		return &schema{Type: "string", Pattern: requests.DayPattern}
	case t == reflect.TypeFor[requests.Time]():
		return &schema{Type: "string", Pattern: requests.TimePattern}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeSchema(t.Elem(), rule, f)
	case reflect.Struct:
		if slices.Contains(nesting, t) {
			return &schema{Ref: "#/definitions/" + t.Name()}
		}
		return structSchema(t, f)
	case reflect.Map:
		return &schema{Type: "object", AdditionalProperties: new(bool), MinProperties: rule.Min,
			PatternProperties: map[string]*schema{
				rule.Form.Pattern: typeSchema(t.Elem(), requests.Field{Form: rule.Values}, f)}}
	case reflect.Slice:
		of := rule
		of.Min, of.Max = 0, 0
		of.Unique = false
		return &schema{Type: "array", Items: typeSchema(t.Elem(), of, f), MinItems: rule.Min,
			MaxItems: rule.Max, UniqueItems: rule.Unique}
	case reflect.Bool:
		return &schema{Type: "boolean"}
	case reflect.Int, reflect.Int64:
		return &schema{Type: "integer", Minimum: rule.Min, Maximum: rule.Max}
	case reflect.String:
		form := rule.Form
		s := &schema{Type: "string", Enum: form.Enum, Pattern: form.Pattern, MinLength: form.Min,
			MaxLength: form.Max}
		if form.Not != "" {
			s.Not = &schema{Pattern: form.Not}
		}
		return s
	}
	panic("policies: a format has a field of unsupported type " + t.String())
}

// conditions are the rules between fields of one type, which the loader has in code, by Go type.
func conditions(typeName string) []*schema {
	switch typeName {
	case "Party":
		return []*schema{
			when(PartyUser, &schema{Properties: map[string]*schema{"name": {Pattern: requests.LoginPattern}}}),
			when(PartyGroup, &schema{Properties: map[string]*schema{"name": {AnyOf: []*schema{
				{Pattern: GroupPattern}, {Pattern: orgTeamPattern},
			}}}}),
		}
	case "Denial":
		some := &schema{}
		for _, list := range denialLists {
			some.AnyOf = append(some.AnyOf, &schema{Required: []string{list}})
		}
		return []*schema{some}
	case "RequestSpec":
		return []*schema{{Not: &schema{Required: []string{"duration", "until"}}},
			{Not: &schema{Required: []string{"notBefore", "extends"}}},
			notAtOnce("notBefore"), notAtOnce("extends")}
	case "Exec":
		return []*schema{eitherOf("pod", "deployment")}
	case "Wish":
		return []*schema{{
			If:   &schema{Properties: map[string]*schema{"decision": {Const: Allowed.String()}}},
			Then: &schema{Not: &schema{Required: []string{"code"}}},
			Else: &schema{Required: []string{"code"}},
		}}
	case "RoleRule":
		return []*schema{
			{If: &schema{Required: []string{"nonResourceURLs"}},
				Then: &schema{Not: &schema{AnyOf: []*schema{
					{Required: []string{"apiGroups"}}, {Required: []string{"resources"}},
					{Required: []string{"resourceNames"}}}}}},
			{If: &schema{Not: &schema{Required: []string{"nonResourceURLs"}}},
				Then: &schema{Required: []string{"apiGroups", "resources"}}},
		}
	case "PolicySpec":
		return []*schema{{If: &schema{Not: is("allowWithoutReview", true)},
			Then: &schema{Properties: map[string]*schema{"challenges": {MinItems: 1}}}}}
	case "Challenge":
		return append(kindConditions(reflect.TypeFor[Challenge](), challengeFields()),
			when(OnCall, oneOf(onCallSources)))
	case "GrantSpec":
		return append(kindConditions(reflect.TypeFor[GrantSpec](), grantFields()),
			grantConditions()...)
	case "ResourceSpec":
		return []*schema{{If: &schema{Required: []string{"resource"}, Properties: map[string]*schema{
			"resource": {Pattern: requests.UnmatchedPattern}}}, Then: exactOnly()}}
	case "Target":
		return targetConditions()
	}
	return nil
}

// grantConditions are the checks of kinds of grants that are about several fields.
func grantConditions() (all []*schema) {
	for _, kind := range grantKinds() {
		if kind.fields.has("roles") {
			all = append(all, when(kind.name, eitherOf("roleRef", "roles")))
		}
	}
	any := is("anyCommand", true)
	all = append(all, when(requests.KubernetesResourceRole, eitherOf("allowedNamespaces",
		"scope")), &schema{If: &schema{Required: []string{"scope"}},
		Then: &schema{Not: &schema{Required: []string{"defaultNamespace"}},
			Properties: map[string]*schema{"resources": {Items: &schema{Required: []string{"verbs"},
				Not: exactOnly().Not, Properties: map[string]*schema{"resource": {Not: &schema{Pattern: neverHeld}},
					"verbs": {Items: &schema{Enum: heldVerbs}}}}}}}})
	most := &schema{Properties: map[string]*schema{"commands": {Items: &schema{MinItems: 1,
		MaxItems: requests.MaxArguments}}}}
	all = append(all, most)
	input := &schema{If: is("terminal", true), Then: is("stdin", true)}
	return append(all, input, when(requests.KubernetesExec, &schema{
		AnyOf: []*schema{{Required: []string{"pods"}}, {Required: []string{"deployments"}}}}), when(
		requests.KubernetesExec,
		&schema{If: any, Then: &schema{Not: &schema{Required: []string{"commands"}}},
			Else: &schema{Required: []string{"commands"}}}))
}

func targetConditions() []*schema {
	var all []*schema
	for _, kind := range grantKinds() {
		if kind.wide {
			all = append(all, &schema{If: &schema{Required: []string{"grants"},
				Properties: map[string]*schema{
					"grants": {Contains: is("kind", kind.name)}}},
				Then: is("mode", requests.ModeImpersonate)})
		}
	}
	all = append(all, &schema{If: &schema{Required: []string{"grants"},
		Properties: map[string]*schema{
			"grants": {Contains: &schema{Required: []string{"scope"}}}}},
		Then: is("mode", requests.ModeImpersonate)})
	return append(all, &schema{If: is("backstop", BackstopOptional), Then: &schema{
		Not: is("mode", requests.ModeImpersonate), Properties: map[string]*schema{"grants": {
			Items: is("kind", requests.KubernetesRoleBinding)}}}})
}

// eitherOf holds of an object that has one of two fields.
func eitherOf(a, b string) *schema {
	both := []*schema{{Required: []string{a}}, {Required: []string{b}}}
	return &schema{AnyOf: both, Not: &schema{AllOf: both}}
}

// oneOf holds of an object that has exactly one of some fields.
func oneOf(fields []string) *schema {
	all := &schema{}
	for _, field := range fields {
		all.OneOf = append(all.OneOf, &schema{Required: []string{field}})
	}
	return all
}

// exactOnly holds of objects that are given by their exact names.
func exactOnly() *schema {
	return &schema{Not: &schema{AnyOf: []*schema{is("patterns", true), is("selectors", true)}}}
}

// is holds of an object whose field has that value.
func is(field string, value any) *schema {
	return &schema{Required: []string{field}, Properties: map[string]*schema{field: {Const: value}}}
}

func when(kind string, then *schema) *schema {
	return &schema{If: &schema{Required: []string{"kind"}, Properties: map[string]*schema{
		"kind": {Const: kind}}}, Then: then}
}
