package main

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

// TestAwaiting: on a terminal a silence of a second is told, what is said then stands on a line of its
// own, and nothing is left of it; elsewhere, or on a dumb terminal, there is not a byte.
func TestAwaiting(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for seconds to go by")
	}
	screen, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer screen.Close()
	seen := make(chan string)
	go func() {
		text, _ := io.ReadAll(screen) // ends with an error when tty is closed
		seen <- string(text)
	}()
	term := "xterm"
	w := world{err: tty, now: time.Now, env: func(string) string { return term }}
	inside, stop := w.awaiting("GitHub")
	time.Sleep(1500 * time.Millisecond)
	inside.say("note: one")
	time.Sleep(time.Second)
	stop()
	stop()
	_, quick := w.awaiting("nothing")
	quick()
	term = "dumb"
	_, dumb := w.awaiting("nobody")
	time.Sleep(1200 * time.Millisecond)
	dumb()
	_ = tty.Close()
	const line, gone = "\r\x1b[Kwaiting for GitHub, ", "\r\x1b[K"
	got := <-seen
	if want := line + "1 s" + gone + "note: one\r\n" + line + "2 s" + gone; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	var file bytes.Buffer
	w.err = &file
	_, stop = w.awaiting("GitHub")
	time.Sleep(1200 * time.Millisecond)
	if stop(); file.Len() > 0 {
		t.Errorf("to a file: %q", &file)
	}
	pipe, end, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	w.err, term = end, "xterm"
	_, stop = w.awaiting("GitHub")
	time.Sleep(1200 * time.Millisecond)
	stop()
	_ = end.Close()
	if text, _ := io.ReadAll(pipe); strings.TrimSpace(string(text)) != "" {
		t.Errorf("to a pipe: %q", text)
	}
}
