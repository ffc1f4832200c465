package main

import (
	"fmt"

	"github.com/pullgrant/pullgrant/requests"
)

// endWithFindings writes findings as the result of a command, and ends it.
func endWithFindings(w world, findings []requests.Finding) error {
	if err := findingLines(w, findings).to(w.out); err != nil {
		return err
	}
	return verdict(exitFindings)
}

// printFindings prints findings as a command's data, of which the names are those of the files.
func (f *format) printFindings(w world, findings []requests.Finding) error {
	var files []string
	for _, one := range findings {
		files = append(files, one.File)
	}
	return f.print(w, printed{value: findings, names: files,
		people: func(bool) error { return findingLines(w, findings).to(w.out) }})
}

// findingLines are findings, one a line where it is no terminal.
func findingLines[T fmt.Stringer](w world, findings []T) *report {
	r := new(report)
	for _, f := range findings {
		r.WriteString(lineFor(w.out, plain(f.String())) + "\n")
	}
	return r
}

// sayFindings tells of findings beside a command's data.
func sayFindings(w world, findings []requests.Finding) {
	for _, f := range findings {
		w.say("%s", f)
	}
}
