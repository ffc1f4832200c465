package requests

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// Format is a kind of file: what the loader checks and its JSON Schema shows, told once.
type Format struct {
	Kind   string // as the file says it
	About  string // one or two sentences for people
	Name   Field  // what metadata.name may be
	Fields Fields
}

// Fields hold one Field for each field of a format, by Go type and YAML name, as in
// RequestSpec.cluster. Every field has one; which must be set is in its tag: those without
// omitempty.
type Fields map[string]Field

// With is these fields and those of other types.
func (f Fields) With(others ...Fields) Fields {
	all := maps.Clone(f)
	for _, other := range others {
		maps.Copy(all, other)
	}
	return all
}

// Field is what a format says of one field beyond its Go type.
type Field struct {
	About string
	Form  Form // of a text, of each text of a list, or of each key of a mapping
	// Values is the form of each text that a mapping has under its keys.
	Values Form
	Min    int // a number's value, a list's or a mapping's items; 0 for no bound
	Max    int
	// Rule and Says are the finding about a number out of bounds.
	Rule, Says string
	Unique     bool // no item of a list stands twice; the loader compares as the thing named does
}

// Form is the form of a text: a check for the loader, and for the schema the same as a pattern or a
// list of values.
type Form struct {
	Rule  string              // of the finding
	Check func(string) string // what is wrong with a text, or nothing; nil where only the whole file tells

	Pattern  string
	Not      string // pattern that it may not match
	Min, Max int    // characters; 0 for no bound
	Enum     []string
}

// OneOf is the form of a text of which there are a few.
func OneOf(rule string, values ...string) Form { return oneOf(rule, "", values) }

// OneOfBecause is OneOf with the reason why there are so few.
func OneOfBecause(rule, why string, values ...string) Form {
	return oneOf(rule, " ("+why+
		")", values)
}

func oneOf(rule, why string, values []string) Form {
	return Form{Rule: rule, Enum: values, Check: func(s string) string {
		if slices.Contains(values, s) {
			return ""
		}
		return "allowed: " + strings.Join(values, ", ") + why
	}}
}

// Forms of names.
var (
	FormName    = Form{Rule: "name", Pattern: NamePattern, Check: CheckName}
	FormLogin   = Form{Rule: "login", Pattern: LoginPattern, Check: CheckLogin}
	FormSubject = Form{Rule: "subject", Pattern: SubjectPattern, Not: "^system:",
		Check: CheckSubject}
	FormRole   = Form{Rule: "role", Pattern: RolePattern, Check: CheckRole}
	FormReason = Form{Rule: "reason", Pattern: ReasonPattern, Min: MinReason, Max: MaxReason,
		Check: CheckReason}
	FormDigest = Form{Rule: "digest", Pattern: DigestPattern, Check: func(s string) string {
		return mustMatch(digestPattern, s, "sha256: and 64 hexadecimal digits")
	}}
)

// Conform records what in a file that was decoded is not as its format says.
func (d *Document) Conform(f Format, value any) {
	d.conform(f, reflect.ValueOf(value), "")
	if d.Has("apiVersion") {
		version := reflect.ValueOf(value).FieldByName("APIVersion").String()
		if version != APIVersion {
			d.Add("apiVersion", "api-version", "apiVersion is %s; allowed: %s", Quote(version),
				APIVersion)
		}
	}
	if kind := reflect.ValueOf(value).FieldByName("Kind").String(); kind != f.Kind &&
		d.Has("kind") {
		d.Add("kind", "kind", "kind is %s; here it must be %s", Quote(kind), f.Kind)
	}
}

// conform looks at every field of a struct that the file sets, and at those that it must set.
func (d *Document) conform(f Format, v reflect.Value, at string) {
	t := v.Type()
	for i, its := range fieldsOf(t) {
		path := below(at, its.name)
		field := f.Fields[its.key]
		if t == reflect.TypeFor[Metadata]() {
			field = f.Name
		}
		if !d.Has(path) {
			d.missing(f, t.Field(i).Type, path, its.optional)
			continue
		}
		d.value(f, field, v.Field(i), path)
	}
}

// missing records that a field must be set, and with a mapping also what must be in it. Of metadata
// only that is of use.
func (d *Document) missing(f Format, t reflect.Type, path string, optional bool) {
	if optional {
		return
	}
	if t != reflect.TypeFor[Metadata]() {
		d.Require(path)
	}
	if t.Kind() == reflect.Struct && !isText(t) {
		d.conform(f, reflect.Zero(t), path)
	}
}

func isText(t reflect.Type) bool {
	_, ok := reflect.New(t).Interface().(textUnmarshaler)
	return ok
}

func (d *Document) value(f Format, field Field, v reflect.Value, path string) {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch {
	case isText(v.Type()): // it was read, so it is in form
	case v.Kind() == reflect.Struct:
		d.conform(f, v, path)
	case v.Kind() == reflect.Slice:
		if field.Min > 0 {
			d.NotEmpty(path, v.Len())
		}
		if field.Max > 0 && v.Len() > field.Max {
			d.Add(path, "too-many", "%s has %d entries; at most %d", path, v.Len(), field.Max)
		}
		item := field
		item.Min, item.Max, item.Unique = 0, 0, false
		for i := range v.Len() {
			if field.Unique && v.Index(i).Kind() == reflect.String &&
				repeated(v, i) {
				d.Check(fmt.Sprintf("%s[%d]", path, i), "duplicate", v.Index(i).String(),
					"it stands in this list twice")
			}
			d.value(f, item, v.Index(i), fmt.Sprintf("%s[%d]", path, i))
		}
	case v.Kind() == reflect.Map:
		if field.Min > 0 {
			d.NotEmpty(path, v.Len())
		}
		for _, key := range v.MapKeys() {
			at := path + "." + key.String()
			d.Check(at, field.Form.Rule, key.String(), field.Form.Check(key.String()))
			d.value(f, Field{Form: field.Values}, v.MapIndex(key), at)
		}
	case v.Kind() == reflect.String:
		if field.Form.Check != nil {
			d.Check(path, field.Form.Rule, v.String(), field.Form.Check(v.String()))
		}
	case v.CanInt():
		if n := int(v.Int()); field.Min > 0 && n < field.Min || field.Max > 0 && n > field.Max {
			d.Check(path, field.Rule, fmt.Sprint(n), field.Says)
		}
	}
}

// repeated tells whether an entry of a list stands in it before.
func repeated(list reflect.Value, at int) bool {
	for i := range at {
		if list.Index(i).Equal(list.Index(at)) {
			return true
		}
	}
	return false
}

// below is the path of a field of what stands at a path.
func below(path, field string) string {
	if path == "" {
		return field
	}
	return path + "." + field
}

// structField is a field as its file has it.
type structField struct {
	name     string
	key      string // in a Format
	optional bool
}

var structFields sync.Map // of []structField by reflect.Type

// fieldsOf are the fields of a struct in their order.
func fieldsOf(t reflect.Type) []structField {
	if known, ok := structFields.Load(t); ok {
		return known.([]structField)
	}
	var fields []structField
	for i := range t.NumField() {
		name, options, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		fields = append(fields, structField{name, t.Name() + "." + name, options == "omitempty"})
	}
	structFields.Store(t, fields)
	return fields
}
