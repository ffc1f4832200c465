package main

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/pullgrant/pullgrant/internal/doctor"
)

// doctorReport is what doctor prints as JSON and YAML.
type doctorReport struct {
	Checks []doctor.Result `json:"checks" about:"In the order of docs/doctor.md, once for each thing found."`
	Bypass int             `json:"bypass" about:"How many are of severity bypass, and wrong or unknown."`
}

// awaited is what a part asks, in words.
var awaited = map[string]string{doctor.PartGitHub: "GitHub", doctor.PartRepository: "the checkout",
	doctor.PartCluster: "the cluster"}

func writeSections(w world, output *format, sections []section) error {
	all := doctorReport{Checks: []doctor.Result{}}
	var ids []string
	for _, s := range sections {
		for _, c := range s.results {
			c.What, c.Mend = plain(c.What), plain(c.Mend)
			all.Checks = append(all.Checks, c)
			if c.Open() {
				all.Bypass++
			}
			if c.State != doctor.OK && c.State != doctor.Skipped {
				ids = append(ids, c.ID)
			}
		}
	}
	return output.print(w, printed{value: all, names: ids, people: func(bool) error {
		var r report
		for i, s := range sections {
			if i > 0 {
				r.line("")
			}
			r.section(s)
		}
		text := r.String()
		if colours(w) {
			text = painted(text)
		}
		_, err := fmt.Fprint(w.out, text)
		return err
	}})
}

// section tells of a part: what is well in a line, and of anything else why it matters and what
// mends it. What several results have in common is told once, behind the last of them.
func (r *report) section(s section) {
	r.text("%s", strings.TrimRight(s.part+"  "+s.of, " "))
	if s.failed != nil {
		r.text("  skipped  %v", s.failed)
		return
	}
	for i, c := range s.results {
		word := string(c.State)
		if c.Open() {
			word = "BYPASS"
		}
		r.text("  %-7s  %s: %s", word, c.ID, c.What)
		if c.State == doctor.OK || c.State == doctor.Skipped {
			continue
		}
		last := i+1 == len(s.results) || s.results[i+1].ID != c.ID
		if last {
			r.text("           why   %s", c.Why)
		}
		if c.Mend != "" && (last || s.results[i+1].Mend != c.Mend) {
			r.text("           mend  %s", c.Mend)
		}
	}
}

// colours tells whether whoever reads wants them: on a terminal, unless NO_COLOR is set
// (https://no-color.org).
func colours(w world) bool {
	file, ok := w.out.(*os.File)
	return ok && term.IsTerminal(int(file.Fd())) && w.env("NO_COLOR") == "" && w.env("TERM") != "dumb"
}

// painted paints the words that say how a check went, each of which stays a word.
func painted(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		for word, colour := range map[string]string{"ok": "32", "BYPASS": "1;31", "wrong": "31",
			"warning": "33", "unknown": "33", "skipped": "2"} {
			if rest, ok := strings.CutPrefix(line, "  "+word+" "); ok {
				line = "  \x1b[" + colour + "m" + word + "\x1b[0m " + rest
				break
			}
		}
		b.WriteString(line)
	}
	return b.String()
}
