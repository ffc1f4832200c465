package main

import (
	"strings"

	"github.com/pullgrant/pullgrant/internal/audit"
)

// auditHeads are those of the table; -o wide has more.
func auditHeads() []string { return []string{"NAME", "WHO", "WHAT", "ENDED (UTC)"} }

// writeRows prints what fits into the width of every terminal. A name is never cut: it is what
// other commands ask for.
func writeRows(w world, rows []audit.Row) error {
	cells := [][]string{auditHeads()}
	for _, r := range rows {
		cells = append(cells, []string{r.Name, r.Who(), whatCell(r), endCell(r)})
	}
	const who, what, ended = 1, 2, 3
	return writeTable(w.out, cells, cut{ended, 34}, cut{what, 13}, cut{ended, 24}, cut{who, 6},
		cut{what, 8}, cut{ended, 11})
}

func whatCell(r audit.Row) string { return strings.TrimSpace(r.Where() + " " + r.Policy) }

// minutes is a time of the year that the name beside it tells.
const minutes = "01-02 15:04"

func endCell(r audit.Row) string {
	switch {
	case !r.Ended.IsZero():
		how, _, _ := strings.Cut(r.How(), " in #")
		return r.Ended.Format(minutes) + " " + how
	case !r.Until.IsZero():
		return "no, until " + r.Until.Format(minutes)
	}
	return "no"
}
