package main

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

const preface = `# Mutations: what happens when the code is broken

` + "`make mutate`" + ` breaks the code in small ways, one at a time, and runs the tests that reach the place.
Nobody chooses the places: a comparison is turned round (equality) or moved by one (bound), an error
is not returned (refusal), a return of true is one of false (answer), wherever that is possible;
which of the places are tried is decided by a hash of their text. A place that no test reaches counts
as one that no test notices. ` + "`make mutate rooms=sync/plan`" + ` tries one room and leaves the rows of
the others as they are, so each row has the commit it was tried at, and its list is of that commit.

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

// row is what came of a room when it was last tried.
type row struct {
	tried, noticed int
	commit         string
	survivors      []string // lines of the list, each with its end
}

// rows are those of the rooms that were tried, by room.
func (t *trial) rows(commit string, reasons map[string]string) map[string]row {
	rows := map[string]row{}
	for _, r := range t.rooms {
		left := t.survivors(r.dir)
		all := len(t.sites[r.dir])
		one := row{tried: all, noticed: all - len(left), commit: commit}
		for _, s := range left {
			reason := reasons[s.name()]
			if reason == "" {
				reason = "no reason is known"
			}
			if !t.reached[s.number] {
				reason += " (no test reaches it)"
			}
			one.survivors = append(one.survivors, fmt.Sprintf("- `%s`, %s in `%s`: `%s` for "+
				"`%s`: %s.\n",
				s.file, s.kind, s.function, s.now, s.was, reason))
		}
		rows[r.dir] = one
	}
	return rows
}

// readReport takes the rows from the text of docs/mutations.md.
func readReport(text string) (map[string]row, error) {
	rows := map[string]row{}
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, "- `"); ok {
			file, _, _ := strings.Cut(rest, "`")
			one, ok := rows[path.Dir(file)]
			if !ok {
				return nil, fmt.Errorf("%s has no row, but %q is listed", path.Dir(file), line)
			}
			one.survivors = append(one.survivors, line)
			rows[path.Dir(file)] = one
		}
		cells := strings.Split(line, "|")
		if !strings.HasPrefix(line, "| `") || len(cells) != 7 {
			continue
		}
		for i := range cells {
			cells[i] = strings.Trim(cells[i], " `")
		}
		tried, err := strconv.Atoi(cells[2])
		if err != nil {
			return nil, fmt.Errorf("the row of %s: %w", cells[1], err)
		}
		noticed, err := strconv.Atoi(cells[3])
		if err != nil {
			return nil, fmt.Errorf("the row of %s: %w", cells[1], err)
		}
		rows[cells[1]] = row{tried: tried, noticed: noticed, commit: cells[5]}
	}
	return rows, nil
}

// report is docs/mutations.md. A room that was never tried has no row.
func report(rows map[string]row) string {
	var text, list strings.Builder
	text.WriteString(preface + "| Room | Tried | Noticed | Survived | At commit |\n" +
		"| --- | ---: | ---: | ---: | --- |\n")
	tried, noticed := 0, 0
	for _, r := range rooms {
		one, ok := rows[r.dir]
		if !ok {
			continue
		}
		fmt.Fprintf(&text, "| `%s` | %d | %d | %d | %s |\n",
			r.dir, one.tried, one.noticed, one.tried-one.noticed, one.commit)
		tried, noticed = tried+one.tried, noticed+one.noticed
		list.WriteString(strings.Join(one.survivors, ""))
	}
	fmt.Fprintf(&text, "| all | %d | %d | %d | |\n", tried, noticed, tried-noticed)
	if list.Len() > 0 {
		text.WriteString("\n## What no test notices\n\n" + list.String())
	}
	return text.String()
}
