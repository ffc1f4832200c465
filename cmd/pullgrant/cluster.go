package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
)

func kubeconfigFlag(cmd *cobra.Command, kubeconfig *string) {
	cmd.Flags().StringVar(kubeconfig, "kubeconfig", "",
		"kubeconfig file (default: $KUBECONFIG, else ~/.kube/config)")
}

// clusterConfig finds a cluster as kubectl does.
func clusterConfig(kubeconfig string) (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = kubeconfig
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil)
	config, err := loader.ClientConfig()
	if clientcmd.IsEmptyConfig(err) {
		if named := os.Getenv(clientcmd.RecommendedConfigPathEnvVar); named != "" && kubeconfig == "" {
			return nil, fmt.Errorf("find the cluster: KUBECONFIG is %s, and no file there names one; set it to "+
				"another, or give --kubeconfig", requests.Quote(named))
		}
		return nil, fmt.Errorf("find the cluster: no kubeconfig names one; give --kubeconfig")
	}
	if err != nil {
		return nil, fmt.Errorf("find the cluster: %w", err)
	}
	return config, nil
}

// clusterAtHand finds a cluster as kubectl does, and says which one it is before anything is done
// there. One whose agent has it by another name than wanted is refused; empty is any name.
func clusterAtHand(ctx context.Context, w world, kubeconfig, wanted string) (*rest.Config, error) {
	config, err := clusterConfig(kubeconfig)
	if err != nil {
		return nil, err
	}
	place := "server " + config.Host
	if current := currentContext(kubeconfig); current != "" {
		place = fmt.Sprintf("context %s, %s", requests.Quote(current), place)
	}
	w.say("cluster: %s", place)
	switch name, err := kube.Serves(ctx, config); {
	case err != nil:
		w.say("note: which cluster the agent there serves is not known: %v", err)
	case name == "":
		w.say("note: there is no agent that would say which cluster it is")
	case wanted != "" && name != wanted:
		return nil, fmt.Errorf("the agent of the cluster at hand serves %s, not %s; choose another "+
			"context or --kubeconfig, or name %s", requests.Quote(name), wanted, requests.Quote(name))
	default:
		w.say("its agent serves %s", name)
	}
	return config, nil
}

// currentContext is the name that a kubeconfig has for the cluster that kubectl speaks to; empty when
// it does not tell.
func currentContext(kubeconfig string) string {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = kubeconfig
	config, err := rules.Load()
	if err != nil {
		return ""
	}
	return config.CurrentContext
}

// ownCluster finds the cluster of an agent: the one it runs in, or what a kubeconfig file says.
// It never looks where kubectl would, whose cluster may be another one.
func ownCluster(kubeconfig string) (*rest.Config, error) {
	if kubeconfig == "" {
		config, err := rest.InClusterConfig()
		if err != nil {
			return nil, fmt.Errorf("find the cluster: %w; outside of one, give --kubeconfig", err)
		}
		return config, nil
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if clientcmd.IsEmptyConfig(err) {
		return nil, fmt.Errorf("read the kubeconfig %s: it names no cluster, or no current context",
			kubeconfig)
	}
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig %s: %w", kubeconfig, err)
	}
	return config, nil
}
