package main

import (
	"cmp"
	"io"
	"strings"
)

// cut lets a column of a narrow table lose the end of its cells, down to so many columns.
type cut struct{ column, least int }

// writeNarrow prints rows as writeTable does, in lines that fit into width: where they would not,
// the cells of the columns in cuts lose their ends, those of the first cut first. What none of them
// can spare makes the lines longer.
func writeNarrow(w io.Writer, rows [][]string, cuts ...cut) error {
	const gap = 2
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i := range row {
			row[i] = cmp.Or(plain(row[i]), "-")
			widths[i] = max(widths[i], columns(row[i]))
		}
	}
	over := gap*(len(widths)-1) - width
	for _, w := range widths {
		over += w
	}
	for _, c := range cuts {
		if spare := min(over, widths[c.column]-c.least); spare > 0 {
			widths[c.column] -= spare
			over -= spare
		}
	}
	var b strings.Builder
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			cell = shorten(cell, widths[i])
			line += cell + strings.Repeat(" ", gap+widths[i]-columns(cell))
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// shorten is text in so many columns; what is left out shows as ….
func shorten(text string, most int) string {
	if columns(text) <= most {
		return text
	}
	return string([]rune(text)[:max(most-1, 0)]) + "…"
}
