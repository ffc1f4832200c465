package codeowners_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/pullgrant/pullgrant/policies/codeowners"
)

const codeownersTestdata = "../../testdata/codeowners"

// TestCodeownersCases runs testdata/codeowners/cases: a CODEOWNERS file (or CODEOWNERS.quoted, a Go
// string a line, for bytes that an editor would not keep), the findings it must have, and who owns
// some paths: the rule's line and owners, or - when no rule matches.
func TestCodeownersCases(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(codeownersTestdata, "cases", "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var input []byte
			want := map[string]string{}
			for _, f := range archive.Files {
				switch f.Name {
				case "CODEOWNERS":
					input = f.Data
				case "CODEOWNERS.quoted":
					for text := range strings.Lines(string(f.Data)) {
						s, err := strconv.Unquote(strings.TrimSpace(text))
						if err != nil {
							t.Fatalf("%s: %v", text, err)
						}
						input = append(input, s...)
					}
				case "findings", "owners":
					want[f.Name] = string(f.Data)
				default:
					t.Fatalf("unknown section %s", f.Name)
				}
			}
			c, findings := codeowners.Parse("CODEOWNERS", input)
			var got strings.Builder
			for _, f := range findings {
				fmt.Fprintln(&got, f)
			}
			if got.String() != want["findings"] {
				t.Errorf("findings:\n%swant:\n%s", got.String(), want["findings"])
			}
			if len(findings) > 0 && len(c.Rules) > 0 {
				t.Errorf("a refused file has rules: %v", c.Rules)
			}
			for text := range strings.Lines(want["owners"]) {
				path, owners, _ := strings.Cut(strings.TrimSpace(text), ": ")
				if got := describeOwners(c, path); got != owners {
					t.Errorf("owners of %s: got %q, want %q", path, got, owners)
				}
			}
		})
	}
}

func describeOwners(c codeowners.File, path string) string {
	rule, ok := c.Match(path)
	if !ok {
		return "-"
	}
	words := []string{fmt.Sprint(rule.Line)}
	for _, o := range rule.Owners {
		kind := "user"
		if o.Team {
			kind = "team"
		}
		words = append(words, fmt.Sprintf("%s=%s@%d", kind, o.Name, o.Column))
	}
	return strings.Join(words, " ")
}

func TestCodeownersSizeIsRefusedFromThreeMegabytes(t *testing.T) {
	rule := "/requests/ @org/security\n"
	fill := func(size int) []byte {
		return append(append([]byte("#"), bytes.Repeat([]byte("x"), size-len(rule)-2)...),
			"\n"+rule...)
	}
	c, findings := codeowners.Parse("CODEOWNERS", fill(2_999_999))
	if rule, ok := c.Match("requests/a"); len(findings) > 0 || !ok || rule.Line != 2 {
		t.Errorf("a rule after a comment of almost 3 MB: %v, %t, %v", rule, ok, findings)
	}
	c, findings = codeowners.Parse("CODEOWNERS", fill(3_000_000))
	if len(findings) != 1 || findings[0].Rule != codeowners.RuleSize || len(c.Rules) > 0 {
		t.Errorf("3,000,000 bytes: %v, rules %v", findings, c.Rules)
	}
}

func TestCodeownersFindingsAreBounded(t *testing.T) {
	_, findings := codeowners.Parse("CODEOWNERS", bytes.Repeat([]byte("!\n"), 1_000_000))
	if len(findings) != 100 {
		t.Errorf("got %d findings, want the first 100", len(findings))
	}
}

func FuzzParseCodeowners(f *testing.F) {
	for _, seed := range []string{
		"", "# comment\n\n*  @a\n", "/requests/prod/ @org/security @bob # both\n/apps/github\n",
		"a\\ b @a", "\\#a @b", "/ @x",
		"!a @b", "[x] @b", "* a@example.com", "\ufeff* @a", "* @a\r\n", "*\x00 @a", "\xff",
		"# \u2028* @a", "/a/@b", "**/ @a",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, findings := codeowners.Parse("CODEOWNERS", data)
		lines := strings.Split(string(data), "\n")
		for _, finding := range findings {
			if finding.Line < 1 || finding.Line > len(lines) || finding.Column < 1 ||
				finding.File != "CODEOWNERS" ||
				finding.Column > utf8.RuneCountInString(lines[finding.Line-1])+1 ||
				finding.Rule == "" || finding.Message == "" ||
				!utf8.ValidString(finding.Message) {
				t.Errorf("finding outside the file, or empty: %v", finding)
			}
		}
		if len(findings) > 0 && len(c.Rules) > 0 {
			t.Errorf("findings and rules: %v", findings)
		}
		again, findings := codeowners.Parse("CODEOWNERS", []byte(formatCodeowners(c)))
		if len(findings) > 0 || formatCodeowners(again) != formatCodeowners(c) {
			t.Errorf("formatted rules read differently: %v\n%s\n%s", findings, formatCodeowners(c),
				formatCodeowners(again))
		}
		for _, rule := range c.Rules {
			for _, owner := range rule.Owners {
				at := []rune(lines[rule.Line-1])[owner.Column-1:]
				if !strings.HasPrefix(string(at), "@"+owner.Name) ||
					owner.Team != strings.Contains(owner.Name, "/") {
					t.Errorf("owner %+v is not at its position: %q", owner, string(at))
				}
			}
		}
	})
}

func formatCodeowners(c codeowners.File) string {
	var out strings.Builder
	for _, rule := range c.Rules {
		out.WriteString(rule.Pattern)
		for _, owner := range rule.Owners {
			out.WriteString(" @" + owner.Name)
		}
		out.WriteString("\n")
	}
	return out.String()
}
