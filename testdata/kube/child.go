package kube

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Child is a process that on Linux does not outlive this one, however this one ends.
type Child struct {
	cmd    *exec.Cmd
	exited chan struct{}
}

// StartChild starts the command. Linux sends the parent-death signal when the *thread* that forked
// ends, and Go ends threads as it likes; so one goroutine keeps its thread from before the fork
// until the process is gone.
func StartChild(cmd *exec.Cmd) (*Child, error) {
	cmd.SysProcAttr = childAttributes()
	c := &Child{cmd: cmd, exited: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(c.exited)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // State tells how it ended
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return c, nil
}

// Exited is closed when the process is gone.
func (c *Child) Exited() <-chan struct{} { return c.exited }

// Pid is the number of the process.
func (c *Child) Pid() int { return c.cmd.Process.Pid }

// State tells how the process ended, once it is gone.
func (c *Child) State() *os.ProcessState { return c.cmd.ProcessState }

// Running tells whether the process exists.
func (c *Child) Running() bool {
	select {
	case <-c.exited:
		return false
	default:
		return true
	}
}

// Signal sends a signal; it is no error when the process is gone.
func (c *Child) Signal(signal syscall.Signal) error {
	if err := c.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// End signals the process, waits until it is gone, and kills it when it is not within ten seconds.
func (c *Child) End(signal syscall.Signal) error {
	if err := c.Signal(signal); err != nil {
		return err
	}
	select {
	case <-c.exited:
		return nil
	case <-time.After(10 * time.Second):
	}
	if err := c.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-c.exited
	return nil
}
