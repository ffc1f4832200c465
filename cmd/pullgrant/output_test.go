package main

import (
	"encoding/json"
	"strings"
	"testing"
)

const hostile = "a\x1b[2Jb\rc\nd\u202ee\u0085f\U000e0041g\tÅ日"

func TestPlain(t *testing.T) {
	if got, want := plain(hostile),
		`a\u{1b}[2Jb\u{d}c\nd\u{202e}e\u{85}f\u{e0041}g\u{9}Å日`; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestWriteJSON(t *testing.T) {
	var b strings.Builder
	if err := writeJSON(&b, map[string]string{hostile: "<b>&"}); err != nil {
		t.Fatal(err)
	}
	if got := plain(strings.ReplaceAll(b.String(), "\n", " ")); strings.Contains(got, `\u{`) {
		t.Errorf("a terminal could obey a character of %s", got)
	}
	var back map[string]string
	if err := json.Unmarshal([]byte(b.String()), &back); err != nil || back[hostile] != "<b>&" {
		t.Errorf("read back: %v, %v", back, err)
	}
}

func TestCodeFence(t *testing.T) {
	for text, want := range map[string]string{"plain": "```", "`x`": "```", "a ``` b": "````",
		"`````": "``````"} {
		if got := codeFence(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestTicket(t *testing.T) {
	for reason, want := range map[string]string{
		"INC-123, checkout is slow": "inc-123", "fix for (see) OPS2-7: now": "ops2-7",
		"checkout is slow":   "",
		"well-known trouble": "", "3-4 pods are down": "", "INC-12345678901 is long": "",
	} {
		if got := ticket(reason); got != want {
			t.Errorf("%q: %q, want %q", reason, got, want)
		}
	}
}

func TestWrap(t *testing.T) {
	words := strings.TrimSuffix(strings.Repeat("four ", 18), " ") // 89 columns
	for line, want := range map[string]string{
		"": "", "short": "short",
		words[:79] + "x":  words[:79] + "x", // fits
		words[:79] + "xx": words[:74] + "\n  fourxx",
		words:             words[:79] + "\n  four four",
		"  " + words:      "  " + words[:74] + "\n    four four four",
		"Reason        " + words: "Reason        " + words[:64] + "\n" +
			strings.Repeat(" ", 14) + "four four four four four",
		"  MISS  " + words: "  MISS  " + words[:69] +
			"\n        four four four four",
		words[:40] + "  " + words[:49]: words[:40] + "  " + words[:34] +
			"\n  four four four",
		strings.Repeat("é", 78) + " e":          strings.Repeat("é", 78) + " e",
		"  " + strings.Repeat("x", 90) + " end": "  " + strings.Repeat("x", 90) + "\n    end",
		words[:60] + `with "pullgrant audit --dir .", please`: words[:60] + "with\n  \"pullgrant " +
			`audit --dir .", please`,
		words[:50] + "run: kubectl delete rolebinding -A": words[:49] + "\n  run: kubectl delete " +
			"rolebinding -A",
		"Reason  " + strings.Repeat("漢字", 30): "Reason  " + strings.Repeat("漢字", 18) + "\n        " +
			strings.Repeat("漢字", 12),
		words[:60] + "run `pullgrant audit --dir .`, please": words[:60] + "run\n  `pullgrant " +
			"audit --dir .`, please",
	} {
		if got := wrap(line); got != want {
			t.Errorf("%q:\n%q, want\n%q", line, got, want)
		}
	}
}

// TestTable: columns stand below each other whatever letters they hold, and cells lose what they may
// until the line fits.
func TestTable(t *testing.T) {
	rows := func() [][]string {
		return [][]string{{"NAME", "WHAT", "BY"}, {"日本語", "check 🚒 " + strings.Repeat("漢", 40), "e\u0301va"},
			{"a\x1b[2J", "", "bob"}}
	}
	var b strings.Builder
	if err := writeTable(&b, rows(), cut{1, 10}); err != nil {
		t.Fatal(err)
	}
	want := "NAME        WHAT" + strings.Repeat(" ", 61) + "BY\n" +
		"日本語      check 🚒 " + strings.Repeat("漢", 26) + "…   e\u0301va\n" +
		"a\\u{1b}[2J  -" + strings.Repeat(" ", 64) + "bob\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", &b, want)
	}
	for line := range strings.Lines(b.String()) {
		if n := columns(strings.TrimSuffix(line, "\n")); n > width {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}
