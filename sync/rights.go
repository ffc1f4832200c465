package sync

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
)

// rights is what the agent may do in the cluster, compared with what the policies call for. Before
// the first comparison it stops nothing: no pass judges a request before it compares.
type rights struct {
	problem string            // that keeps it from granting at all; empty: nothing
	in      map[string]string // by namespace of a policy, what keeps it from granting there
	tested  retry
	with    []requests.Item // what it was compared with: what the policies give, and what they ever gave
	told    string          // what is too much, and was told
}

// compareRights compares what the agent may do with what the policies need, at start, every hour
// and whenever they give something else; sooner while something is wrong, or cannot be found out. A
// right that none that was proven ever needed keeps the agent from granting: everywhere, or only in
// the one namespace where it has it, as whoever is at home there can give it such a right. What one
// needed once is only told, and so is what it has where no policy grants.
func (a *Agent) compareRights(ctx context.Context) error {
	g, t := a.gate, a.prover.trust
	if t == nil || t.root == "" {
		if g.rights.with == nil {
			g.rights.problem = "what it may do is not compared with the policies yet"
		}
		return nil
	}
	needed, err := a.prover.offers(ctx)
	if err != nil {
		err = fmt.Errorf("reading what the policies give: %w", err)
		g.rights.problem = err.Error()
		g.rights.tested = retry{} // what was found before may be about other policies
		return err
	}
	once := t.offered
	now, with := a.clocks.wall(), slices.Concat(needed, once)
	if !g.rights.tested.dueWithin(now, checkedFor) && requests.EqualItems(with, g.rights.with) {
		return nil
	}
	excess, stale, err := a.cluster.Surplus(ctx, needed, once)
	if err != nil {
		err = fmt.Errorf("finding out what the agent may do: %w", err)
		if apierrors.IsForbidden(err) {
			err = fmt.Errorf("%w; apply what pullgrant install prints", err)
		}
		g.rights.problem = err.Error()
		g.rights.tested.later(now)
		return err
	}
	g.rights.with, g.rights.problem, g.rights.in = with, "", map[string]string{}
	var everywhere, elsewhere []kube.Surplus
	in := map[string][]kube.Surplus{}
	for _, s := range excess {
		switch {
		case s.Namespace == "" || s.Namespace == kube.Namespace:
			everywhere = append(everywhere, s)
		case slices.ContainsFunc(with, func(i requests.Item) bool {
			return i.Namespace == s.Namespace ||
				i.Impersonates() && s.Namespace == requests.GrantsNamespace
		}):
			in[s.Namespace] = append(in[s.Namespace], s)
		default:
			elsewhere = append(elsewhere, s)
		}
	}
	tooMuch := func(all []kube.Surplus) string {
		return "the agent may " + kube.Told(all) +
			", which no policy ever needed; take that right " +
			"from it, pullgrant install --diff shows what is too much"
	}
	if len(everywhere) > 0 {
		g.rights.problem = tooMuch(everywhere)
	}
	for namespace, all := range in {
		g.rights.in[namespace] = tooMuch(all)
	}
	a.tellRights(stale, elsewhere)
	if len(excess) == len(elsewhere) {
		g.rights.tested.done(now.Add(checkedFor))
	} else {
		g.rights.tested.later(now)
	}
	return nil
}

// tellRights tells of rights that keep the agent from nothing.
func (a *Agent) tellRights(stale, elsewhere []kube.Surplus) {
	a.metrics.StaleRights(len(stale) + len(elsewhere))
	var words []string
	if len(stale) > 0 {
		words = append(words, "what no policy needs any more: "+kube.Told(stale))
	}
	if len(elsewhere) > 0 {
		words = append(words, "what no policy ever needed, where none grants: "+
			kube.Told(elsewhere))
	}
	told := strings.Join(words, "; ")
	if told == a.gate.rights.told {
		return
	}
	a.gate.rights.told = told
	if told == "" {
		a.log.Info("the agent may do nothing beyond what the policies need any more", "event",
			"rights", "cluster", a.cluster.Name)
		return
	}
	a.log.Warn("the agent may do more than the policies need; apply what pullgrant install "+
		"prints and remove what its --diff names", "event", "rights", "cluster", a.cluster.Name,
		"code", staleRights, "message", told)
}

// staleRights is said of rights that are too much and keep the agent from nothing.
const staleRights = "StaleRights"
