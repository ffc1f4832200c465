package github

import (
	"fmt"
	"strings"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// Row writes a row of a table in GitHub-flavoured Markdown. The cells are Markdown.
func Row(b *strings.Builder, cells ...string) {
	b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

// Moment is a time as people read it.
func Moment(t requests.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// Code shows text as it is: GitHub finds no mention, link, emoji or Markdown inside a code element.
func Code(text string) string { return "<code>" + Escape(text) + "</code>" }

// Helped is the code of a refusal as a link to what to do about it.
func Helped(code policies.Code) string { return fmt.Sprintf("[%s](%s)", code, code.Help()) }

// special are the characters that mean something to HTML, GitHub-flavoured Markdown or a table.
const special = "<>&\"'" + "\\`*_{}[]()#+-.!|~:$^=/"

// Escape writes text so that Markdown and HTML show it literally, on one line, with what cannot be
// seen made visible. GitHub makes links of what looks like an address even then, unless the text
// ends before the @.
func Escape(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n':
			b.WriteString("&#32;")
		case requests.IsHidden(r):
			fmt.Fprintf(&b, "U&#43;%04X", r)
		case r == '@':
			b.WriteString("<!-- -->&#64;")
		case strings.ContainsRune(special, r):
			fmt.Fprintf(&b, "&#%d;", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
