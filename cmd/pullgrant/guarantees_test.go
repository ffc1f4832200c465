package main

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestGuarantees holds docs/guarantees.md to the code: every file and test that it names for a
// promise is there, and whatever file names a promise stands in the table of that promise.
func TestGuarantees(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(top, "docs/guarantees.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(page), "\n## ")
	sections := strings.Split(text, "\n## ")
	named := map[string][]string{} // files by promise
	row := regexp.MustCompile("(?m)^\\| `([^` ]+)`(?: `(\\w+)`)? \\| \\S.* \\|$")
	for _, section := range sections {
		promise, _, _ := strings.Cut(section, ":")
		tests := 0
		for _, m := range row.FindAllStringSubmatch(section, -1) {
			file, test := m[1], m[2]
			source, err := os.ReadFile(filepath.Join(top, file))
			if err != nil {
				t.Errorf("%s: %v", promise, err)
			}
			declared := regexp.MustCompile(`(?m)^func ` + test + `\(\w+ \*testing\.[TF]\)`)
			switch {
			case test != "" && !declared.Match(source):
				t.Errorf("%s: %s has no test %s", promise, file, test)
			case test != "":
				tests++
			case strings.HasSuffix(file, "_test.go"):
				t.Errorf("%s: which test of %s?", promise, file)
			}
			named[promise] = append(named[promise], file)
		}
		if rows := strings.Count(section, "\n| `"); tests < 2 || rows != len(named[promise]) {
			t.Errorf("%s: %d tests, and %d of %d rows are read",
				promise, tests, len(named[promise]), rows)
		}
	}
	mention := regexp.MustCompile(`(?:^|[^"])\b(G[1-9])\b`) // a quote begins the name of a simulation's rule
	mentions := 0
	err = fs.WalkDir(os.DirFS(top), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			if err == nil && slices.Contains([]string{".git", ".cache", "bin", "docs"}, name) {
				err = fs.SkipDir
			}
			return err
		}
		if !slices.Contains([]string{".go", ".yaml", ".txtar"}, path.Ext(name)) {
			return nil
		}
		data, err := os.ReadFile(filepath.Join(top, name))
		for _, found := range mention.FindAllStringSubmatch(string(data), -1) {
			promise := found[1]
			mentions++
			if !slices.Contains(named[promise], name) {
				t.Errorf("%s speaks of %s, whose table does not name it", name, promise)
			}
		}
		return err
	})
	if err != nil || mentions < 20 || len(sections) != 8 {
		t.Errorf("%d promises, %d mentions, %v", len(sections), mentions, err)
	}
}
