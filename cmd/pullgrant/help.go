package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// widest is how many columns of text can be read well.
const widest = 110

// columnsOf are those of a terminal, at least width; of anything else width.
func columnsOf(out io.Writer) int {
	if file, ok := out.(*os.File); ok {
		if columns, _, err := term.GetSize(int(file.Fd())); err == nil {
			return max(columns, width)
		}
	}
	return width
}

// writeHelp tells what a command does, with examples first: who is in a hurry reads no further.
func writeHelp(cmd *cobra.Command, columns int) string {
	var b strings.Builder
	section := func(head, text string) {
		if text = strings.TrimRight(text, "\n"); text != "" {
			fmt.Fprintf(&b, "\n%s:\n%s\n", head, text)
		}
	}
	fmt.Fprintln(&b, fill(cmd.Short+".", columns))
	section("Examples", cmd.Example)
	usage := "  " + cmd.UseLine()
	if cmd.HasAvailableSubCommands() {
		usage += "\n  " + cmd.CommandPath() + " [command]"
	}
	section("Usage", usage)
	if cmd.Long != "" {
		fmt.Fprintf(&b, "\n%s\n", reflow(cmd.Long, columns))
	}
	section("Commands", commandList(cmd, columns))
	section("Flags", cmd.LocalFlags().FlagUsagesWrapped(columns))
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\nUse \"%s [command] --help\" for more about a command.\n", cmd.CommandPath())
	}
	return b.String()
}

func commandList(cmd *cobra.Command, columns int) string {
	var b strings.Builder
	for _, below := range cmd.Commands() {
		if below.IsAvailableCommand() || below.Name() == "help" {
			label := fmt.Sprintf("  %-*s  ", cmd.NamePadding(), below.Name())
			indent := strings.Repeat(" ", len(label))
			text := fill(below.Short, columns-len(label))
			fmt.Fprintln(&b, label+strings.ReplaceAll(text, "\n", "\n"+indent))
		}
	}
	return b.String()
}

// reflow fills paragraphs, and leaves what is set in as it is.
func reflow(text string, columns int) string {
	paragraphs := strings.Split(strings.TrimSpace(text), "\n\n")
	for i, p := range paragraphs {
		head, lines, set := strings.Cut(p, "\n  ") // such as a list of exit codes under its heading
		switch {
		case strings.HasPrefix(p, "  "):
		case set:
			paragraphs[i] = fill(head, columns) + "\n  " + lines
		default:
			paragraphs[i] = fill(p, columns)
		}
	}
	return strings.Join(paragraphs, "\n\n")
}

// fill breaks text into lines of at most so many columns, at its blanks.
func fill(text string, most int) string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case columns(line)+1+columns(word) > most:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return strings.Join(append(lines, line), "\n")
}
