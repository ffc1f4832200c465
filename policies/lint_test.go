package policies_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/pullgrant/pullgrant/policies"
)

const lintDir = "../testdata/lint"

// lintTime is when windows are looked at.
var lintTime = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// lintTree is the repository of clean.txtar with the files of an archive laid over it.
func lintTree(t testing.TB, archive *txtar.Archive) (policies.Tree, string) {
	t.Helper()
	clean, err := txtar.ParseFile(filepath.Join(lintDir, "clean.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	files, want := fstest.MapFS{}, ""
	for _, f := range slices.Concat(clean.Files, archive.Files) {
		if f.Name == wantSection {
			want = string(f.Data)
			continue
		}
		files[f.Name] = &fstest.MapFile{Data: f.Data}
	}
	tree, err := policies.ReadTree(files, "")
	if err != nil {
		t.Fatal(err)
	}
	return tree, want
}

// TestLint holds each repository under testdata/lint to the findings at its end; the file's name
// says the rule that one of them has.
func TestLint(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(lintDir, "*.txtar"))
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	shown := map[string]bool{}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			tree, want := lintTree(t, archive)
			got := ""
			for _, f := range tree.Lint(lintTime) {
				got += f.String() + "\n"
				shown[f.Rule] = true
			}
			if *update {
				writeWant(t, file, archive, got)
			} else if got != want {
				t.Errorf("got:\n%swant:\n%s", got, want)
			}
		})
	}
	for _, rule := range lintRules(t) {
		if !shown[rule] && !t.Failed() {
			t.Errorf("no repository under testdata/lint shows %s", rule)
		}
	}
}

// lintRules are the rules in the source of lint and of the risks it tells.
func lintRules(t *testing.T) []string {
	t.Helper()
	rules := map[string]bool{}
	for file, pattern := range map[string]string{
		"lint.go":           `Rule[A-Z][A-Za-z]+ += "([a-z-]+[a-z])"`,
		"rbac/risks.go":     `(?:[cC]ode: |add\()"([a-z-]+)"`,
		"catalogue.go":      `Risk\{+Code: "([a-z-]+)"`,
		"rbac/catalogue.go": `Risk\{+Code: "([a-z-]+)"`,
	} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(pattern).FindAllStringSubmatch(string(source), -1)
		if len(found) < 1 {
			t.Fatalf("%s: %d rules; the pattern does not find them", file, len(found))
		}
		for _, m := range found {
			rule := m[1]
			if file != "lint.go" {
				rule = policies.RuleRole + rule
			}
			rules[rule] = true
		}
	}
	return slices.Sorted(maps.Keys(rules))
}

// TestLintPage holds docs/lint.md to the rules: each is explained once, and nothing else is.
func TestLintPage(t *testing.T) {
	page, err := os.ReadFile("../docs/lint.md")
	if err != nil {
		t.Fatal(err)
	}
	var explained []string
	for _, row := range regexp.MustCompile(
		"(?m)^\\| `([a-z-]+)` \\| (.+) \\| (.+) \\|$").FindAllStringSubmatch(string(page), -1) {
		explained = append(explained, row[1])
	}
	slices.Sort(explained)
	if rules := lintRules(t); !slices.Equal(explained, rules) {
		t.Errorf("docs/lint.md explains\n%v\nand the code has\n%v", explained, rules)
	}
}

// What the example repository shows is what we would ship.
func TestExampleRepositoryIsLintedClean(t *testing.T) {
	tree, err := policies.ReadTree(os.DirFS(accessrepo), "")
	if err != nil {
		t.Fatal(err)
	}
	if findings := tree.Lint(lintTime); len(findings) > 0 {
		t.Error(findings)
	}
	if file := tree.OwnersFile(); len(file.Findings) > 0 || file.Before != file.After {
		t.Errorf("%v; wanted:\n%s", file.Findings, file.After)
	}
	results, findings := tree.RunTests()
	if len(findings) > 0 || len(results) < 5 {
		t.Errorf("%d cases, %v", len(results), findings)
	}
	for _, r := range results {
		if !r.Passed {
			t.Error(fmt.Sprintf("%s:%d: %s", r.File, r.Line, r.Name), r.Got, r.Message)
		}
	}
}
