package kube

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

const parentVariable = "PULLGRANT_TEST_PARENT"

// TestParent is no test: it is the process that TestChildDiesWithParent kills. It starts its child
// from a thread that ends before the child is looked at.
func TestParent(t *testing.T) {
	dir := os.Getenv(parentVariable)
	if dir == "" {
		t.Skip("only as the child process of TestChildDiesWithParent")
	}
	c := &Component{name: "sleep", path: "/bin/sleep", args: []string{"600"},
		logFile: filepath.Join(dir, "log"), log: io.Discard,
		ready: func(context.Context) error { return nil }}
	started := make(chan error)
	var start func()
	start = func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if syscall.Gettid() == os.Getpid() {
			go start() // elsewhere: the first thread of a process never ends
			select {}
		}
		started <- c.Start(context.Background())
	}
	go start()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond) // longer than a thread takes to end
	fmt.Printf("running=%t\n", c.Running())
	select {}
}

// Both processes hold the write end of a pipe: its end of file says that both are gone.
func TestChildDiesWithParent(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	parent := exec.Command(os.Args[0], "-test.run=^TestParent$")
	parent.Env = append(os.Environ(), parentVariable+"="+t.TempDir())
	parent.ExtraFiles = []*os.File{write}
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	write.Close()
	line, err := bufio.NewReader(out).ReadString('\n')
	if line != "running=true\n" {
		t.Errorf("the child when its thread of birth is gone: %q %v", line, err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := read.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := read.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("ten seconds after the parent was killed: %v, want the end of the pipe", err)
	}
	_ = parent.Wait() // killed, as it should be
}
