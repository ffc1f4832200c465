package openapi

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

//go:embed github-openapi-subset.json
var file []byte

// object is a JSON object.
type object = map[string]any

// description is GitHub's description of its API, and its schemas as far as they were compiled.
type description struct {
	root object

	mu       sync.Mutex
	compiler *jsonschema.Compiler // of the same document, in the words of JSON Schema
}

// document is the name under which the compiler knows the description.
const document = "https://api.github.com/openapi.json"

// parsed is read once: it takes longer than a whole test.
var parsed = sync.OnceValues(func() (*description, error) {
	root, err := read()
	if err != nil {
		return nil, err
	}
	again, err := read()
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	compiler.RegisterFormat(&jsonschema.Format{Name: "int64", Validate: checkInt64})
	if err := compiler.AddResource(document, translate(again)); err != nil {
		return nil, err
	}
	return &description{root: root, compiler: compiler}, nil
})

func read() (object, error) {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	d := description{root: value.(object)}
	// GitHub sends null for a fork that is gone; only its description of webhooks says so.
	for _, pull := range []string{"pull-request", "pull-request-simple"} {
		head, ok := d.find(d.top(),
			"components", "schemas", pull, "properties", "head", "properties")
		if !ok {
			return nil, fmt.Errorf("the schema %s has no head", pull)
		}
		head.object["repo"] = object{"nullable": true, "allOf": []any{head.object["repo"]}}
	}
	return d.root, nil
}

// translate gives schemas of OpenAPI 3.0 the words of JSON Schema. Null is a type like the others
// there (https://spec.openapis.org/oas/v3.0.3#schema-nullable), and which alternative a field
// names is said of each alternative (https://spec.openapis.org/oas/v3.0.3#discriminator-object).
// Everything else that the description uses means the same in both.
func translate(value any) any {
	switch v := value.(type) {
	case []any:
		for i := range v {
			v[i] = translate(v[i])
		}
	case object:
		for key := range v {
			v[key] = translate(v[key])
		}
		if chooser, ok := v["discriminator"].(object); ok {
			v["oneOf"] = chosen(chooser)
		}
		if v["nullable"] == true {
			return object{"anyOf": []any{object{"type": "null"}, v}}
		}
	}
	return value
}

// chosen are the alternatives of a discriminator, each with the word in its field that chooses it.
func chosen(discriminator object) (alternatives []any) {
	field := discriminator["propertyName"].(string)
	for word, reference := range discriminator["mapping"].(object) {
		chooses := object{
			"required":   []any{field},
			"properties": object{field: object{"const": word}},
		}
		alternatives = append(alternatives,
			object{"allOf": []any{object{"$ref": reference}, chooses}})
	}
	return alternatives
}

// checkInt64 is for a format that only OpenAPI knows: a number that fits into 64 bits.
func checkInt64(value any) error {
	number, ok := value.(json.Number)
	if !ok {
		return nil // whether it is a number at all is checked by the keyword type
	}
	_, err := strconv.ParseInt(number.String(), 10, 64)
	return err
}

// place is an object in the description, with the JSON pointer that leads to it.
type place struct {
	pointer string
	object  object
}

func (d *description) top() place { return place{"", d.root} }

// find goes down from a place, key by key and through references.
func (d *description) find(from place, keys ...string) (place, bool) {
	for _, key := range keys {
		below, ok := from.object[key].(object)
		if !ok {
			return place{}, false
		}
		from = d.follow(place{from.pointer + "/" + escape.Replace(key), below})
	}
	return from, true
}

// escape writes a key as a part of a JSON pointer (RFC 6901).
var escape = strings.NewReplacer("~", "~0", "/", "~1")

// follow gives what a reference leads to, and anything else as it is.
func (d *description) follow(p place) place {
	reference, ok := p.object["$ref"].(string)
	if !ok {
		return p
	}
	keys := strings.Split(strings.TrimPrefix(reference, "#/"), "/")
	found, ok := d.find(d.top(), keys...) // no key of a component needs an escape
	if !ok {
		panic("GitHub's description has no " + reference)
	}
	return found
}

// check holds a JSON value to a schema.
func (d *description) check(schema place, value any) error {
	at := (&url.URL{Path: schema.pointer}).EscapedPath()
	d.mu.Lock()
	compiled, err := d.compiler.Compile(document + "#" + at)
	d.mu.Unlock()
	if err != nil {
		return err
	}
	return compiled.Validate(value)
}

// checkText holds what stands in an address or a header to a schema, which is of a plain type.
func (d *description) checkText(schema place, text string) error {
	var value any = text
	if schema.object["type"] != "string" {
		var err error
		if value, err = jsonschema.UnmarshalJSON(strings.NewReader(text)); err != nil {
			return fmt.Errorf("%q is no %v", text, schema.object["type"])
		}
	}
	return d.check(schema, value)
}
