package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
)

type pauseOptions struct {
	kubeconfig string
	cluster    string
	reason     string
}

func (o *pauseOptions) flags(cmd *cobra.Command) {
	kubeconfigFlag(cmd, &o.kubeconfig)
	cmd.Flags().StringVar(&o.cluster, "cluster", "", "name of the cluster; refuse one whose agent "+
		"serves another (default: any)")
}

func newPauseCommand(w world) *cobra.Command {
	var o pauseOptions
	cmd := &cobra.Command{
		Use:   "pause --reason TEXT",
		Short: "Have the agent of a cluster grant nothing until it is told to go on",
		Long: `Have the agent of the cluster that kubectl would use grant nothing from its next pass
on. Requests that are merged wait. Access that was given runs to its end, and what ends is recorded
as always. "pullgrant resume" takes it back.

It writes the reason to an annotation of the agent's Lease, so this does the same without pullgrant:

  kubectl -n pullgrant-system annotate --overwrite lease pullgrant-agent pullgrant.dev/paused="INC-9: looking into it"`,
		Example: `  pullgrant pause --cluster prod-eu --reason "INC-9: looking into it"
  pullgrant resume`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case strings.TrimSpace(o.reason) == "":
				return usagef(cmd, "--reason is missing: whoever finds the agent paused wants "+
					"to know why")
			case strings.ContainsFunc(o.reason, requests.IsHidden):
				return usagef(cmd, "--reason is one line without hidden characters")
			}
			return pause(cmd.Context(), w, o)
		},
	}
	o.flags(cmd)
	cmd.Flags().StringVar(&o.reason, "reason", "", "why nothing is to be granted, one line")
	return cmd
}

func pause(ctx context.Context, w world, o pauseOptions) error {
	config, err := clusterAtHand(ctx, w, o.kubeconfig, o.cluster)
	if err == nil {
		err = kube.Pause(ctx, config, o.reason)
	}
	if err != nil {
		return fmt.Errorf("pause the agent: %w", err)
	}
	w.say("the agent grants nothing from its next pass on; \"%s resume\" has it go on", program)
	return nil
}

func newResumeCommand(w world) *cobra.Command {
	var o pauseOptions
	cmd := &cobra.Command{
		Use:   "resume",
		Short: "Have a paused agent go on",
		Long: `Have the agent of the cluster that kubectl would use go on after "pullgrant pause".
What waited is judged in its next pass.`,
		Example: `  pullgrant resume --cluster prod-eu`,
		Args:    arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := clusterAtHand(cmd.Context(), w, o.kubeconfig, o.cluster)
			if err != nil {
				return fmt.Errorf("resume the agent: %w", err)
			}
			paused, reason, err := kube.Resume(cmd.Context(), config)
			switch {
			case err != nil:
				return fmt.Errorf("resume the agent: %w", err)
			case !paused:
				w.say("the agent was not paused")
			default:
				w.say("the agent goes on; it was paused for %s", requests.Quote(reason))
			}
			return nil
		},
	}
	o.flags(cmd)
	return cmd
}
