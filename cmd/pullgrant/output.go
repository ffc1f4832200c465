package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/requests"
)

// format is the value of -o.
type format struct {
	value   string
	allowed []string
}

// outputFlag gives a command -o; the first format is the default.
func outputFlag(cmd *cobra.Command, formats ...string) *format {
	f := &format{formats[0], formats}
	cmd.Flags().VarP(f, "output", "o", "output format: "+strings.Join(formats, ", "))
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats,
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

// writeJSON writes indented JSON in which every character that a terminal could obey is escaped.
func writeJSON(w io.Writer, value any) error {
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

// writeJSONList writes a list as writeJSON does, one without items as [] and never as null.
func writeJSONList[T any](w io.Writer, list []T) error {
	return writeJSON(w, append([]T{}, list...))
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

// wordPattern is what wrap keeps in one line, with the spaces behind it: a path or, in
// backquotes, a command can be copied.
var wordPattern = regexp.MustCompile("^ +|(`[^`]*`|[^ ])+ *")

// wrap breaks a line at spaces so that it fits into width. What follows the first line is set in
// like its text, behind its label if it has one: two spaces end a label.
func wrap(line string) string {
	const longest = 30 // label
	body := strings.TrimLeft(line, " ")
	indent := len(line) - len(body) + 2
	if label, text, ok := strings.Cut(body, "  "); ok && len(label) < longest {
		indent = len(line) - len(strings.TrimLeft(text, " "))
	}
	var lines []string
	current := ""
	for _, next := range wordPattern.FindAllString(line, -1) {
		full := columns(current+strings.TrimRight(next, " ")) > width
		if full && strings.TrimSpace(current) != "" {
			lines = append(lines, strings.TrimRight(current, " "))
			current = strings.Repeat(" ", indent)
		}
		current += next
	}
	return strings.Join(append(lines, current), "\n")
}

func columns(text string) int { return utf8.RuneCountInString(text) }

// writeTable prints rows in columns, the first row as their heads. Every cell is made plain; an
// empty one is a dash.
func writeTable(w io.Writer, rows [][]string) error {
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	var err error
	for _, row := range rows {
		for i := range row {
			row[i] = cmp.Or(plain(row[i]), "-")
		}
		_, writeErr := fmt.Fprintln(table, strings.Join(row, "\t"))
		err = errors.Join(err, writeErr)
	}
	return errors.Join(err, table.Flush())
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
