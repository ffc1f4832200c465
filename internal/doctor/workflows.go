package doctor

import (
	"context"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

var (
	usesLine = regexp.MustCompile(`^(\s*- uses: )([A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+)@(\S+)$`)
	fullSHA  = regexp.MustCompile(`^[0-9a-f]{40}$`)
	// free are keys whose value a person may choose: where it runs, how long, how often.
	free = regexp.MustCompile(`^(\s*(?:runs-on|timeout-minutes|- cron):) .+$`)
	// keyed is a job that gets what the environment holds, or chooses its environment as it runs.
	keyed = regexp.MustCompile(`environment:\s*(?:\{?\s*name:\s*)?["']?(?:pullgrant(?:["'\s},#]|$)|\$\{\{)`)
)

// meaning is what counts in the lines of a workflow: without comments, and without what a person may
// choose. unpinned is the first action that is not named by a full commit.
func meaning(text string) (lines []string, unpinned string) {
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \r\n")
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		line, _, _ = strings.Cut(line, " #")
		line = strings.TrimRight(line, " ")
		if line == "" {
			continue
		}
		if m := usesLine.FindStringSubmatch(line); m != nil {
			if !fullSHA.MatchString(m[3]) && unpinned == "" {
				unpinned = m[2] + "@" + m[3]
			}
			line = m[1] + m[2]
		}
		lines = append(lines, free.ReplaceAllString(line, "$1"))
	}
	return lines, unpinned
}

// differs is the first line, in either, by which two workflows mean something else; empty when none
// does.
func differs(shipped, found []string) string {
	for i := range max(len(shipped), len(found)) {
		switch {
		case i >= len(found):
			return "lacks " + strings.TrimSpace(shipped[i])
		case i >= len(shipped):
			return "has " + strings.TrimSpace(found[i])
		case shipped[i] != found[i]:
			return "has " + strings.TrimSpace(found[i]) + " in the place of " +
				strings.TrimSpace(shipped[i])
		}
	}
	return ""
}

// workflows compares those of the default branch with those that init writes.
func (e *examination) workflows(ctx context.Context) {
	const folder = ".github/workflows"
	const mend = "pullgrant init writes them; take its file, and choose only the commit, the " +
		"runner and the times"
	found, err := e.Client.Files(ctx, "", folder)
	var shipped map[string][]byte
	if err == nil {
		shipped, err = e.Workflows(e.setup.Branch)
	}
	if err != nil {
		e.unknown("workflows", err, "run it with a token that may read contents")
		return
	}
	well := true
	wrong := func(format string, args ...any) {
		e.note("workflows", Wrong, mend, format, args...)
		well = false
	}
	for _, name := range slices.Sorted(maps.Keys(shipped)) {
		want, _ := meaning(string(shipped[name]))
		text, there := found[name]
		has, unpinned := meaning(string(text))
		difference := differs(want, has)
		switch {
		case !there:
			wrong("%s is not there", name)
		case unpinned != "":
			wrong("%s uses %s, which can be moved; name the 40 digits of a commit", name, unpinned)
		case difference != "":
			wrong("%s is not as shipped: it %s", name, difference)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		ext := path.Ext(name)
		if shipped[name] == nil && (ext == ".yml" || ext == ".yaml") && keyed.Match(found[name]) {
			wrong("%s names the environment pullgrant too, so that it gets the key", name)
		}
	}
	if well {
		e.ok("workflows", "as shipped, with actions by their full commit")
	}
}
