package main

import (
	"io"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/internal/audit"
)

// writeHoldings prints who had access, then who had it if it was approved, then what is not known.
// Unless it is to be wide, the tables fit into width.
func writeHoldings(w world, all []audit.Holding, wide bool) error {
	held := func(b *strings.Builder, all []audit.Holding) error { return writeHeld(b, all, wide) }
	if len(all) == 0 {
		w.say("nobody, as far as this checkout tells")
	}
	var sections []string
	for _, section := range []struct {
		held  audit.Held
		title string
		write func(*strings.Builder, []audit.Holding) error
	}{
		{audit.Had, "", held},
		{audit.IfApproved, "Not ended, and theirs if it was approved, which only its agent knows:",
			held},
		{audit.NotKnown, "Not known:", writeUnknown},
	} {
		some := slices.DeleteFunc(slices.Clone(all), func(h audit.Holding) bool {
			return h.Held != section.held
		})
		if len(some) == 0 {
			continue
		}
		var b strings.Builder
		if section.title != "" {
			b.WriteString(section.title + "\n")
		}
		if err := section.write(&b, some); err != nil {
			return err
		}
		sections = append(sections, b.String())
	}
	_, err := io.WriteString(w.out, strings.Join(sections, "\n"))
	return err
}

func writeHeld(b *strings.Builder, all []audit.Holding, wide bool) error {
	rows := [][]string{{"NAME", "WHO", "WHAT", "FROM (UTC)", "UNTIL"}}
	for _, h := range all {
		what, until := whatCell(h.Row), h.Ended
		if len(h.Can) > 0 {
			what = h.Cluster + ": " + strings.Join(h.Can, "; ")
		}
		if until.IsZero() {
			until = h.Until
		}
		rows = append(rows, []string{h.Name, h.Who(), what, h.From.Format(minutes),
			until.Format(minutes)})
	}
	if wide {
		return writeTable(b, rows)
	}
	const who, what = 1, 2
	return writeNarrow(b, rows, cut{what, 16}, cut{who, 6}, cut{what, 8})
}

func writeUnknown(b *strings.Builder, all []audit.Holding) error {
	var r report
	for _, h := range all {
		r.text("  %s  %s", h.Name, strings.TrimPrefix(h.Who()+": "+h.Why, ": "))
	}
	return r.to(b)
}
