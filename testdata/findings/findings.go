// Package findings checks what parsers say of files, whatever is in them.
package findings

import (
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/requests"
)

// Within fails for a finding that stands nowhere in the file, says nothing, or says it on two
// lines.
func Within(t *testing.T, data []byte, all []requests.Finding) {
	t.Helper()
	lines := strings.Split(string(data), "\n")
	for _, f := range all {
		switch {
		case f.Line < 1 || f.Line > len(lines):
			t.Fatalf("finding outside a file of %d lines: %+v", len(lines), f)
		case f.Column < 1 || f.Column > len([]rune(lines[f.Line-1]))+1:
			t.Fatalf("finding outside its line %q: %+v", lines[f.Line-1], f)
		case f.Rule == "" || f.Message == "":
			t.Fatalf("finding that says nothing: %+v", f)
		case strings.Contains(f.String(), "\n"):
			t.Fatalf("finding on two lines: %q", f)
		}
	}
}
