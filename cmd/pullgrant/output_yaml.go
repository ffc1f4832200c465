package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/pullgrant/pullgrant/requests"
)

// writeYAML writes what writeJSON would, as YAML with the same fields in the same order.
func writeYAML(w io.Writer, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("write YAML: %w", err)
	}
	var node yaml.Node
	if err := yaml.Unmarshal(data, &node); err != nil { // JSON is YAML
		return fmt.Errorf("write YAML: %w", err)
	}
	inBlocks(&node)
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(&node); err != nil {
		return fmt.Errorf("write YAML: %w", err)
	}
	_, err = io.WriteString(w, requests.EscapeJSON(b.String()))
	return err
}

// inBlocks takes the style of JSON away, but for texts with characters that are escaped: only quotes
// can hold those.
func inBlocks(node *yaml.Node) {
	escaped := func(r rune) bool { return !unicode.IsGraphic(r) }
	if node.Style &^= yaml.FlowStyle; !strings.ContainsFunc(node.Value, escaped) {
		node.Style &^= yaml.DoubleQuotedStyle
	}
	for _, below := range node.Content {
		inBlocks(below)
	}
}
