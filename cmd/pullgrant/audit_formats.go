package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/pullgrant/pullgrant/internal/audit"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/ledger"
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
		return writeYAML(w.out, append([]ledger.Account{}, h.accounts...))
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
