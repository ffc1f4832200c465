package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestShellDoc: every line that docs/shell.md has people run in bash, and what it shows, is in the
// session that runs it.
func TestShellDoc(t *testing.T) {
	text, err := os.ReadFile(top + "/docs/shell.md")
	if err != nil {
		t.Fatal(err)
	}
	session, err := os.ReadFile(top + "/testdata/script/shell.txtar")
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, m := range regexp.MustCompile("(?s)```(?:sh|text)\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		for line := range strings.Lines(m[1]) {
			shown := strings.TrimSuffix(strings.TrimPrefix(line, "$ "), "\n")
			if strings.HasPrefix(shown, "Error from server") {
				shown = strings.NewReplacer("(", ".", ")", ".").Replace(shown) // as a pattern
			}
			if lines++; !strings.Contains(string(session), shown) {
				t.Errorf("docs/shell.md shows %q, which its session does not", shown)
			}
		}
	}
	if lines < 15 {
		t.Errorf("docs/shell.md shows %d lines", lines)
	}
}
