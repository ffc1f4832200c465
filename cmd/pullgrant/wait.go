package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"
)

// waitOptions say what is waited for. A command that opens a pull request sets its number first.
type waitOptions struct {
	show    showOptions
	timeout time.Duration // 0: as long as it takes
	on      bool          // of a command that waits only where it is told to
}

func newWaitCommand(w world) *cobra.Command {
	var o waitOptions
	cmd := &cobra.Command{
		Use:   "wait NAME|NUMBER",
		Short: "Wait until a request is granted, and print the command that then works",
		Long: `Follow a request until its agent has given access: who has not answered, approved, merged, granted
until when. On a terminal that is one line, elsewhere a line with the time whenever it changes. NAME
is the request's name or file, NUMBER its pull request's. The command that then works goes to stdout.

Whether access was given its agent says on the pull request. Whose comments are the agent's says
--agent-app-id, else ` + rulesetFile + ` of the access repository; where that is not
known, the merge is waited for.

The exit code is 0 once access is given, or merged where nobody can tell more; 1 when the request is
denied, closed or over; 8 when --timeout passed, or you stopped waiting: the request stays open.`,
		Example: `  pullgrant wait 20261122-alice-inc-123
  pullgrant wait 7 --timeout 15m --agent-app-id 701`,
		Args: arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.show.complete(cmd, w, args[0]); err != nil {
				return err
			}
			if o.show.remote.checkout.dir != "" {
				return usagef(cmd, "a checkout holds no pull requests; leave out --dir")
			}
			if o.timeout < 0 {
				return usagef(cmd, "--timeout %s: it must not be negative", o.timeout)
			}
			return o.follow(cmd.Context(), w, false)
		},
	}
	o.show.flags(cmd)
	o.timeoutFlag(cmd)
	return cmd
}

func (o *waitOptions) timeoutFlag(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&o.timeout, "timeout", 0,
		"how long to wait at most, for example 15m (default: as long as it takes)")
}

// flags are those of a command that opens a pull request and may wait for what comes of it.
func (o *waitOptions) flags(cmd *cobra.Command, w world) {
	cmd.Flags().BoolVar(&o.on, "wait", false, "wait until access is given, as \"pullgrant wait\" does")
	o.timeoutFlag(cmd)
	o.show.agentFlag(cmd)
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		dry := cmd.Flags().Lookup("dry-run")
		switch {
		case !o.on && cmd.Flags().Changed("timeout"):
			return usagef(cmd, "--timeout is for --wait")
		case o.on && dry != nil && dry.Changed:
			return usagef(cmd, "--dry-run opens nothing that --wait could wait for")
		case o.timeout < 0:
			return usagef(cmd, "--timeout %s: it must not be negative", o.timeout)
		}
		return o.show.completeAgent(cmd, w)
	}
}

// after waits for the pull request that was just opened, where that was asked for.
func (o *waitOptions) after(ctx context.Context, w world, at remote, number int) error {
	if !o.on {
		return nil
	}
	o.show.remote, o.show.target = at, target{number: number}
	return o.follow(ctx, w, true)
}
