package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/awsauth"
)

type awsAuthOptions struct {
	cluster    string
	kubeconfig string
	listen     string
}

func newAWSAuthCommand(w world) *cobra.Command {
	var o awsAuthOptions
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
			if err := twins(cmd, w.env); err != nil {
				return err
			}
			if problem := o.problem(); problem != "" {
				return usagef(cmd, "%s", problem)
			}
			return keepAWSAuth(cmd.Context(), w, o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.cluster, "cluster", "", "name of this cluster in the access repository")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig file (default: the cluster "+
		"this runs in)")
	flags.StringVar(&o.listen, "listen", "", "address for probes and metrics, such as :8080 "+
		"(default: none)")
	return cmd
}

// problem tells what is wrong with the options; empty when nothing is.
func (o awsAuthOptions) problem() string {
	switch {
	case o.cluster == "":
		return "--cluster is missing"
	case requests.CheckName(o.cluster) != "":
		return fmt.Sprintf("--cluster %q: %s", o.cluster, requests.CheckName(o.cluster))
	case o.listen != "" && !isAddress(o.listen):
		return fmt.Sprintf("--listen %q: write HOST:PORT, or :PORT for every address of this machine",
			o.listen)
	}
	return ""
}

func keepAWSAuth(ctx context.Context, w world, o awsAuthOptions) (err error) {
	config := awsauth.Config{Cluster: o.cluster, Clock: w.now, Version: thisBuild().Version,
		Logger: slog.New(slog.NewJSONHandler(w.err, nil))}
	if config.Kubernetes, err = ownCluster(o.kubeconfig); err != nil {
		return err
	}
	if o.listen != "" {
		if config.Listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", o.listen); err != nil {
			return fmt.Errorf("open --listen: %w", err)
		}
	}
	process, err := awsauth.NewProcess(config)
	if err != nil {
		return fmt.Errorf("prepare what keeps aws-auth: %w", err)
	}
	return process.Run(ctx)
}
