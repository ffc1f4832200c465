// Package openapi holds what servers that stand in for GitHub say and are told against GitHub's own description of its
// REST API.
package openapi

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

//go:embed github-openapi-subset.json
var description []byte

func init() {
	for _, mime := range []string{"application/vnd.github.v3+json", "application/vnd.github+json"} {
		openapi3filter.RegisterBodyDecoder(mime, openapi3filter.JSONBodyDecoder)
	}
}

// Contract is GitHub's description of its own API, and what was found to differ from it.
type Contract struct {
	spec *openapi3.T

	mu         sync.Mutex
	violations []string
}

// parsed is read once: it takes longer than a whole test.
var parsed = sync.OnceValues(func() (*openapi3.T, error) {
	spec, err := openapi3.NewLoader().LoadFromData(description)
	if err != nil {
		return nil, err
	}
	// GitHub sends null for a fork that is gone; only its description of webhooks says so.
	for _, pull := range []string{"pull-request", "pull-request-simple"} {
		head := spec.Components.Schemas[pull].Value.Properties["head"].Value
		repository := *head.Properties["repo"].Value
		repository.Nullable = true
		head.Properties["repo"] = openapi3.NewSchemaRef("", &repository)
	}
	return spec, nil
})

// Load gives a contract that nothing was held against yet.
func Load() (*Contract, error) {
	spec, err := parsed()
	if err != nil {
		return nil, fmt.Errorf("read GitHub's OpenAPI description: %w", err)
	}
	return &Contract{spec: spec}, nil
}

// Violations lists what was found so far: every request that the description does not allow, and what Violation was told.
func (c *Contract) Violations() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.violations)
}

// Violation notes something that GitHub would not take or say.
func (c *Contract) Violation(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.violations = append(c.violations, fmt.Sprintf(format, args...))
}

// Route finds the operation of a path template, or nil for what GitHub offers but does not describe.
func (c *Contract) Route(method, path string) *routers.Route {
	item := c.spec.Paths.Value(path)
	if item == nil || item.GetOperation(method) == nil {
		return nil
	}
	return &routers.Route{Spec: c.spec, Path: path, PathItem: item, Method: method, Operation: item.GetOperation(method)}
}

// Moved is a route under another path than the description's: the answer is the same, the parameters are not.
func Moved(route *routers.Route, path string) *routers.Route {
	operation := *route.Operation
	operation.Parameters = nil
	return &routers.Route{Spec: route.Spec, Path: path, PathItem: &openapi3.PathItem{}, Method: route.Method, Operation: &operation}
}

// Exchange is one call on its way through the contract.
type Exchange struct {
	input *openapi3filter.RequestValidationInput
}

// Request checks what the client sent; body is the whole request body.
func (c *Contract) Request(route *routers.Route, r *http.Request, body []byte) *Exchange {
	if bytes.HasPrefix(body, []byte("[")) && strings.HasSuffix(route.Path, "/labels") {
		// "You can also pass an array of labels directly", says the description's text; its schema does not.
		body = slices.Concat([]byte(`{"labels":`), body, []byte("}"))
	}
	if string(bytes.TrimSpace(body)) == "null" && route.Operation.RequestBody != nil && !route.Operation.RequestBody.Value.Required {
		body = nil // go-github's way to send no options, which GitHub takes
	}
	clone := r.Clone(r.Context())
	clone.Body = io.NopCloser(bytes.NewReader(body))
	params := map[string]string{}
	for _, segment := range strings.Split(route.Path, "/") {
		if name, found := strings.CutPrefix(segment, "{"); found {
			name = strings.TrimSuffix(strings.TrimSuffix(name, "}"), ":.+")
			params[name] = r.PathValue(name)
		}
	}
	x := &Exchange{&openapi3filter.RequestValidationInput{
		Request: clone, PathParams: params, Route: route,
		Options: &openapi3filter.Options{MultiError: true, IncludeResponseStatus: true, SkipSettingDefaults: true},
	}}
	if err := openapi3filter.ValidateRequest(r.Context(), x.input); err != nil {
		c.Violation("request %s %s: %v", r.Method, r.URL, err)
	}
	return x
}

// Response checks what is to be answered; the error says what GitHub would not. Refusals that GitHub gives on any
// operation without describing them there (wrong token, missing right, rate limit, trouble) are not held against it.
func (x *Exchange) Response(status int, header http.Header, body []byte) error {
	if status >= 400 && x.input.Route.Operation.Responses.Status(status) == nil {
		return nil
	}
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: x.input, Status: status, Header: header, Options: x.input.Options,
	}
	input.SetBodyBytes(body)
	if err := openapi3filter.ValidateResponse(x.input.Request.Context(), input); err != nil {
		return fmt.Errorf("response %d of %s %s: %w\n%.2000s", status, x.input.Request.Method, x.input.Request.URL, err, body)
	}
	return nil
}

// Encode turns an answer into JSON. Of a described operation it is completed with every field that the description
// requires and that value says nothing of.
func (c *Contract) Encode(route *routers.Route, status int, value any) ([]byte, error) {
	data, err := json.Marshal(value)
	if err != nil || route == nil {
		return data, err
	}
	var whole any
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber() // ids beyond 2^53 stay exact
	if err := decoder.Decode(&whole); err != nil {
		return nil, err
	}
	return json.Marshal(complete(route, status, whole))
}

// complete adds the missing fields to value, in place, and returns it.
func complete(route *routers.Route, status int, value any) any {
	response := route.Operation.Responses.Status(status)
	if response == nil || response.Value.Content.Get("application/json") == nil {
		return value
	}
	return fill(response.Value.Content.Get("application/json").Schema.Value, value)
}

// fill completes one value against one schema.
func fill(schema *openapi3.Schema, value any) any {
	for _, part := range schema.AllOf {
		value = fill(part.Value, value)
	}
	if options := slices.Concat(schema.AnyOf, schema.OneOf); len(options) > 0 && value != nil {
		if best := closest(options, value); best != nil {
			value = fill(best, value)
		}
	}
	switch v := value.(type) {
	case map[string]any:
		for name, property := range schema.Properties {
			if present, ok := v[name]; ok {
				v[name] = fill(property.Value, present)
			} else if slices.Contains(schema.Required, name) {
				v[name] = blank(property.Value)
			}
		}
	case []any:
		if schema.Items != nil {
			for i := range v {
				v[i] = fill(schema.Items.Value, v[i])
			}
		}
	}
	return value
}

// closest picks the alternative that knows most of the value's fields and demands fewest others.
func closest(options openapi3.SchemaRefs, value any) *openapi3.Schema {
	object, ok := value.(map[string]any)
	if !ok {
		return nil
	}
	var best *openapi3.Schema
	score := 0
	for _, option := range options {
		properties, required := flatten(option.Value)
		s := 0
		for name, field := range object {
			if p, known := properties[name]; known {
				s += 4
				if p.Value.Enum != nil && !slices.Contains(p.Value.Enum, field) {
					s -= 1000
				}
			}
		}
		for _, name := range required {
			if _, present := object[name]; !present {
				s--
			}
		}
		if best == nil || s > score {
			best, score = option.Value, s
		}
	}
	return best
}

// flatten collects the fields of a schema through its allOf parts.
func flatten(schema *openapi3.Schema) (openapi3.Schemas, []string) {
	properties, required := openapi3.Schemas{}, slices.Clone(schema.Required)
	for name, p := range schema.Properties {
		properties[name] = p
	}
	for _, part := range schema.AllOf {
		p, r := flatten(part.Value)
		for name, schema := range p {
			properties[name] = schema
		}
		required = append(required, r...)
	}
	return properties, required
}

// blank is the emptiest value a schema accepts.
func blank(schema *openapi3.Schema) any {
	switch {
	case schema.Nullable:
		return nil
	case len(schema.Enum) > 0:
		return schema.Enum[0]
	case len(schema.AllOf) > 0:
		return blank(schema.AllOf[0].Value)
	case len(schema.AnyOf) > 0:
		return blank(schema.AnyOf[0].Value)
	case len(schema.OneOf) > 0:
		return blank(schema.OneOf[0].Value)
	case schema.Type.Is("string"):
		switch schema.Format {
		case "date-time":
			return "2020-01-01T00:00:00Z"
		case "uri":
			return "https://example.com/"
		}
		return ""
	case schema.Type.Is("boolean"):
		return false
	case schema.Type.Is("integer"), schema.Type.Is("number"):
		if schema.Min != nil {
			return *schema.Min
		}
		return 0
	case schema.Type.Is("array"):
		return []any{}
	}
	return fill(schema, map[string]any{})
}
