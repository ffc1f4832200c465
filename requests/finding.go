package requests

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Finding is one problem in one file, in the shape every surface of the tool shows: CLI line, JSON,
// annotation.
type Finding struct {
	File    string `json:"file"`
	Line    int    `json:"line"`   // counted from 1
	Column  int    `json:"column"` // in characters, counted from 1
	Rule    string `json:"rule"`   // stable name of the rule, lower case with dashes
	Message string `json:"message"`
}

// String is the finding as one line: file:line:col: message [rule]. A file name that could break or
// disguise the line, which git allows, is quoted.
func (f Finding) String() string {
	file := f.File
	if !utf8.ValidString(file) || strings.ContainsFunc(file, IsHidden) {
		file = Quote(file)
	}
	return fmt.Sprintf("%s:%d:%d: %s [%s]", file, f.Line, f.Column, f.Message, f.Rule)
}

// SortFindings orders findings by file, line, column, rule and message, so that output never
// depends on map order.
func SortFindings(findings []Finding) {
	slices.SortFunc(findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Message, b.Message))
	})
}
