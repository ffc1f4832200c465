package main

import (
	"fmt"

	"github.com/pullgrant/pullgrant/requests"
)

// endWithFindings writes findings as the result of a command, and ends it.
func endWithFindings(w world, findings []requests.Finding) error {
	if err := writeFindings(w, "text", findings); err != nil {
		return err
	}
	return verdict(exitFindings)
}

// writeFindings writes findings as data, one a line or as JSON.
func writeFindings(w world, output string, findings []requests.Finding) error {
	if output == "json" {
		return writeJSONList(w.out, findings)
	}
	for _, f := range findings {
		if _, err := fmt.Fprintln(w.out, plain(f.String())); err != nil {
			return fmt.Errorf("write findings: %w", err)
		}
	}
	return nil
}

// sayFindings tells of findings beside a command's data.
func sayFindings(w world, findings []requests.Finding) {
	for _, f := range findings {
		w.say("%s", f)
	}
}
