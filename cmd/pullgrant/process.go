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
	case addressProblem("listen", o.listen) != "":
		return usagef(cmd, "%s", addressProblem("listen", o.listen))
	}
	return nil
}

// addressProblem tells what is wrong with the address that a flag gives to listen on; empty when
// nothing is, or it is not given.
func addressProblem(flag, address string) string {
	if _, port, err := net.SplitHostPort(address); address == "" || err == nil && port != "" {
		return ""
	}
	return fmt.Sprintf("--%s %q: write HOST:PORT, or :PORT for every address of this machine", flag,
		address)
}

// listenOn opens the address that a flag gives; nil where it is not given.
func listenOn(ctx context.Context, flag, address string) (net.Listener, error) {
	if address == "" {
		return nil, nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("open --%s: %w", flag, err)
	}
	return listener, nil
}
