package main

import (
	"fmt"
	"io"
	"os"
	"regexp"
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
	section("Examples", setIn(cmd.Example, columns))
	usage := wrapAt("  "+cmd.UseLine(), columns)
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

// setIn has lines that are set in fit: a command goes on behind a backslash, as a shell takes it, and
// anything else below its text.
func setIn(text string, most int) string {
	var lines []string
	for line := range strings.SplitSeq(continued.ReplaceAllString(text, " "), "\n") {
		switch command := strings.TrimLeft(line, " "); {
		case columns(line) <= most:
		case shellCommand.MatchString(command):
			line = brokenCommand(command, most)
		default:
			line = wrapAt(line, most)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

var (
	continued    = regexp.MustCompile(` *\\\n *|\n {8,}`)
	shellCommand = regexp.MustCompile(`^(?:kubectl|gh|` + program + `) `)
	// shellPart is where a command may be broken: before a flag, a pipe or a redirection, or, where it
	// has none of them, before a word.
	shellPart = regexp.MustCompile(`(?:[|>&]+ ?)?` + shellText + `+(?: +(?:'[^']*'|"[^"]*"|[^-|>& '"])` +
		shellText + `*)?`)
)

const shellText = `(?:'[^']*'|"[^"]*"|[^ '"])`

// brokenCommand is a command in lines that a shell takes for one.
func brokenCommand(command string, most int) string {
	var lines []string
	line := " "
	for _, part := range shellPart.FindAllString(command, -1) {
		if columns(line+" "+part+` \`) > most && strings.TrimSpace(line) != "" {
			lines = append(lines, line+` \`)
			line = "   "
		}
		line += " " + part
	}
	return strings.Join(append(lines, line), "\n")
}

// reflow fills paragraphs.
func reflow(text string, columns int) string {
	paragraphs := strings.Split(strings.TrimSpace(text), "\n\n")
	for i, p := range paragraphs {
		head, lines, set := strings.Cut(p, "\n  ") // such as a list of exit codes under its heading
		switch {
		case strings.HasPrefix(p, "  "):
			paragraphs[i] = setIn(p, columns)
		case set:
			paragraphs[i] = fill(head, columns) + "\n" + setIn("  "+lines, columns)
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
