package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/pullgrant/pullgrant/internal/audit"
	"github.com/pullgrant/pullgrant/requests"
)

// Forms for other programs, beside those of all commands.
const (
	asJSONLines = "jsonl"
	asCSV       = "csv"
	asOCSF      = "ocsf"
)

// print prints the audit. Of the forms that only it has, csv has a line a request, and ocsf events.
func (h history) print(w world, output *format) error {
	switch output.value {
	case asJSONLines:
		return writeJSONLines(w.out, h.accounts)
	case asCSV:
		return audit.WriteCSV(w.out, h.rows)
	case asOCSF:
		var events []audit.Event
		for _, r := range h.rows {
			events = append(events, r.Events()...)
		}
		return writeJSONLines(w.out, events)
	}
	var names []string
	for _, a := range h.accounts {
		names = append(names, a.Name)
	}
	return output.print(w, printed{value: h.accounts, names: names, people: func(wide bool) error {
		if wide {
			return writeAccounts(w, h)
		}
		return writeRows(w, h.rows)
	}})
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
