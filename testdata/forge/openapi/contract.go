// Package openapi holds what servers that stand in for GitHub say and are told against GitHub's
// own description of its REST API.
package openapi

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Contract is GitHub's description of its own API, and what was found to differ from it.
type Contract struct {
	github *description

	mu         sync.Mutex
	violations []string
	completed  map[string][]byte // by schema and value
}

// Load gives a contract that nothing was held against yet.
func Load() (*Contract, error) {
	github, err := parsed()
	if err != nil {
		return nil, fmt.Errorf("read GitHub's OpenAPI description: %w", err)
	}
	return &Contract{github: github}, nil
}

// Violations lists what was found so far: every request that the description does not allow, and
// what Violation was told.
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

// Route is one operation of the description, and the path under which it is served.
type Route struct {
	path       string
	operation  place
	parameters []place
}

// Route finds the operation of a path template, or nil for what GitHub offers but does not
// describe.
func (c *Contract) Route(method, path string) *Route {
	operation, ok := c.github.find(c.github.top(), "paths", path, strings.ToLower(method))
	if !ok {
		return nil
	}
	r := &Route{path: path, operation: operation}
	all, _ := operation.object["parameters"].([]any)
	for i, parameter := range all {
		at := place{fmt.Sprintf("%s/parameters/%d", operation.pointer, i), parameter.(object)}
		r.parameters = append(r.parameters, c.github.follow(at))
	}
	return r
}

// Moved is a route under another path than the description's: the answer is the same, the
// parameters are not.
func Moved(route *Route, path string) *Route {
	return &Route{path: path, operation: route.operation}
}

// Exchange is one call on its way through the contract.
type Exchange struct {
	github  *description
	route   *Route
	request string // for messages
}

// Request checks what the client sent; body is the whole request body.
func (c *Contract) Request(route *Route, r *http.Request, body []byte) *Exchange {
	x := &Exchange{c.github, route, fmt.Sprintf("%s %s", r.Method, r.URL)}
	var problems []error
	for _, parameter := range route.parameters {
		problems = append(problems, x.parameter(parameter, r))
	}
	problems = append(problems, x.requestBody(r.Header, body))
	if err := errors.Join(problems...); err != nil {
		c.Violation("request %s: %v", x.request, err)
	}
	return x
}

// parameter checks one parameter of a request. The description has them in paths and queries only.
func (x *Exchange) parameter(p place, r *http.Request) error {
	name := p.object["name"].(string)
	values := r.URL.Query()[name]
	if p.object["in"] == "path" {
		values = []string{r.PathValue(name)}
	}
	if len(values) == 0 {
		if p.object["required"] == true {
			return fmt.Errorf("the parameter %q is missing", name)
		}
		return nil
	}
	schema, _ := x.github.find(p, "schema")
	if err := x.github.checkText(schema, values[0]); err != nil {
		return fmt.Errorf("the parameter %q: %w", name, err)
	}
	return nil
}

func (x *Exchange) requestBody(header http.Header, body []byte) error {
	described, ok := x.github.find(x.route.operation, "requestBody")
	if !ok {
		return nil
	}
	required := described.object["required"] == true
	if bytes.HasPrefix(body, []byte("[")) && strings.HasSuffix(x.route.path, "/labels") {
		// "You can also pass an array of labels directly", says the description's text; its
		// schema does not.
		body = slices.Concat([]byte(`{"labels":`), body, []byte("}"))
	}
	switch empty := len(body) == 0; {
	case empty && required:
		return errors.New("the body is missing")
	case empty, !required && string(bytes.TrimSpace(body)) == "null":
		return nil // null is go-github's way to send no options, which GitHub takes
	}
	return x.body(described, header, body)
}

// body checks a body against what is described of it, by its type.
func (x *Exchange) body(described place, header http.Header, body []byte) error {
	content, ok := x.github.find(described, "content")
	if !ok {
		return nil
	}
	kind, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		return fmt.Errorf("the type of the body: %w", err)
	}
	typed, ok := x.github.find(content, kind)
	if !ok {
		return fmt.Errorf("the body is of the type %s", kind)
	}
	schema, ok := x.github.find(typed, "schema")
	if !ok {
		return nil
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("the body is no JSON: %w", err)
	}
	return x.github.check(schema, value)
}

// Response checks what is to be answered; the error says what GitHub would not. Refusals that
// GitHub gives on any operation without describing them there (wrong token, missing right, rate
// limit, trouble) are not held against it.
func (x *Exchange) Response(status int, header http.Header, body []byte) error {
	described, ok := x.github.find(x.route.operation, "responses", strconv.Itoa(status))
	switch {
	case !ok && status >= 400:
		return nil
	case !ok:
		return fmt.Errorf("response %d of %s: there is no such answer", status, x.request)
	}
	problems := []error{x.body(described, header, body)}
	headers, _ := x.github.find(described, "headers")
	for name := range headers.object {
		schema, _ := x.github.find(headers, name, "schema")
		if text := header.Get(name); text != "" {
			problems = append(problems, x.github.checkText(schema, text))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("response %d of %s: %w\n%.2000s", status, x.request, err, body)
	}
	return nil
}
