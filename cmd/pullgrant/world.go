package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// world is everything a command takes from outside.
type world struct {
	in  io.Reader
	out io.Writer // data
	err io.Writer // talk
	env func(string) string
	now func() time.Time
}

// say writes one line of talk. Its text may come from a pull request or a server, so it is made
// plain.
func (w world) say(format string, args ...any) {
	fmt.Fprintln(w.err, lineFor(w.err, plain(fmt.Sprintf(format, args...))))
}

// lineFor is a line as it is, or for a terminal one that ends between two words where it does. What is
// to be copied stays one line.
func lineFor(out io.Writer, line string) string {
	file, ok := out.(*os.File)
	if ok && term.IsTerminal(int(file.Fd())) && !shellCommand.MatchString(strings.TrimLeft(line, " ")) {
		return wrapAt(line, columnsOf(out))
	}
	return line
}
