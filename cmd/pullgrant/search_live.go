package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/client-go/rest"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
)

// thing is a kind of objects of which a request names one, with the policy's glob of their names.
type thing struct {
	requests.Resource        // without a name
	glob              string // of names
	patterns          bool   // a request may name them by a pattern
	exec              *requests.Exec
}

// things are the objects that a request picks from under a grant, in its order.
func things(g policies.GrantSpec) (all []thing) {
	for _, e := range g.Resources {
		for _, glob := range e.Names {
			all = append(all, thing{requests.Resource{Kind: e.Resource}, glob, e.Patterns, nil})
		}
	}
	exec := requests.Exec{Stdin: g.Terminal && g.AnyCommand, Terminal: g.Terminal && g.AnyCommand}
	if len(g.Commands) > 0 {
		exec.Command = g.Commands[0]
	}
	for _, pod := range g.Pods {
		all = append(all, thing{requests.Resource{Kind: "pods"}, pod, false, &exec})
	}
	for _, name := range g.Deployments {
		all = append(all, thing{requests.Resource{Kind: deployments}, name, false, &exec})
	}
	return all
}

// example is a name to write where none is known.
func (t thing) example() string {
	if t.patterns || !strings.Contains(t.glob, "*") {
		return t.glob
	}
	return "NAME"
}

// in has a request name the object.
func (t thing) in(spec *requests.RequestSpec, name string) {
	switch {
	case t.exec == nil:
		spec.Resources = []string{requests.Resource{Kind: t.Kind, Name: name}.String()}
		return
	case t.Kind == deployments:
		spec.Exec = &requests.Exec{Deployment: name}
	default:
		spec.Exec = &requests.Exec{Pod: name}
	}
	spec.Exec.Stdin, spec.Exec.Terminal, spec.Exec.Command = t.exec.Stdin, t.exec.Terminal, t.exec.Command
}

// liveObject is an object that there is, and that may be asked for.
type liveObject struct {
	Namespace string `json:"namespace,omitempty"`
	Object    string `json:"object"` // KIND/NAME
	Command   string `json:"command"`
	asking    asking
}

// lookAround lists the objects that there are where the person's kubeconfig leads. What cannot be
// listed is noted.
func (o searchOptions) lookAround(ctx context.Context, w world, all []option, name string) {
	here := currentContext(o.kubeconfig)
	if o.live {
		here = o.cluster
	}
	isHere := func(c option) bool { return c.Cluster == here && len(c.Objects) > 0 }
	if !slices.ContainsFunc(all, isHere) {
		return
	}
	config, err := clusterConfig(o.kubeconfig)
	if err != nil {
		w.say("note: what there is on %s is not known: %v", here, err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, containerTime)
	defer cancel()
	for i := range all {
		c := &all[i]
		if !isHere(*c) {
			continue
		}
		places := c.Namespaces
		if o.namespace != "" {
			places = []string{o.namespace}
		} else if len(places) == 0 {
			places = []string{""}
		}
		for _, place := range places {
			for _, t := range things(c.grant) {
				if err := o.addLive(ctx, config, c, t, place, name); err != nil {
					w.say("note: what there is of %s on %s is not known: %v", t.Kind, c.Cluster, err)
					if ctx.Err() != nil {
						return
					}
				}
			}
		}
	}
}

func (o searchOptions) addLive(ctx context.Context, config *rest.Config, c *option, t thing, place,
	name string) error {
	names, err := kube.Names(ctx, config, kube.Objects{Namespace: place, Kind: t.Kind})
	if err != nil {
		return err
	}
	matches, err := requests.Match{Within: []string{t.glob}}.Matcher()
	if err != nil {
		return err
	}
	for _, one := range names {
		if !matches(one) {
			continue
		}
		spec := c.spec
		spec.Resources, spec.Exec = nil, nil
		if spec.Namespace != "" {
			spec.Namespace = place
		}
		t.in(&spec, one)
		found := liveObject{Namespace: place, Object: t.Kind + "/" + one, asking: newAsking(o.remote, spec)}
		found.Command = found.asking.line(name)
		c.Live = append(c.Live, found)
	}
	return nil
}

// writeChoices prints a table of 80 columns, with what does not fit into it below each row.
func writeChoices(w world, all []option, name string) error {
	rows := [][]string{{"POLICY", "CLUSTER", "AT MOST", "APPROVALS"}}
	for _, c := range all {
		rows = append(rows, []string{c.Policy, c.Cluster, c.MaxDuration.String(), fmt.Sprint(c.Least)})
	}
	if len(all) == 0 {
		return nil
	}
	return writeTableAnd(w.out, rows, func(n int, r *report) {
		c := all[n]
		mode := ""
		if c.Mode == requests.ModeImpersonate {
			mode = ", used with --as"
		}
		r.text("  Gives    %s%s", c.Gives, mode)
		r.text("  Needs    %s", whoApproves(c.Approvals))
		r.command(c.asking, name)
		r.live(c.Live, name)
	})
}

// live are the first of the objects that there are, each with its command.
func (r *report) live(all []liveObject, name string) {
	const most = 10
	for n, one := range all {
		if n == most {
			r.line("  and %d more; -o json has them all", len(all)-most)
			return
		}
		r.command(one.asking, name)
	}
}

func writeWide(w world, all []option) error {
	rows := [][]string{{"POLICY", "CLUSTER", "AT MOST", "APPROVALS", "NAMESPACES", "GIVES", "WHO APPROVES",
		"COMMAND"}}
	for _, c := range all {
		row := []string{c.Policy, c.Cluster, c.MaxDuration.String(), fmt.Sprint(c.Least)}
		rows = append(rows, slices.Concat(row, []string{strings.Join(c.Namespaces, ","), c.Gives,
			whoApproves(c.Approvals), c.Command}))
		for _, one := range c.Live {
			rows = append(rows, slices.Concat(row, []string{one.Namespace, one.Object,
				whoApproves(c.Approvals), one.Command}))
		}
	}
	return writeTable(w.out, rows)
}
