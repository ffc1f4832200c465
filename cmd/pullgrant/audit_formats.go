package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pullgrant/pullgrant/internal/audit"
	"github.com/pullgrant/pullgrant/requests"
)

// auditFormats are the formats of -o.
var auditFormats = []string{"table", "wide", "json", "jsonl", "yaml", "csv", "ocsf"}

// write prints the audit in one of auditFormats.
func (h history) write(w world, format string) error {
	switch format {
	case "json":
		return writeJSONList(w.out, h.accounts)
	case "jsonl":
		return writeJSONLines(w.out, h.accounts)
	case "yaml":
		return writeYAML(w.out, h.accounts)
	case "csv":
		return audit.WriteCSV(w.out, h.rows)
	case "ocsf":
		var events []audit.Event
		for _, r := range h.rows {
			events = append(events, r.Events()...)
		}
		return writeJSONLines(w.out, events)
	case "wide":
		return writeAccounts(w, h.accounts)
	}
	return writeRows(w, h.rows)
}

// writeJSONLines writes each item of a list as writeJSON does, on a line of its own.
func writeJSONLines[T any](w io.Writer, list []T) error {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	for _, item := range list {
		if err := encoder.Encode(item); err != nil {
			return fmt.Errorf("write JSON: %w", err)
		}
	}
	_, err := io.WriteString(w, requests.EscapeJSON(b.String()))
	return err
}

// writeYAML writes a list with the fields that JSON has.
func writeYAML[T any](w io.Writer, list []T) error {
	data, err := json.Marshal(append([]T{}, list...))
	var node yaml.Node
	if err == nil {
		err = yaml.Unmarshal(data, &node) // JSON is YAML
	}
	if err == nil {
		block(&node)
		data, err = requests.Marshal(&node)
	}
	if err != nil {
		return fmt.Errorf("write YAML: %w", err)
	}
	_, err = w.Write(data)
	return err
}

// block has YAML in lines instead of braces. Text with anything that a terminal could obey stays in
// quotes, as YAML escapes it only there.
func block(n *yaml.Node) {
	if n.Kind != yaml.ScalarNode || !strings.ContainsFunc(n.Value, requests.IsHidden) {
		n.Style = 0
	}
	for _, below := range n.Content {
		block(below)
	}
}
