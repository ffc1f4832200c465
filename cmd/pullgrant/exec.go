package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"github.com/spf13/cobra"
)

func newExecCommand(w world) *cobra.Command {
	var o useOptions
	cmd := &cobra.Command{
		Use:   "exec [NAME] -- COMMAND ARGUMENT...",
		Short: "Run a command, such as kubectl, that uses a grant",
		Long: `Run a command with a kubeconfig of its own, $KUBECONFIG, that acts as the identity of the
grant NAME, as its policy's mode Impersonate wants it; with one that acts as yourself where the mode
is Direct. The kubeconfig is yours, cut down to its current context, and goes with the command.

For "kubectl exec deployment/NAME" kubectl lists pods, which no grant of a command gives: where you
may not, the command that works is named instead.

` + useHelp + ` The exit code of the command is passed on.`,
		Example: `  pullgrant exec 20261122-alice-inc-123 -- kubectl get pod api-1
  pullgrant exec -- kubectl exec -it api-1 -- /bin/sh`,
		Args: func(cmd *cobra.Command, args []string) error {
			dash := cmd.ArgsLenAtDash()
			switch {
			case dash < 0 && len(args) > 1:
				return usagef(cmd, "the command stands after --, as in %s exec %s -- kubectl get pods",
					program, args[0])
			case dash < 0 || dash == len(args):
				return usagef(cmd, "a command is missing: %s", cmd.UseLine())
			}
			return arguments(0, 1)(cmd, args[:dash])
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			dash := cmd.ArgsLenAtDash()
			if err := o.complete(cmd, w, args[:dash]); err != nil {
				return err
			}
			u, err := o.find(cmd.Context(), w)
			if err != nil {
				return err
			}
			if err := o.byPod(cmd.Context(), u, args[dash:]); err != nil {
				return err
			}
			return o.run(cmd.Context(), w, u, args[dash:])
		},
	}
	o.flags(cmd)
	return cmd
}

// run runs a command that uses a grant, and says when the grant ended meanwhile and the command
// failed.
func (o useOptions) run(ctx context.Context, w world, u use, command []string) error {
	data, err := o.actingAs(u.user)
	if err != nil {
		return err
	}
	kubeconfig, err := writeTemporary("", data)
	if err != nil {
		return fmt.Errorf("write the kubeconfig: %w", err)
	}
	defer func() { _ = os.Remove(kubeconfig) }()
	child := exec.CommandContext(ctx, command[0], command[1:]...)
	// A terminal interrupts both; what else ends this program ends the command as gently.
	child.Cancel = func() error { return child.Process.Signal(os.Interrupt) }
	child.Stdin, child.Stdout, child.Stderr = w.in, w.out, w.err
	child.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	err = child.Run()
	var failed *exec.ExitError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &failed):
		return fmt.Errorf("run %s: %w", command[0], err)
	}
	if !errors.Is(ctx.Err(), context.Canceled) {
		o.over(ctx, w, u)
	}
	if status, ok := failed.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return verdict(128 + int(status.Signal())) // as shells tell it
	}
	return verdict(failed.ExitCode())
}
