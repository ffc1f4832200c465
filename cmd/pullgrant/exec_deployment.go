package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
)

// byPod tells of a command of kubectl in the pods of a Deployment how it works: kubectl reads the
// Deployment and lists pods for that form, which no grant of a command gives. nil means that it is
// none, or that its user may list pods, or that the cluster does not say.
func (o useOptions) byPod(ctx context.Context, u use, command []string) error {
	at, deployment := execTarget(command)
	if at < 0 {
		return nil
	}
	namespace, err := o.namespace(command)
	if err != nil {
		return nil // kubectl tells what is wrong with the kubeconfig
	}
	config, err := clusterConfig(o.kubeconfig)
	if err != nil {
		return nil
	}
	config.Impersonate.UserName = u.user
	pods, all, err := kube.CommandPods(ctx, config, namespace)
	if err != nil || all {
		return nil
	}
	pods = slices.DeleteFunc(pods, func(pod string) bool {
		return !strings.HasPrefix(pod, deployment+"-")
	})
	if len(pods) == 0 {
		return fmt.Errorf("run a command in %s: it has no pod in %s in which you may run one now; "+
			"\"kubectl auth can-i --list -n %[2]s\" tells what you may", command[at], namespace)
	}
	instead := slices.Clone(command)
	instead[at] = pods[0]
	return fmt.Errorf("run a command in %s: kubectl lists pods for that form, which the grant does "+
		"not give; name one of %s, as in %s exec %s -- %s", command[at], strings.Join(pods, ", "),
		program, u.name, requests.ShellLine(instead))
}

// execTarget finds the Deployment that a command of kubectl is to run in, as kubectl takes it; -1
// when it is no such command.
func execTarget(command []string) (at int, deployment string) {
	own := command
	if end := slices.Index(command, "--"); end >= 0 {
		own = command[:end]
	}
	if !strings.HasPrefix(filepath.Base(command[0]), "kubectl") || !slices.Contains(own, "exec") {
		return -1, ""
	}
	for at, text := range own {
		id, problem := requests.ParseResourceID(text)
		if problem == "" && at > 0 && id.Kind == deployments && id.Name != "" &&
			id.Namespace == "" && id.Cluster == "" {
			return at, id.Name
		}
	}
	return -1, ""
}

// namespace is that in which a command of kubectl runs.
func (o useOptions) namespace(command []string) (string, error) {
	for at, text := range command {
		switch value, is := strings.CutPrefix(text, "--namespace="); {
		case text == "--":
			return o.ownNamespace()
		case is:
			return value, nil
		case (text == "-n" || text == "--namespace") && at+1 < len(command):
			return command[at+1], nil
		case strings.HasPrefix(text, "-n") && len(text) > 2:
			return strings.TrimPrefix(text[2:], "="), nil
		}
	}
	return o.ownNamespace()
}

// ownNamespace is that of the kubeconfig's current context.
func (o useOptions) ownNamespace() (string, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.kubeconfig
	namespace, _, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules,
		nil).Namespace()
	return namespace, err
}
