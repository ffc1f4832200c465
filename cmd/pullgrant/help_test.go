package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestHelpFits: on a terminal of 80 columns no line of any help is cut, by the longest name that the
// program is called by; but a message of kubectl, which is one word to the shell.
func TestHelpFits(t *testing.T) {
	root := newRoot(world{}, "kubectl-pullgrant")
	strict(root)
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		for line := range strings.Lines(writeHelp(cmd, width)) {
			line = strings.TrimSuffix(line, "\n")
			if columns(line) > width && !strings.Contains(line, " is forbidden: ") {
				t.Errorf("%s: %d columns: %s", cmd.CommandPath(), columns(line), line)
			}
		}
		for _, below := range cmd.Commands() {
			walk(below)
		}
	}
	walk(root)
}

// TestBrokenCommand: a command that is too long for a line stays one to a shell.
func TestBrokenCommand(t *testing.T) {
	for command, want := range map[string]string{
		`pullgrant one --two "three four"`:           "  pullgrant one \\\n    --two \"three four\"",
		`pullgrant one 'it is' --two | jq '.[] | x'`: "  pullgrant one 'it is' \\\n    --two | jq '.[] | x'",
	} {
		if got := brokenCommand(command, 28); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", command, got, want)
		}
	}
}
