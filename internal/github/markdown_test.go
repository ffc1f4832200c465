package github

import (
	"html"
	"regexp"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/requests"
)

func TestEscape(t *testing.T) {
	for text, want := range map[string]string{
		"INC 123":            "INC 123",
		"a\nb":               "a&#32;b",
		"a\u202eb\u200bc\td": "aU&#43;202EbU&#43;200BcU&#43;0009d",
		"<b>|`x`@you":        "&#60;b&#62;&#124;&#96;x&#96;<!-- -->&#64;you",
		"Ärger, 日本":          "Ärger, 日本",
	} {
		if got := Escape(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// FuzzEscape: nothing of the text means anything to Markdown, HTML or a table any more, and a
// reader sees what was written.
func FuzzEscape(f *testing.F) {
	f.Add("_GitHubActionsFileCommandDelimeter_ ::add-mask:: </details>| @acme/everyone `x` <img " +
		"src=x> &#64; bob@example.com")
	f.Add("a\nb\u202e\u200b\t\x00\xff日本 🔥\x94\xa5")
	f.Fuzz(func(t *testing.T, text string) {
		got := Escape(text)
		shown := strings.ReplaceAll(got, "<!-- -->", "")
		if rest := regexp.MustCompile(`&#[0-9]+;`).ReplaceAllString(shown,
			""); strings.ContainsAny(rest, special+"@\n") || strings.ContainsFunc(rest,
			requests.IsHidden) {
			t.Errorf("%q: %q", text, got)
		}
		if want := string([]rune(strings.ReplaceAll(text, "\n", " "))); !strings.ContainsFunc(want,
			requests.IsHidden) && html.UnescapeString(shown) != want {
			t.Errorf("%q is shown as %q", text, html.UnescapeString(shown))
		}
	})
}
