package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
)

// removeAll prints a script of kubectl that takes the agent and all that belongs to it out of its
// cluster. While access lives there, or its end is not recorded yet, there is none.
func (o installOptions) removeAll(ctx context.Context, w world) error {
	config, err := clusterAtHand(ctx, w, o.kubeconfig, o.agent.cluster)
	if err != nil {
		return err
	}
	cluster, err := kube.NewCluster(config, o.agent.cluster, kube.CallTimeout, nil)
	if err != nil {
		return err
	}
	left, err := stillThere(ctx, cluster)
	if err != nil {
		return fmt.Errorf("look for access that was given in %s: %w", o.agent.cluster, err)
	}
	live, err := kube.LiveFootprint(ctx, config, render.Install(render.Everything(o.agent.cluster)))
	if err != nil {
		return fmt.Errorf("look at the agent's footprint in the cluster %s: %w", o.agent.cluster, err)
	}
	if len(left) > 0 {
		w.say("nothing is taken away while access lives in %s, or its end is not recorded yet:",
			o.agent.cluster)
		for _, line := range left {
			w.say("  %s", line)
		}
		w.say("\"%s pause\" has the agent give no more; \"%s revoke --all --cluster %s\" ends what there is",
			program, program, o.agent.cluster)
		return verdict(exitFindings)
	}
	removals, others := render.Removals(live)
	for _, other := range others {
		w.say("note: %s names an account of the agent and is not of our making; look at it yourself", other)
	}
	if len(removals) == 0 {
		w.say("there is nothing of the agent in %s", o.agent.cluster)
		return nil
	}
	return o.script(removals).to(w.out)
}

// stillThere names the requests whose access lives in the cluster, and until when, and those whose end
// is in no ledger yet. What cannot be read is an error: it may be either.
func stillThere(ctx context.Context, cluster *kube.Cluster) ([]string, error) {
	objects, err := cluster.List(ctx)
	if err != nil {
		return nil, err
	}
	named := map[string]string{}
	for _, object := range objects {
		a := object.GetAnnotations()
		name := object.GetNamespace() + "/" + object.GetName()
		if place, ok := requests.SplitPath(a[render.AnnotationPath]); ok {
			name = place.Name
		}
		named[name] = name + " until " + a[render.AnnotationExpiresAt]
	}
	records, unreadable, err := cluster.Records(ctx)
	if err := errors.Join(append(unreadable, err)...); err != nil {
		return nil, err
	}
	for _, r := range records {
		if name := r.Grant.Name; named[name] == "" {
			named[name] = name + ", of which no end is recorded yet"
		}
	}
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(named)) {
		lines = append(lines, named[name])
	}
	return lines, nil
}

// script is what to pipe to sh. It stops where access was given after this command looked.
func (o installOptions) script(removals []render.Removal) *report {
	r := &report{}
	r.line("# Takes the agent of %s away, in an order that never leaves access without an end. "+
		"Pipe it to sh.", o.agent.cluster)
	r.line("set -eu")
	if o.kubeconfig != "" {
		r.line("export KUBECONFIG='%s'", strings.ReplaceAll(o.kubeconfig, "'", `'\''`))
	}
	looked := false
	for _, removal := range removals {
		if !removal.Granting && !looked {
			looked = true
			r.line("given=$(kubectl get rolebindings,clusterrolebindings,jobs -A -l %s=%s -o name)",
				render.LabelManagedBy, render.ManagedBy)
			r.line(`test -z "$given" || { echo "access was given meanwhile, so nothing more is taken away: ` +
				`$given" >&2; exit 1; }`)
		}
		line := "kubectl delete " + removal.Resource + " " + removal.Name
		if removal.Namespace != "" {
			line += " -n " + removal.Namespace
		}
		r.line("%s", line)
		if removal.Granting {
			r.line("kubectl wait --for=delete pod -n %s -l app.kubernetes.io/name=%s --timeout=2m",
				removal.Namespace, removal.Name)
		}
	}
	return r
}
