package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
	"github.com/rogpeppe/go-internal/testscript"
)

// drawn is a program on a terminal, of 80 columns unless DRAWN_COLUMNS says otherwise: what it draws,
// and what is typed.
type drawn struct {
	cmd    *exec.Cmd
	tty    *os.File
	screen *display
	out    bytes.Buffer
	raw    bytes.Buffer  // what was drawn, once read is closed
	read   chan struct{} // closed when all that it drew is on the screen
}

// display is a terminal that is written to and looked at at the same time. The library's own safe one
// leaves out String.
type display struct {
	*vt.Emulator
	mu sync.Mutex
}

func (d *display) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.Emulator.Write(p)
}

func (d *display) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.Emulator.String()
}

const drawnRows = 40

// draw starts a program on a terminal, with stdout beside it: draw PROGRAM ARGUMENTS...
func draw(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: draw PROGRAM ARGUMENTS...")
	}
	columns := width
	if text := ts.Getenv("DRAWN_COLUMNS"); text != "" {
		var err error
		columns, err = strconv.Atoi(text)
		ts.Check(err)
	}
	d := newDrawn(ts, columns, drawnRows, args)
	d.cmd.Stdout = &d.out
	tty, err := pty.StartWithSize(d.cmd, &pty.Winsize{Rows: drawnRows, Cols: uint16(columns)})
	ts.Check(err)
	d.tty = tty
	go func() { _, _ = io.Copy(tty, d.screen) }() // what a terminal answers when it is asked
	go func() {
		_, _ = io.Copy(io.MultiWriter(d.screen, &d.raw), tty) // ends with an error when the program does
		close(d.read)
	}()
	of(ts).drawn = d
	ts.Defer(func() {
		_ = d.cmd.Process.Kill()
		_ = d.tty.Close()
	})
}

func newDrawn(ts *testscript.TestScript, columns, rows int, args []string) *drawn {
	d := &drawn{cmd: exec.Command(args[0], args[1:]...), read: make(chan struct{}),
		screen: &display{Emulator: vt.NewEmulator(columns, rows)}}
	for _, name := range []string{"GITHUB_TOKEN", "GITHUB_API_URL", "GITHUB_REPOSITORY", "HOME", "PATH",
		"NO_COLOR", "TERM", "TZ", "KUBECONFIG"} {
		if value := ts.Getenv(name); value != "" {
			d.cmd.Env = append(d.cmd.Env, name+"="+value)
		}
	}
	d.cmd.Env = append(d.cmd.Env, "GORACE=exitcode=0 log_path="+ts.MkAbs("races")) // not on the screen
	d.cmd.Dir = ts.MkAbs(".")
	return d
}

// shows runs a program that asks nothing on a terminal and writes what then stands there to a file:
// shows COLUMNS FILE PROGRAM ARGUMENTS...
func shows(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: shows COLUMNS FILE PROGRAM ARGUMENTS...")
	}
	columns, err := strconv.Atoi(args[0])
	ts.Check(err)
	const rows = 300
	d := newDrawn(ts, columns, rows, args[2:])
	tty, end, err := pty.Open()
	ts.Check(err)
	defer tty.Close()
	ts.Check(pty.Setsize(tty, &pty.Winsize{Rows: rows, Cols: uint16(columns)}))
	d.cmd.Stdout, d.cmd.Stderr = end, end
	ts.Check(d.cmd.Start())
	go func() { // ends with an error when the program does
		_, _ = io.Copy(io.MultiWriter(d.screen, &d.raw), tty)
		close(d.read)
	}()
	var exit *exec.ExitError
	if err := d.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		ts.Fatalf("run it: %v", err)
	}
	_ = end.Close()
	<-d.read
	of(ts).drawn = d
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(alikeDrawn(d.text())), 0o644))
}

// alikeDrawn is a screen without what is another one in each run.
func alikeDrawn(text string) string {
	for same, pattern := range varying {
		text = pattern.ReplaceAllString(text, same)
	}
	return text
}

// text is what stands on the screen.
func (d *drawn) text() string {
	var lines []string
	for line := range strings.SplitSeq(d.screen.String(), "\n") {
		lines = append(lines, strings.TrimRight(line, " "))
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n") + "\n"
}

// see waits until a text stands on the screen: see TEXT.
func see(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: see TEXT")
	}
	d := of(ts).drawn
	if !d.until(func(text string) bool { return strings.Contains(text, args[0]) }) {
		ts.Fatalf("%q is not on the screen:\n%s", args[0], d.text())
	}
}

// until waits, for a minute at most, until the screen is as it should be, and tells whether it is.
func (d *drawn) until(is func(text string) bool) bool {
	for deadline := time.Now().Add(time.Minute); !is(d.text()); {
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(10 * time.Millisecond)
	}
	return true
}

var keys = map[string]string{"enter": "\r", "down": "\x1b[B", "ctrl-c": "\x03", "ctrl-d": "\x04",
	"esc": "\x1b", "ctrl-u": "\x15"}

// press types the keys: press KEY..., each a name of keys or a text.
func press(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: press KEY...")
	}
	for _, key := range args {
		if named, ok := keys[key]; ok {
			key = named
		}
		_, err := io.WriteString(of(ts).drawn.tty, key)
		ts.Check(err)
	}
}

var varying = map[string]*regexp.Regexp{
	"20261122-":         regexp.MustCompile(`\b2[0-9]{7}-`),
	"0123456789ab":      regexp.MustCompile(`\b[0-9a-f]{12}\b`),
	"08:00:00 UTC":      regexp.MustCompile(`([0-9-]{10} )?[0-9:]{8} UTC`),
	"ends in 29 min":    regexp.MustCompile(`ends in (29|30) min`),
	", 5 s\n":           regexp.MustCompile(`, [0-9]+ s\n`),
	"http://127.0.0.1/": regexp.MustCompile(`http://127\.0\.0\.1:[0-9]+/`),
}

// screenIs waits until what a file holds stands on the screen, and nothing else, with dates and ports made
// alike: screen FILE.
func screenIs(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: screen FILE")
	}
	d, want := of(ts).drawn, ts.ReadFile(args[0])
	if !d.until(func(text string) bool { return alikeDrawn(text) == want }) {
		ts.Fatalf("%s is not what is on the screen:\n%s", args[0], alikeDrawn(d.text()))
	}
}

// ends waits for the program, compares its exit code and writes its stdout to a file: ends CODE FILE.
func ends(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: ends CODE FILE")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	d := of(ts).drawn
	stuck := time.AfterFunc(3*time.Minute, func() { _ = d.cmd.Process.Kill() })
	defer stuck.Stop()
	err = d.cmd.Wait()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		ts.Fatalf("run it: %v", err)
	}
	<-d.read
	noRaces(ts)
	if got := d.cmd.ProcessState.ExitCode(); got != want {
		ts.Fatalf("exit code %d, want %d; it shows:\n%s", got, want, d.text())
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), d.out.Bytes(), 0o644))
}

// access matches a place in the report of a race, and doer the innermost function of it that is not of
// Go's own packages.
var (
	access = regexp.MustCompile(`(?ms)^(?:Previous )?(?:atomic )?(?:read|write|Read|Write) at .*?\n\n`)
	doer   = regexp.MustCompile(`(?m)^  ((?:main|[a-z0-9-]+\.[a-z]+/[^ ]*)\..*)$`)
)

// noRaces fails where the race detector saw our own code race. The library that draws does with itself
// now and then.
func noRaces(ts *testscript.TestScript) {
	reports, err := filepath.Glob(ts.MkAbs("races.*"))
	ts.Check(err)
	for _, name := range reports {
		text, err := os.ReadFile(name)
		ts.Check(err)
		places := access.FindAll(text, -1)
		ours := len(places) == 0
		for _, place := range places {
			by := doer.FindSubmatch(place)
			ours = ours || by == nil || bytes.HasPrefix(by[1], []byte("main.")) ||
				bytes.HasPrefix(by[1], []byte("github.com/pullgrant/"))
		}
		if ours {
			ts.Fatalf("it races:\n%s", text)
		}
		ts.Logf("the library that draws races:\n%s", text)
	}
}

// coloured tells whether a program that has ended drew in colour: coloured.
func coloured(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 0 {
		ts.Fatalf("usage: coloured")
	}
	if is := regexp.MustCompile(`\x1b\[[0-9;]*[39][0-7](;[0-9;]*)?m`).Match(of(ts).drawn.raw.Bytes()); is == neg {
		ts.Fatalf("colour: %v", is)
	}
}

// TestNothingIsWrittenToAsk: a program that asks nothing sends no terminal a question either, as
// libraries that draw do when they start.
func TestNothingIsWrittenToAsk(t *testing.T) {
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	cmd := exec.Command("pullgrant", "schema", "Nothing")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.Env = append(os.Environ(), "TERM=xterm-256color")
	err = cmd.Run()
	_ = tty.Close()
	said, _ := io.ReadAll(master)
	if err == nil || bytes.ContainsRune(said, '\x1b') || !bytes.Contains(said, []byte("pullgrant: ")) {
		t.Errorf("error %v, and it wrote %q", err, said)
	}
}

// TestAskingIsDrawn holds that the screens which the document shows are those of the program.
func TestAskingIsDrawn(t *testing.T) {
	text, err := os.ReadFile("../../docs/asking.md")
	if err != nil {
		t.Fatal(err)
	}
	session, err := os.ReadFile("../../testdata/script/request_choose.txtar")
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile("(?s)```text\n(.*?)```").FindAllSubmatch(text, -1)
	if len(shown) < 2 {
		t.Fatalf("%d screens are shown", len(shown))
	}
	for _, m := range shown {
		if !bytes.Contains(session, m[1]) {
			t.Errorf("no session draws\n%s", m[1])
		}
	}
}
