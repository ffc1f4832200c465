package github

import "testing"

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
