package main

import (
	"context"
	"fmt"
	"net"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/requests"
)

// processOptions are those of a process that speaks to the API server of one cluster only.
type processOptions struct {
	cluster    string
	kubeconfig string
	listen     string
}

func (o *processOptions) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&o.cluster, "cluster", "", "name of this cluster in the access repository")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig file (default: the cluster "+
		"this runs in)")
	flags.StringVar(&o.listen, "listen", "", "address for probes and metrics, such as :8080 "+
		"(default: none)")
}

// check completes the options from the environment; an error is a wrong use of cmd.
func (o *processOptions) check(cmd *cobra.Command, w world) error {
	if err := twins(cmd, w.env); err != nil {
		return err
	}
	switch {
	case o.cluster == "":
		return usagef(cmd, "--cluster is missing")
	case requests.CheckName(o.cluster) != "":
		return usagef(cmd, "--cluster %q: %s", o.cluster, requests.CheckName(o.cluster))
	case o.listen != "" && !isAddress(o.listen):
		return usagef(cmd, "--listen %q: write HOST:PORT, or :PORT for every address of this machine",
			o.listen)
	}
	return nil
}

// listener opens --listen; nil where it is not given.
func (o *processOptions) listener(ctx context.Context) (net.Listener, error) {
	if o.listen == "" {
		return nil, nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.listen)
	if err != nil {
		return nil, fmt.Errorf("open --listen: %w", err)
	}
	return listener, nil
}
