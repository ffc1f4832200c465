package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/policies"
)

// TestREADME runs every command that README shows, in its order. What README asks the reader to do
// in words, to put the new repository on GitHub, happens before the first command that needs it.
// Targets of make are run by CI and by the demo's own test; here they must exist.
func TestREADME(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	published := false
	commands := readmeCommands(string(readme))
	for _, command := range commands {
		if target, ok := strings.CutPrefix(command, "make "); ok {
			if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(target) + `:`).Match(makefile) {
				t.Errorf("README shows %q, which is no target of the Makefile", command)
			}
			continue
		}
		if !published && needsGitHub(command) {
			published = true
			script.WriteString("forge access\nexec git init -q access\nexec git -C access add -A\n" +
				"exec git -C access -c user.name=root -c user.email=root@example.com commit -q -m Start\n")
		}
		words, file, redirected := strings.Cut(command, " > ")
		if strings.HasPrefix(words, "pullgrant init") {
			// a test binary does not know its commit
			words += " --action pullgrant/pullgrant@" + strings.Repeat("0123456789", 4)
		}
		want := 0
		if strings.Contains(words, " evaluate ") || strings.Contains(words, " show ") {
			want = exitPending // nobody has reviewed
		}
		fmt.Fprintf(&script, "exits %d %s\n", want, strings.ReplaceAll(words, `"`, `'`))
		if redirected {
			fmt.Fprintf(&script, "cp stdout %s\n", file)
		}
	}
	if len(commands) < 8 {
		t.Fatalf("README shows %d commands; the blocks are not found", len(commands))
	}
	file := filepath.Join(t.TempDir(), "readme.txtar")
	if err := os.WriteFile(file, []byte(script.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	runScripts(t, file)
}

// TestREADMEPolicy holds the policy that README shows to the loader.
func TestREADMEPolicy(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	if len(blocks) != 1 {
		t.Fatalf("README shows %d policies, want 1", len(blocks))
	}
	if _, findings := policies.ParsePolicy(policies.Path("payments-debug"),
		[]byte(blocks[0][1])); len(findings) > 0 {
		t.Error(findings)
	}
}

func needsGitHub(command string) bool {
	for _, word := range []string{" request ", " show ", " facts ", " audit "} {
		if strings.Contains(command, word) {
			return true
		}
	}
	return false
}

// readmeCommands are the lines of the blocks marked sh, without their comments.
func readmeCommands(text string) []string {
	var commands []string
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(text,
		-1) {
		for line := range strings.Lines(block[1]) {
			line, _, _ = strings.Cut(line, " #")
			if line = strings.TrimSpace(line); line != "" {
				commands = append(commands, line)
			}
		}
	}
	return commands
}
