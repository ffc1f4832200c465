package forge

import (
	"bytes"
	_ "embed"
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

//go:embed openapi/github-openapi-subset.json
var openAPI []byte

// contract is GitHub's description of its own API, and what was found to differ from it.
type contract struct {
	spec *openapi3.T

	mu         sync.Mutex
	violations []string
}

// parsedOpenAPI is read once: it takes longer than a whole test.
var parsedOpenAPI = sync.OnceValues(func() (*openapi3.T, error) {
	return openapi3.NewLoader().LoadFromData(openAPI)
})

func loadContract() (*contract, error) {
	spec, err := parsedOpenAPI()
	if err != nil {
		return nil, fmt.Errorf("read GitHub's OpenAPI description: %w", err)
	}
	return &contract{spec: spec}, nil
}

// Violations lists every call so far that GitHub's OpenAPI description does not know or does not allow: requests of the
// client under test, and answers of the forge itself. Empty unless Options.Contract is set.
func (f *Forge) Violations() []string {
	f.contract.mu.Lock()
	defer f.contract.mu.Unlock()
	return slices.Clone(f.contract.violations)
}

func (c *contract) violation(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.violations = append(c.violations, fmt.Sprintf(format, args...))
}

// route finds the operation of a path template, or nil for what GitHub offers but does not describe.
func (c *contract) route(method, path string) *routers.Route {
	item := c.spec.Paths.Value(path)
	if item == nil || item.GetOperation(method) == nil {
		return nil
	}
	return &routers.Route{Spec: c.spec, Path: path, PathItem: item, Method: method, Operation: item.GetOperation(method)}
}

// moved is a route under another path than the description's: the answer is the same, the parameters are not.
func moved(route *routers.Route, path string) *routers.Route {
	operation := *route.Operation
	operation.Parameters = nil
	return &routers.Route{Spec: route.Spec, Path: path, PathItem: &openapi3.PathItem{}, Method: route.Method, Operation: &operation}
}

// validation is one call on its way through the contract.
type validation struct {
	contract *contract
	input    *openapi3filter.RequestValidationInput
}

// request checks what the client sent; body is the whole request body.
func (c *contract) request(route *routers.Route, r *http.Request, body []byte) *validation {
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
	v := &validation{c, &openapi3filter.RequestValidationInput{
		Request: clone, PathParams: params, Route: route,
		Options: &openapi3filter.Options{MultiError: true, IncludeResponseStatus: true, SkipSettingDefaults: true},
	}}
	if err := openapi3filter.ValidateRequest(r.Context(), v.input); err != nil {
		c.violation("request %s %s: %v", r.Method, r.URL, err)
	}
	return v
}

// response checks what the forge answers. Refusals that GitHub gives on any operation without describing them there
// (wrong token, missing right, rate limit, trouble) are not held against it.
func (v *validation) response(status int, header http.Header, body []byte) {
	if status >= 400 && v.input.Route.Operation.Responses.Status(status) == nil {
		return
	}
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: v.input, Status: status, Header: header, Options: v.input.Options,
	}
	input.SetBodyBytes(body)
	if err := openapi3filter.ValidateResponse(v.input.Request.Context(), input); err != nil {
		v.contract.violation("response %d of %s %s: %v\n%.2000s", status, v.input.Request.Method, v.input.Request.URL, err, body)
	}
}

// complete adds to value, in place, every field that the description requires of this answer and that the forge has no
// opinion on. It returns the completed value.
func (c *contract) complete(route *routers.Route, status int, value any) any {
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
