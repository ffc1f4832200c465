package faults

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEveryRowIsATest: each row of the table names a test that exists, and each test that prints a
// row has one.
func TestEveryRowIsATest(t *testing.T) {
	page, err := os.ReadFile("docs/faults.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("testdata/faults/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	prints := map[string]bool{}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, body := range regexp.MustCompile(
			`(?ms)^func ((?:Test|Benchmark)\w+)\(.*?^}`).FindAllStringSubmatch(string(source), -1) {
			prints[body[1]] = strings.Contains(body[0], "\ts.row(")
		}
	}
	named := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\|.*\\| `(\\w+)` \\|$").FindAllStringSubmatch(
		string(page), -1) {
		named[row[1]] = true
		if _, exists := prints[row[1]]; !exists {
			t.Errorf("docs/faults.md names %s, which does not exist", row[1])
		}
	}
	for test, row := range prints {
		if row && !named[test] {
			t.Errorf("%s prints a row that docs/faults.md does not have", test)
		}
	}
	if len(named) < 15 {
		t.Errorf("only %d rows were found", len(named))
	}
}
