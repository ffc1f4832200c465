package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"
)

// statusLine tells how something stands while it is waited for: on a terminal in one line that is
// written over, elsewhere in a line with the time whenever it changes.
type statusLine struct {
	out   io.Writer
	width func() int // columns of the terminal; nil: out is none
	now   func() time.Time
	since time.Time
	text  string
}

func newStatusLine(w world) *statusLine {
	s := &statusLine{out: w.err, now: w.now, since: w.now()}
	file, ok := w.err.(*os.File)
	if ok && term.IsTerminal(int(file.Fd())) && w.env("TERM") != "dumb" {
		s.width = func() int {
			columns, _, err := term.GetSize(int(file.Fd()))
			if err != nil || columns < 1 {
				return width
			}
			return columns
		}
	}
	return s
}

// set has the line say something else from now on.
func (s *statusLine) set(text string) {
	changed := text != s.text
	s.text = text
	switch now := s.now(); {
	case s.width != nil:
		fmt.Fprint(s.out, "\r\x1b[K"+fitted(plain(text)+", "+span(now.Sub(s.since)), s.width()-1))
	case changed:
		fmt.Fprintf(s.out, "%s  %s\n", moment(now, now, now.Location()), plain(text))
	}
}

// wait passes time, or ends as soon as ctx does. On a terminal the line goes on telling for how long
// it has been so.
func (s *statusLine) wait(ctx context.Context, pause time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, pause)
	defer cancel()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if s.width != nil {
				s.set(s.text)
			}
		}
	}
}

// clear takes the line off the terminal, where other lines may follow.
func (s *statusLine) clear() {
	if s.width != nil {
		fmt.Fprint(s.out, "\r\x1b[K")
	}
}
