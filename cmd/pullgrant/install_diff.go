package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
)

// compare tells how the cluster differs from what the agent needs there.
func (o installOptions) compare(ctx context.Context, w world, wanted []render.Object) error {
	config, err := clusterAtHand(ctx, w, o.kubeconfig, o.agent.cluster)
	if err != nil {
		return err
	}
	live, err := kube.LiveFootprint(ctx, config, wanted)
	if err != nil {
		return fmt.Errorf("look at the agent's footprint in the cluster %s: %w",
			o.agent.cluster, err)
	}
	differences := render.Compare(wanted, live)
	if len(differences) == 0 {
		w.say("the agent has in %s what it needs, and nothing else", o.agent.cluster)
		return nil
	}
	// Who may not read what the agent keeps is told all but whether a right was needed once.
	once, err := kube.Offered(ctx, config, o.agent.cluster)
	if err != nil {
		w.say("note: which rights a policy needed once is not known: %v", err)
	}
	before := pastOf(once, live)
	var r report
	for _, d := range differences {
		if err := r.footprint(d, before); err != nil {
			return err
		}
	}
	if err := r.to(w.out); err != nil {
		return err
	}
	return verdict(exitFindings)
}

// footprint says what is to be done about an object, and what that does to the rights of the agent
// or of the expirer.
func (r *report) footprint(d render.Difference, before past) error {
	wanted, err := kube.RulesOf(d.Wanted)
	if err != nil {
		return err
	}
	live, err := kube.RulesOf(d.Live)
	if err != nil {
		return err
	}
	switch {
	case d.Live == nil:
		r.line("add: %s", d)
	case d.Wanted == nil:
		who, subjects := "the agent", fmt.Sprint(d.Live["subjects"])
		if strings.Contains(subjects, render.Expirer) {
			who = "the expirer"
		} else if strings.Contains(subjects, render.AWS) {
			who = "what keeps aws-auth"
		}
		r.line("remove: %s, which gives %s too much: %s", d, who, before.need(d))
	default:
		r.line("change: %s: %s", d, strings.Join(d.Fields, ", "))
	}
	for _, p := range rbac.Beyond(wanted, live) {
		r.line("  + %s: %s", p.What(), p.Does())
	}
	for _, p := range rbac.Beyond(live, wanted) {
		r.line("  - %s: %s, too much: %s", p.What(), p.Does(), before.need(d, p.Rule()))
	}
	return nil
}

// past is how a cluster differs, by object, from what policies that were proven ever needed; nil where
// that is not known.
type past map[string]render.Difference

func pastOf(once []requests.Item, live []map[string]any) past {
	if once == nil {
		return nil
	}
	p := past{}
	for _, d := range render.Compare(render.Rights(render.Footprint{Grants: once}), live) {
		p[d.String()] = d
	}
	return p
}

// need says of a right of an object, or with none of the object itself, whether a policy needed it
// once.
func (p past) need(d render.Difference, right ...rbac.RoleRule) string {
	before, differs := p[d.String()]
	had, err := kube.RulesOf(before.Wanted)
	switch {
	case p == nil:
		return "no policy needs it"
	case !differs, before.Wanted != nil && len(right) > 0 && err == nil &&
		len(rbac.Beyond(right, had)) == 0:
		return "no policy needs it any more (StaleRights)"
	}
	return "no policy ever needed it (OverPrivileged)"
}
