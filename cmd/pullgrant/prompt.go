package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// newPrompt returns a function that asks a question; nil where nobody is there to answer.
func newPrompt(w world) func(question string) string {
	file, ok := w.in.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return nil
	}
	lines := bufio.NewReader(io.LimitReader(file, 1<<16))
	return func(question string) string {
		fmt.Fprintf(w.err, "%s: ", question)
		answer, err := lines.ReadString('\n')
		if err != nil {
			return ""
		}
		return strings.TrimSpace(answer)
	}
}
