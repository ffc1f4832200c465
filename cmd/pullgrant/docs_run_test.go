package main

import (
	"errors"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// ranWhole are the documents of which a test runs each command: TestREADME, TestAuditDocs,
// TestShellDoc, TestSetupRuns, TestKeysRun, TestGitOpsRuns and TestCookbook. Of blocks marked bash
// they read those that speak to GitHub, or wait for pods.
var ranWhole = []string{"README.md", "docs/audit.md", "docs/shell.md", "docs/setup.md", "docs/keys.md",
	"docs/gitops/README.md", "docs/cookbook/*.md"}

var (
	fence    = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")
	joined   = regexp.MustCompile(`\\\n\s*`)
	programs = regexp.MustCompile(`^(?:\$ )?(?:pullgrant|kubectl|gh) `)
)

// TestEveryCommandIsRun: what a document shows to run, a session runs as it is shown.
func TestEveryCommandIsRun(t *testing.T) {
	sessions := alikeQuoted(sessions(t))
	looked := 0
	for document, text := range documents(t) {
		name, err := filepath.Rel(top, document)
		if err != nil {
			t.Fatal(err)
		}
		whole := slices.ContainsFunc(ranWhole, func(pattern string) bool {
			ok, _ := filepath.Match(pattern, name)
			return ok
		})
		for _, block := range fence.FindAllStringSubmatch(text, -1) {
			for line := range strings.Lines(joined.ReplaceAllString(block[2], "")) {
				line = strings.TrimSpace(line)
				if !programs.MatchString(line) || strings.Contains(line, "──") { // a drawing
					continue
				}
				looked++
				ran := whole && (block[1] != "bash" || !strings.HasPrefix(line, program+" "))
				switch {
				case block[1] == "":
					t.Errorf("%s: the block with %q is marked as no language", name, line)
				case !ran && !strings.Contains(sessions, alikeQuoted(line)+"\n") &&
					!strings.Contains(sessions, alikeQuoted(line)+`"`):
					t.Errorf("%s shows %q, which no session runs", name, line)
				}
			}
		}
	}
	if looked < 60 {
		t.Errorf("%d commands are shown; they are not found", looked)
	}
}

// alikeQuoted is a text with one sort of quotes: in a session the shell's are quoted once more.
func alikeQuoted(text string) string { return strings.ReplaceAll(text, "'", `"`) }

// TestCommandsInProse: each command that stands in a sentence is one, with flags that it has. What
// only hints at the rest, by …, is a command up to there.
func TestCommandsInProse(t *testing.T) {
	inProse := regexp.MustCompile("`(?:kubectl |gh )?pullgrant( [^`]+)`")
	looked := 0
	for document, text := range documents(t) {
		for _, m := range inProse.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			looked++
			words, _, _ := strings.Cut(m[1], "…")
			words, _, _ = strings.Cut(words, "|")
			if problem := understood(strings.Fields(words)); problem != "" {
				t.Errorf("%s: `pullgrant%s`: %s", document, m[1], problem)
			}
		}
	}
	if looked < 60 {
		t.Errorf("%d commands stand in sentences; they are not found", looked)
	}
}

// understood tells what is wrong with a command line; its values are not looked at.
func understood(words []string) string {
	root := newRoot(world{out: io.Discard, err: io.Discard}, program)
	cmd, rest, err := root.Find(words)
	if err != nil {
		return err.Error()
	}
	if len(rest) > 0 && cmd.HasSubCommands() && !strings.HasPrefix(rest[0], "-") {
		return "no such command: " + rest[0]
	}
	cmd.InitDefaultHelpFlag()
	var unknown *pflag.NotExistError
	if err := cmd.ParseFlags(rest); errors.As(err, &unknown) && unknown.GetSpecifiedName() != "version" {
		return err.Error()
	}
	return ""
}
