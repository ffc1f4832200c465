package main

import (
	"fmt"
	"strings"
)

const preface = `# Mutations: what happens when the code is broken

` + "`make mutate`" + ` breaks the code in small ways, one at a time, and runs the tests that reach the place.
Nobody chooses the places: a comparison is turned round (equality) or moved by one (bound), an error
is not returned (refusal), a return of true is one of false (answer), wherever that is possible;
which of the places are tried is decided by a hash of their text. A place that no test reaches counts
as one that no test notices. ` + "`make mutate rooms=sync/plan`" + ` tries one room.

`

// survivors are the sites of a room that no test noticed.
func (t *trial) survivors(dir string) (all []site) {
	for _, s := range t.sites[dir] {
		if t.noticed[s.number] == "" {
			all = append(all, s)
		}
	}
	return all
}

// unnamed counts what no test notices and no reason is given for.
func (t *trial) unnamed(reasons map[string]string) (n int) {
	for _, r := range t.rooms {
		for _, s := range t.survivors(r.dir) {
			if reasons[s.name()] == "" {
				n++
			}
		}
	}
	return n
}

// report is docs/mutations.md.
func (t *trial) report(commit string, reasons map[string]string) string {
	var text, list strings.Builder
	text.WriteString(preface + "This is what came of it at commit " + commit + ".\n\n")
	text.WriteString("| Room | Tried | Noticed | Survived |\n| --- | ---: | ---: | ---: |\n")
	tried, survived := 0, 0
	for _, r := range t.rooms {
		left := t.survivors(r.dir)
		all := len(t.sites[r.dir])
		fmt.Fprintf(&text, "| `%s` | %d | %d | %d |\n", r.dir, all, all-len(left), len(left))
		tried, survived = tried+all, survived+len(left)
		for _, s := range left {
			reason := reasons[s.name()]
			if reason == "" {
				reason = "no reason is known"
			}
			if !t.reached[s.number] {
				reason += " (no test reaches it)"
			}
			fmt.Fprintf(&list, "- `%s`, %s in `%s`: `%s` for `%s`: %s.\n", s.file, s.kind,
				s.function,
				s.now, s.was, reason)
		}
	}
	fmt.Fprintf(&text, "| all | %d | %d | %d |\n", tried, tried-survived, survived)
	if list.Len() > 0 {
		text.WriteString("\n## What no test notices\n\n" + list.String())
	}
	return text.String()
}
