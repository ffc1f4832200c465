package main

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// writeYAML writes what writeJSON does as YAML, with its names and in its order. Every character that
// a terminal could obey is escaped.
func writeYAML(w io.Writer, value any) error {
	var asJSON, asYAML bytes.Buffer
	if err := writeJSON(&asJSON, value); err != nil {
		return err
	}
	var document yaml.Node
	err := yaml.Unmarshal(asJSON.Bytes(), &document) // JSON is YAML
	if err == nil {
		block(&document)
		encoder := yaml.NewEncoder(&asYAML)
		encoder.SetIndent(2)
		err = encoder.Encode(&document)
	}
	if err != nil {
		return fmt.Errorf("write YAML: %w", err)
	}
	var b strings.Builder
	for _, r := range asYAML.String() {
		switch { // what is not graphic stands in quotes, where it can be escaped
		case r == '\n' || unicode.IsGraphic(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	_, err = io.WriteString(w, b.String())
	return err
}

// switches are texts that YAML 1.1, which many programs still read, takes for true or false.
var switches = regexp.MustCompile(`^(?i:y|n|yes|no|on|off)$`)

// block has a document written in YAML's own style, with quotes only where they are needed.
func block(n *yaml.Node) {
	n.Style = 0
	if n.Kind == yaml.ScalarNode && (switches.MatchString(n.Value) ||
		strings.ContainsFunc(n.Value, func(r rune) bool { return !unicode.IsGraphic(r) })) {
		n.Style = yaml.DoubleQuotedStyle
	}
	for _, child := range n.Content {
		block(child)
	}
}
