package main

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/pullgrant/pullgrant/policies"
)

// TestLinks holds that each link between documents leads to a file, and where it names a heading to
// that heading.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^):#]*)(?:#([^)]*))?\)`)
	looked := 0
	for document, text := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			looked++
			to := document
			if m[1] != "" {
				to = filepath.Join(filepath.Dir(document), m[1])
			}
			if problem := dead(to, m[2]); problem != "" {
				t.Errorf("%s: %s: %s", document, m[0], problem)
			}
		}
	}
	if looked < 100 {
		t.Errorf("%d links were found", looked)
	}
}

// TestLinksFromCode: each document that code, messages, templates and workflows name is there, and
// so is the heading; of refusals, that of each code.
func TestLinksFromCode(t *testing.T) {
	named := regexp.MustCompile(`\bdocs/[\w/-]+\.(?:md|json)(?:#([\w-]+))?`)
	looked := 0
	err := fs.WalkDir(os.DirFS(top), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains([]string{".git", ".cache", "bin", "testdata"}, entry.Name()):
			return fs.SkipDir
		case entry.IsDir() || strings.HasSuffix(name, "_test.go") || !slices.Contains([]string{".go", ".md", ".txt",
			".yml", ".yaml", ".sh", ".tmpl", ".html", ""}, path.Ext(name)):
			return nil
		}
		text, err := os.ReadFile(filepath.Join(top, name))
		if err != nil {
			return err
		}
		for _, m := range named.FindAllStringSubmatch(string(text), -1) {
			looked++
			file, _, _ := strings.Cut(m[0], "#")
			if problem := dead(filepath.Join(top, file), m[1]); problem != "" {
				t.Errorf("%s: %s: %s", name, m[0], problem)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// that each code has a heading, TestCodesAreDocumented holds
	_, to, _ := strings.Cut(policies.DurationOutOfRange.Help(), "/blob/main/")
	file, heading, _ := strings.Cut(to, "#")
	if problem := dead(filepath.Join(top, file), heading); problem != "" {
		t.Errorf("%s: %s", policies.DurationOutOfRange.Help(), problem)
	}
	if looked < 50 {
		t.Errorf("%d documents are named", looked)
	}
}

// dead tells why a link to a heading of a file leads nowhere; without a heading, to the file.
func dead(file, heading string) string {
	if heading == "" {
		if _, err := os.Stat(file); err != nil {
			return err.Error()
		}
		return ""
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	if !slices.Contains(anchors(string(text)), heading) {
		return "no heading of that name"
	}
	return ""
}

// anchors are the names that GitHub gives the headings of a document, in their order
// (https://docs.github.com/get-started/writing-on-github, "Section links").
func anchors(text string) (names []string) {
	times := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^#+ +(.*)$`).FindAllStringSubmatch(
		fence.ReplaceAllString(text, ""), -1) {
		shown := regexp.MustCompile(`\[([^]]*)\]\([^)]*\)`).ReplaceAllString(m[1], "$1")
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, strings.TrimSpace(shown))
		times[name]++
		if times[name] > 1 {
			name = fmt.Sprintf("%s-%d", name, times[name]-1)
		}
		names = append(names, name)
	}
	return names
}
