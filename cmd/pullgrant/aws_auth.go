package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/sync/awsauth"
)

func newAWSAuthCommand(w world) *cobra.Command {
	var o processOptions
	cmd := &cobra.Command{
		Use:   "aws-auth",
		Short: "Let people with access into an EKS cluster, and do nothing else",
		Long: `Keep the ConfigMap kube-system/aws-auth in step with the grants of a cluster: whoever has
access and an ARN in identities.yaml is let in under their name, without groups, until their last
access ends. Entries of others stay as they are, byte for byte. It speaks to the API server only,
reads what the agent remembers, and writes that one list. Any number of them may run. It runs until
it is stopped; its log goes to stderr as JSON.

Each flag has a twin in the environment, such as PULLGRANT_CLUSTER; a flag wins over its twin.

With --listen it serves, as long as it runs:
  GET /healthz    200 while its loop runs, whatever cannot be reached; for the liveness probe
  GET /readyz     200 when it has read the list and the grants, else 503; for the readiness probe
  GET /metrics    for Prometheus`,
		Example: `  pullgrant aws-auth --cluster prod-eu
  pullgrant aws-auth --cluster prod-eu --kubeconfig ~/.kube/config`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(cmd, w); err != nil {
				return err
			}
			return keepAWSAuth(cmd.Context(), w, o)
		},
	}
	o.flags(cmd)
	return cmd
}

func keepAWSAuth(ctx context.Context, w world, o processOptions) (err error) {
	config := awsauth.Config{Cluster: o.cluster, Clock: w.now, Version: thisBuild().Version,
		Logger: slog.New(slog.NewJSONHandler(w.err, nil))}
	if config.Kubernetes, err = ownCluster(o.kubeconfig); err != nil {
		return err
	}
	if config.Listener, err = listenOn(ctx, "listen", o.listen); err != nil {
		return err
	}
	process, err := awsauth.NewProcess(config)
	if err != nil {
		return fmt.Errorf("prepare what keeps aws-auth: %w", err)
	}
	return process.Run(ctx)
}
