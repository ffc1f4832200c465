package main

import (
	"fmt"
	"io"
	"time"
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
	fmt.Fprintln(w.err, plain(fmt.Sprintf(format, args...)))
}
