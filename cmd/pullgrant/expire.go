package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/sync/expiry"
)

func newExpireCommand(w world) *cobra.Command {
	var o processOptions
	cmd := &cobra.Command{
		Use:   "expire",
		Short: "End access on time in a cluster, and do nothing else",
		Long: `Delete what the agent of a cluster granted when its time is over, whatever becomes of the
agent. It speaks to the API server only, needs no more than to list, watch and delete, and keeps
nothing. Any number of them may run; the agent itself expires too, and writes down what ended. It
runs until it is stopped; its log goes to stderr as JSON.

Each flag has a twin in the environment, such as PULLGRANT_CLUSTER; a flag wins over its twin.

With --listen it serves, as long as it runs:
  GET /healthz    200 while its expiry loop runs, whatever cannot be reached; for the liveness probe
  GET /readyz     200 when it knows every deadline, else 503; for the readiness probe
  GET /metrics    for Prometheus`,
		Example: `  pullgrant expire --cluster prod-eu
  pullgrant expire --cluster prod-eu --kubeconfig ~/.kube/config`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(cmd, w); err != nil {
				return err
			}
			return expire(cmd.Context(), w, o)
		},
	}
	o.flags(cmd)
	return cmd
}

func expire(ctx context.Context, w world, o processOptions) (err error) {
	config := expiry.Config{Cluster: o.cluster, Clock: w.now, Version: thisBuild().Version,
		Logger: slog.New(slog.NewJSONHandler(w.err, nil))}
	if config.Kubernetes, err = ownCluster(o.kubeconfig); err != nil {
		return err
	}
	if config.Listener, err = listenOn(ctx, "listen", o.listen); err != nil {
		return err
	}
	process, err := expiry.NewProcess(config)
	if err != nil {
		return fmt.Errorf("prepare the expirer: %w", err)
	}
	return process.Run(ctx)
}
