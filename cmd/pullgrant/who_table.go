package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/internal/audit"
)

// writeHoldings prints who had access, then who had it if it was approved, then what is not known.
// Unless it is to be wide, the tables fit into width.
func writeHoldings(w world, all []audit.Holding, wide bool) error {
	held := func(w world, all []audit.Holding) error { return writeHeld(w, all, wide) }
	if len(all) == 0 {
		w.say("nobody, as far as this checkout tells; git pull gets what is newer")
	}
	sections := 0
	for _, section := range []struct {
		held  audit.Held
		title string
		write func(world, []audit.Holding) error
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
		var head report
		if sections > 0 {
			head.line("")
		}
		if section.title != "" {
			head.line("%s", section.title)
		}
		if err := errors.Join(head.to(w.out), section.write(w, some)); err != nil {
			return err
		}
		sections++
	}
	return nil
}

func writeHeld(w world, all []audit.Holding, wide bool) error {
	rows := [][]string{{"NAME", "WHO", "WHAT", "FROM (UTC)", "UNTIL"}}
	if wide {
		rows[0] = append(rows[0], "ROLES", "APPROVED BY", "PR")
	}
	for _, h := range all {
		what, until := whatCell(h.Row), h.Ended
		if len(h.Can) > 0 {
			what = h.Cluster + ": " + strings.Join(h.Can, "; ")
		}
		if until.IsZero() {
			until = h.Until
		}
		row := []string{h.Name, h.Who(), what, h.From.Format(minutes), until.Format(minutes)}
		if wide {
			row = append(row, strings.Join(h.Roles, ", "), strings.Join(h.Approvers, ", "),
				pullCell(h.PullRequest))
		}
		rows = append(rows, row)
	}
	if wide {
		return writeTable(w.out, rows)
	}
	const who, what = 1, 2
	return writeTable(w.out, rows, cut{what, 16}, cut{who, 6}, cut{what, 8})
}

func writeUnknown(w world, all []audit.Holding) error {
	var r report
	for _, h := range all {
		r.text("  %s  %s", h.Name, strings.TrimPrefix(h.Who()+": "+h.Why, ": "))
	}
	return r.to(w.out)
}
