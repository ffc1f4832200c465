package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
)

// containerTime is how long a cluster is asked for a pod. What it does not tell the agent finds out.
const containerTime = 5 * time.Second

// fillContainer names the container of a command where the policy leaves several, by the pod of the
// cluster that the kubeconfig is for, as kubectl does: so approvers see it. Where the pod may not be
// read it is left to the agent. It returns a refusal when nothing could come of the request.
func (o requestOptions) fillContainer(ctx context.Context, w world, tree policies.Tree, path string,
	asked *requests.AccessRequest) *policies.Decision {
	data, err := written(*asked)
	if err != nil || o.extends != nil { // it is told below; it stays like what it goes on from
		return nil
	}
	preview := policies.Preview(tree, path, policies.NewTreeFile(policies.PlainFile, "", data,
		int64(len(data))))
	if preview.Grant == nil {
		return nil
	}
	commands := slices.DeleteFunc(preview.Grant.Items, func(i requests.Item) bool {
		return i.Exec == nil
	})
	if len(commands) != 1 || !commands[0].Undecided() { // several may have one each
		return nil
	}
	item := commands[0]
	container, err := o.containerOf(ctx, item)
	ambiguous, is := errors.AsType[*kube.AmbiguousError](err)
	switch {
	case is:
		d := policies.Refuse(policies.ContainerAmbiguous, "%v; name one with --container", ambiguous)
		return &d
	case err != nil:
		w.say("note: no container is named; the agent takes kubectl's default one, and says so on "+
			"the pull request: %v", err)
	case !slices.Contains(item.Containers, container):
		d := policies.Refuse(policies.ContainerNotAllowed, "the default container, %s, is not in the "+
			"policy; name one of %s with --container", container, strings.Join(item.Containers, ", "))
		return &d
	default:
		w.say("note: the container is %s, the default one where your kubeconfig leads; another "+
			"is named by --container", container)
		asked.Spec.Exec = item.Decided(container).Exec
	}
	return nil
}

func (o requestOptions) containerOf(ctx context.Context, item requests.Item) (string, error) {
	config, err := clusterConfig(o.kubeconfig)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, containerTime)
	defer cancel()
	return kube.DefaultContainer(ctx, config, item.Namespace, *item.Exec)
}
