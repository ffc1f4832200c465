package openapi

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Encode turns an answer into JSON. Of a described operation it is completed with every field
// that the description requires and that value says nothing of.
func (c *Contract) Encode(route *Route, status int, value any) ([]byte, error) {
	if route == nil {
		return json.Marshal(value)
	}
	schema, ok := c.github.find(route.operation,
		"responses", strconv.Itoa(status), "content", "application/json", "schema")
	if !ok {
		return json.Marshal(value)
	}
	list, isList := value.([]any)
	of, plain := c.github.find(schema, "items")
	if !isList || !plain {
		return c.complete(schema, value)
	}
	items := make([][]byte, 0, len(list))
	for _, item := range list {
		data, err := c.complete(of, item)
		if err != nil {
			return nil, err
		}
		items = append(items, data)
	}
	return slices.Concat([]byte("["), bytes.Join(items, []byte(",")), []byte("]")), nil
}

// maxCompleted bounds how many values are remembered.
const maxCompleted = 500

// complete encodes a value, completed by its schema. It is remembered, for a list has most of its
// items again each time it is asked for, and completing them is most of what an answer costs.
func (c *Contract) complete(schema place, value any) ([]byte, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	key := schema.pointer + " " + string(data)
	c.mu.Lock()
	known, ok := c.completed[key]
	c.mu.Unlock()
	if ok {
		return known, nil
	}
	// Not json.Unmarshal, in which numbers beyond 2^53 are not exact.
	whole, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	if data, err = json.Marshal(c.github.fill(schema.object, whole)); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.completed == nil || len(c.completed) >= maxCompleted {
		c.completed = map[string][]byte{}
	}
	c.completed[key] = data
	return data, nil
}

// fill completes one value against one schema, in place, and returns it.
func (d *description) fill(schema object, value any) any {
	schema = d.resolve(schema)
	for _, part := range d.list(schema, "allOf") {
		value = d.fill(part, value)
	}
	options := slices.Concat(d.list(schema, "anyOf"), d.list(schema, "oneOf"))
	if best := d.closest(options, value); best != nil {
		value = d.fill(best, value)
	}
	switch v := value.(type) {
	case object:
		properties, _ := schema["properties"].(object)
		required, _ := schema["required"].([]any)
		for name, property := range properties {
			if present, ok := v[name]; ok {
				v[name] = d.fill(property.(object), present)
			} else if slices.Contains(required, any(name)) {
				v[name] = d.blank(property.(object))
			}
		}
	case []any:
		if items, ok := schema["items"].(object); ok {
			for i := range v {
				v[i] = d.fill(items, v[i])
			}
		}
	}
	return value
}

// resolve is the schema that a reference leads to, and any other as it is.
func (d *description) resolve(schema object) object {
	return d.follow(place{object: schema}).object
}

// list is the schemas under a keyword.
func (d *description) list(schema object, keyword string) (all []object) {
	parts, _ := schema[keyword].([]any)
	for _, part := range parts {
		all = append(all, d.resolve(part.(object)))
	}
	return all
}

// closest picks the alternative that knows most of the value's fields and demands fewest others.
func (d *description) closest(options []object, value any) object {
	fields, ok := value.(object)
	if !ok {
		return nil
	}
	var best object
	score := 0
	for _, option := range options {
		properties, required := d.flatten(option)
		s := 0
		for name, field := range fields {
			if p, known := properties[name].(object); known {
				s += 4
				words, ok := d.resolve(p)["enum"].([]any)
				if ok && !slices.Contains(words, field) {
					s -= 1000
				}
			}
		}
		for _, name := range required {
			if _, present := fields[name.(string)]; !present {
				s--
			}
		}
		if best == nil || s > score {
			best, score = option, s
		}
	}
	return best
}

// flatten collects the fields of a schema through its allOf parts.
func (d *description) flatten(schema object) (properties object, required []any) {
	properties = object{}
	for _, part := range d.list(schema, "allOf") {
		more, demanded := d.flatten(part)
		maps.Copy(properties, more)
		required = append(required, demanded...)
	}
	own, _ := schema["properties"].(object)
	maps.Copy(properties, own)
	demanded, _ := schema["required"].([]any)
	return properties, append(required, demanded...)
}

// blank is the emptiest value a schema accepts.
func (d *description) blank(schema object) any {
	schema = d.resolve(schema)
	if schema["nullable"] == true {
		return nil
	}
	if words, ok := schema["enum"].([]any); ok {
		return words[0]
	}
	for _, keyword := range []string{"allOf", "anyOf", "oneOf"} {
		if parts := d.list(schema, keyword); len(parts) > 0 {
			return d.blank(parts[0])
		}
	}
	switch schema["type"] {
	case "string":
		switch schema["format"] {
		case "date-time":
			return "2020-01-01T00:00:00Z"
		case "uri":
			return "https://example.com/"
		}
		return ""
	case "boolean":
		return false
	case "integer", "number":
		if least, ok := schema["minimum"]; ok {
			return least
		}
		return 0
	case "array":
		return []any{}
	}
	return d.fill(schema, object{})
}
