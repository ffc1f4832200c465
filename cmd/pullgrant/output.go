package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/requests"
)

// The forms in which a command prints its data. Every command with -o has asTable, which is for
// people and the default, asJSON and asYAML.
const (
	asTable = "table"
	asWide  = "wide" // asTable with more columns, and nothing cut
	asJSON  = "json"
	asYAML  = "yaml"
	asName  = "name" // what one gives the next command, one a line
)

// format is the value of -o.
type format struct {
	value   string
	allowed []string
	shape   reflect.Type // of what asJSON and asYAML print
}

// outputFlag gives a command -o. shape is an empty value of what it prints as JSON and YAML, of which
// "pullgrant schema" makes the schema; more are the forms that the command has besides those of all.
func outputFlag(cmd *cobra.Command, shape any, more ...string) *format {
	f := &format{value: asTable, allowed: []string{asTable}, shape: reflect.TypeOf(shape)}
	for _, form := range []string{asWide, asJSON, asYAML, asName} {
		if form == asJSON || form == asYAML || slices.Contains(more, form) {
			f.allowed = append(f.allowed, form)
		}
	}
	for _, form := range more {
		if !slices.Contains(f.allowed, form) {
			f.allowed = append(f.allowed, form)
		}
	}
	cmd.Flags().VarP(f, "output", "o", "output format: "+strings.Join(f.allowed, ", "))
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(f.allowed,
		cobra.ShellCompDirectiveNoFileComp))
	return f
}

func (f *format) String() string { return f.value }
func (f *format) Type() string   { return "format" }
func (f *format) Set(s string) error {
	if !slices.Contains(f.allowed, s) {
		return fmt.Errorf("allowed: %s", strings.Join(f.allowed, ", "))
	}
	f.value = s
	return nil
}

// printed is what a command prints, for whichever form is asked for.
type printed struct {
	value  any      // of the shape of its -o
	names  []string // each is printed once
	people func(wide bool) error
}

// print prints it in the form that -o names.
func (f *format) print(w world, p printed) error {
	switch f.value {
	case asJSON:
		return writeJSON(w.out, p.value)
	case asYAML:
		return writeYAML(w.out, p.value)
	case asName:
		var r report
		for i, name := range p.names {
			if !slices.Contains(p.names[:i], name) {
				r.copied("%s", name)
			}
		}
		return r.to(w.out)
	}
	return p.people(f.value == asWide)
}

// number is a flag that holds the number of something on GitHub, which is never 0; 0 means that the
// flag was not given.
type number int64

func (n *number) String() string {
	if *n == 0 {
		return ""
	}
	return strconv.FormatInt(int64(*n), 10)
}
func (n *number) Type() string { return "number" }
func (n *number) Set(s string) error {
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil || v < 1 || strconv.FormatInt(v, 10) != s {
		return errors.New("it must be the number that GitHub shows, such as 1234")
	}
	*n = number(v)
	return nil
}

// writeJSON writes indented JSON in which every character that a terminal could obey is escaped. A
// list without items is [] and never null.
func writeJSON(w io.Writer, value any) error {
	if list := reflect.ValueOf(value); list.Kind() == reflect.Slice && list.IsNil() {
		value = []struct{}{}
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	_, err := io.WriteString(w, requests.EscapeJSON(b.String()))
	return err
}

// plain makes text one harmless line: characters a terminal could obey, and line breaks, become
// visible escapes.
func plain(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case unicode.IsGraphic(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, "\\u{%x}", r)
		}
	}
	return b.String()
}

// width is how many columns every terminal has.
const width = 80

// wordPattern is what wrap keeps in one line, with the spaces behind it: a path can be copied, and a
// command in quotes or behind a colon. Between letters that know no spaces a line may end anywhere.
var wordPattern = regexp.MustCompile("^ +|" + unspaced + " *|(`[^`]*`|" +
	`"(?:kubectl |gh )?pullgrant [^"]*"|: (?:kubectl|gh|pullgrant) .*$|` + "[^ " + unspaced[1:] + ")+ *")

const unspaced = `[\p{Han}\p{Hiragana}\p{Katakana}]`

// wrap is wrapAt for every terminal.
func wrap(line string) string { return wrapAt(line, width) }

// wrapAt breaks a line at spaces so that it fits into so many columns. What follows the first line is set in
// like its text, behind its label if it has one: two spaces end a label.
func wrapAt(line string, most int) string {
	const longest = 30 // label
	body := strings.TrimLeft(line, " ")
	indent := len(line) - len(body) + 2
	if label, text, ok := strings.Cut(body, "  "); ok && len(label) < longest {
		indent = len(line) - len(strings.TrimLeft(text, " "))
	}
	var lines []string
	current := ""
	for _, next := range wordPattern.FindAllString(line, -1) {
		full := columns(current+strings.TrimRight(next, " ")) > most
		if full && strings.TrimSpace(current) != "" {
			lines = append(lines, strings.TrimRight(current, " "))
			current = strings.Repeat(" ", indent)
		}
		current += next
	}
	return strings.Join(append(lines, current), "\n")
}

// count is "no findings", "1 finding", "2 findings".
func count(n int, noun string) string {
	switch n {
	case 0:
		return "no " + noun + "s"
	case 1:
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// at is names as GitHub mentions them.
func at(names []string) string {
	var all []string
	for _, name := range names {
		all = append(all, "@"+name)
	}
	return strings.Join(all, ", ")
}
