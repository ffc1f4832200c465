package kube

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// Component is one program of the control plane. Start after Stop or Kill runs it again with the
// same data and address.
type Component struct {
	name    string
	path    string
	args    []string
	logFile string
	log     io.Writer
	ready   func(context.Context) error // nil once the component does its work

	mu    sync.Mutex // held for the length of a Start, Stop or Kill
	child *Child     // nil before the first start
}

// Start runs the program and returns when it is ready. The error carries the end of its log.
func (c *Component) Start(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running() {
		return fmt.Errorf("starting %s: it runs already", c.name)
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	begin := time.Now()
	if err := c.spawn(); err != nil {
		return fmt.Errorf("starting %s: %w", c.name, err)
	}
	if err := c.waitReady(ctx); err != nil {
		tail := c.logTail()
		return errors.Join(fmt.Errorf("starting %s: %w\n--- end of %s\n%s", c.name, err, c.logFile,
			tail), c.end(syscall.SIGKILL))
	}
	fmt.Fprintf(c.log, "%s started in %.1f s\n", c.name, time.Since(begin).Seconds())
	return nil
}

// Stop asks the program to end, as a rollout would, and kills it when it has not within ten
// seconds. It is no error when the program does not run.
func (c *Component) Stop() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.end(syscall.SIGTERM)
}

// Kill ends the program at once, as a crash would. It is no error when the program does not run.
func (c *Component) Kill() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.end(syscall.SIGKILL)
}

// Running tells whether the program's process exists.
func (c *Component) Running() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.running()
}

func (c *Component) running() bool { return c.child != nil && c.child.Running() }

func (c *Component) spawn() error {
	file, err := os.OpenFile(c.logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer file.Close() // the child has its own
	cmd := exec.Command(c.path, c.args...)
	cmd.Stdout, cmd.Stderr = file, file
	child, err := StartChild(cmd)
	if err == nil {
		c.child = child
	}
	return err
}

func (c *Component) waitReady(ctx context.Context) error {
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		err := c.ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-c.child.Exited():
			return fmt.Errorf("it ended: %s", c.child.State())
		case <-ctx.Done():
			return fmt.Errorf("it is not ready: %w (%w)", err, context.Cause(ctx))
		case <-tick.C:
		}
	}
}

func (c *Component) end(signal syscall.Signal) error {
	if !c.running() {
		return nil
	}
	if err := c.child.End(signal); err != nil {
		return fmt.Errorf("ending %s: %w", c.name, err)
	}
	fmt.Fprintf(c.log, "%s ended (%s)\n", c.name, signal)
	return nil
}

// logTail is the last 20 lines of the log, each cut where a screen would end.
func (c *Component) logTail() []byte {
	text, err := os.ReadFile(c.logFile)
	if err != nil {
		return []byte(err.Error())
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	lines = lines[max(0, len(lines)-20):]
	for i, line := range lines {
		lines[i] = line[:min(len(line), 400)]
	}
	return bytes.Join(lines, []byte("\n"))
}
