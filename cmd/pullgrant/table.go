package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"sort"
	"strings"

	"charm.land/lipgloss/v2"
)

// cut lets a column of a table lose the end of its cells, down to so many columns of the terminal.
type cut struct{ column, least int }

// writeTable prints rows in columns, the first row as their heads. Every cell is made plain; an empty
// one is a dash. Where lines would not fit into the terminal, or into width where there is none, the
// cells of the columns in cuts lose their ends, those of the first cut first. What none of them can
// spare makes the lines longer.
func writeTable(w io.Writer, rows [][]string, cuts ...cut) error {
	const gap = 2
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i := range row {
			row[i] = cmp.Or(plain(row[i]), "-")
			widths[i] = max(widths[i], columns(row[i]))
		}
	}
	over := gap*(len(widths)-1) - columnsOf(w)
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
			cell = fitted(cell, widths[i])
			line += cell + strings.Repeat(" ", gap+widths[i]-columns(cell))
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeTableAnd prints rows as writeTable does, and below each but the heads what follows says of it.
func writeTableAnd(w io.Writer, rows [][]string, follows func(n int, r *report)) error {
	var table bytes.Buffer
	if err := writeTable(&table, rows); err != nil {
		return err
	}
	var r report
	n := -1
	for line := range strings.Lines(table.String()) {
		if r.WriteString(line); n >= 0 {
			follows(n, &r)
		}
		n++
	}
	return r.to(w)
}

// pullCell is the number of a pull request, empty where there is none.
func pullCell(number int) string {
	if number == 0 {
		return ""
	}
	return fmt.Sprintf("#%d", number)
}

// columns is how many a terminal gives a text of one line: two to a letter of Chinese, none to an
// accent that stands on another letter.
func columns(text string) int { return lipgloss.Width(text) }

// fitted is text cut to so many columns; what is left out shows as ….
func fitted(text string, most int) string {
	if columns(text) <= most {
		return text
	}
	letters := []rune(text)
	full := sort.Search(len(letters), func(n int) bool { return columns(string(letters[:n+1])) >= most })
	return string(letters[:full]) + "…"
}
