package requests

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// How a line that narrows is written: its beginning, then what it leaves, each once.
const (
	narrowingPrefix = "pullgrant: "
	atMost          = "at most "
	onlyNamespaces  = "only namespaces "
	onlyResources   = "only resources "

	maxNarrowing = 300 // bytes of the line; the ledger keeps it
)

// narrowingForm is how the line may look, for people who wrote it otherwise.
const narrowingForm = `write it as "pullgrant: at most 30m", "pullgrant: only namespaces a, b" or ` +
	`"pullgrant: only resources pods/api-1", or several of these after each other, with "; " in between`

// ParseNarrowing reads what a review says: its one line that begins with "pullgrant:", and the rest.
// Lines in quotes and code blocks are no lines. found is false where there is none. What looks like
// one and is written otherwise, and a second one, is an error, so that nobody believes that they gave
// less than they did.
func ParseNarrowing(body string) (n Narrowing, rest string, found bool, err error) {
	var others []string
	for _, line := range spokenLines(body) {
		if !looksNarrowing(line) {
			others = append(others, line)
			continue
		}
		if found {
			return n, body, true, errors.New(`it has a second line with "pullgrant:"; put all of it ` +
				`into one`)
		}
		found = true
		if n, err = parseNarrowingLine(strings.TrimRight(line, " ")); err != nil {
			return n, body, true, err
		}
	}
	return n, strings.Join(others, "\n"), found, nil
}

// looksNarrowing tells a line that somebody may mean to narrow by, however they wrote it: what the
// parser then refuses is told, and never passed over.
func looksNarrowing(line string) bool {
	plain := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || r == ':' || r == '：' {
			return unicode.ToLower(r)
		}
		return -1
	}, line)
	return strings.Contains(plain, "pullgrant:") || strings.Contains(plain, "pullgrant：")
}

func parseNarrowingLine(line string) (n Narrowing, err error) {
	text, ok := strings.CutPrefix(line, narrowingPrefix)
	if !ok || len(line) > maxNarrowing {
		return n, fmt.Errorf("the line %s cannot be read; %s", Quote(line), narrowingForm)
	}
	for clause := range strings.SplitSeq(text, "; ") {
		if err := n.add(clause); err != nil {
			return Narrowing{}, fmt.Errorf("in the line %s, %s %w; %s", Quote(line), Quote(clause), err,
				narrowingForm)
		}
	}
	return n, nil
}

var errTwice = errors.New("stands twice")

// add takes one more clause.
func (n *Narrowing) add(clause string) (err error) {
	list := func(prefix string, into *[]string, check func(string) string) error {
		if len(*into) > 0 {
			return errTwice
		}
		*into, err = narrowingList(strings.TrimPrefix(clause, prefix), check)
		return err
	}
	switch {
	case strings.HasPrefix(clause, onlyNamespaces):
		return list(onlyNamespaces, &n.Namespaces, CheckName)
	case strings.HasPrefix(clause, onlyResources):
		return list(onlyResources, &n.Resources, CheckResource)
	case !strings.HasPrefix(clause, atMost):
		return errors.New("cannot be read")
	case n.AtMost > 0:
		return errTwice
	}
	if n.AtMost, err = ParseDuration(strings.TrimPrefix(clause, atMost)); err != nil {
		return fmt.Errorf("cannot be read: %w", err)
	}
	return nil
}

// narrowingList reads names with ", " in between: a pattern may hold a comma, and no space.
func narrowingList(text string, check func(string) string) ([]string, error) {
	names := strings.Split(text, ", ")
	for i, name := range names {
		switch problem := check(name); {
		case problem != "":
			return nil, fmt.Errorf("names %s: %s", Quote(name), problem)
		case slices.Contains(names[:i], name):
			return nil, fmt.Errorf("names %s twice", Quote(name))
		}
	}
	return names, nil
}

var (
	quoteStart = regexp.MustCompile(`^ {0,3}>`)
	fenceStart = regexp.MustCompile("^ {0,3}(`{3,}[^`]*|~{3,}.*)$")
	fence      = regexp.MustCompile("^ {0,3}(`{3,}|~{3,})")
	// what can hold blocks of its own, in which indentation and fences mean something else
	container = regexp.MustCompile(`^[ \t]*([-+*]|[0-9]{1,9}[.)]|\[\^)`)
	html      = regexp.MustCompile(`^[ \t]*<`)
)

const blanks = " \t" // what Markdown takes for nothing, of all that looks so

// spokenLines are the lines of a Markdown text but for those in quotes and code blocks
// (https://spec.commonmark.org/0.31.2/). A line that may be either is spoken: after a list, a footnote
// or a tag of HTML there is no telling with certainty, nor in a fence that does not end.
func spokenLines(body string) (spoken []string) {
	lines := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(body), "\n")
	contained, tagged := false, false
	before := "" // the line before; also that before a block of code by indentation
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		tagged = tagged || html.MatchString(line)
		contained = contained || tagged || container.MatchString(line)
		switch end := fenceEnd(lines[i:]); {
		case !tagged && quoteStart.MatchString(line):
			before = line
		case !contained && end > 0:
			i, before = i+end, line
		case !contained && before == "" && isIndented(line):
		default:
			spoken, before = append(spoken, line), strings.Trim(line, blanks)
		}
	}
	return spoken
}

// isIndented tells a line of a block that is code by its indentation.
func isIndented(line string) bool {
	return strings.HasPrefix(strings.Replace(line, "\t", "    ", 1), "    ")
}

// fenceEnd is how many lines after the first, which opens a fence, that ends; 0 where it does not,
// or opens none.
func fenceEnd(lines []string) int {
	if !fenceStart.MatchString(lines[0]) {
		return 0
	}
	open := fence.FindStringSubmatch(lines[0])[1]
	for i, line := range lines[1:] {
		end := fence.FindStringSubmatch(line)
		if end != nil && end[1][0] == open[0] && len(end[1]) >= len(open) &&
			strings.Trim(line, blanks) == end[1] {
			return i + 1
		}
	}
	return 0
}
