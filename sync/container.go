package sync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// decideContainers notes, for each command that names no container, the one that kubectl takes, and
// has it told before anything of the grant is made. The record that announces the first object holds
// the decision: from then on it stands, whatever becomes of the pod.
func (a *Agent) decideContainers(ctx context.Context, r *plan.Record) error {
	if !slices.ContainsFunc(r.Grant.Items, requests.Item.Undecided) {
		return nil
	}
	items := slices.Clone(r.Grant.Items)
	for n, i := range items {
		if !i.Undecided() {
			continue
		}
		container, err := a.cluster.DefaultContainer(ctx, i.Namespace, *i.Exec)
		_, ambiguous := errors.AsType[*kube.AmbiguousError](err)
		_, missing := errors.AsType[*kube.MissingError](err)
		switch {
		case ambiguous:
			return &refusal{policies.ContainerAmbiguous, true,
				fmt.Errorf("%w; ask again with one of them in exec.container", err)}
		case missing:
			return &refusal{policies.NothingToGrant, false,
				fmt.Errorf("%w; ask again with one in exec.container", err)}
		case err != nil:
			return err
		case !slices.Contains(i.Containers, container):
			return &refusal{policies.ContainerNotAllowed, true, fmt.Errorf("the command names no "+
				"container, and the default one, %s, is not in the policy; ask again with one of %s",
				container, strings.Join(i.Containers, ", "))}
		}
		items[n] = i.Decided(container)
	}
	r.Grant.Items = items
	a.tell.decided(ctx, r.Grant)
	return nil
}

// decided has the pull request of a grant told in which container its command will run, while it
// does not yet. What cannot be told in time does not hold up access; it is told with that.
func (t *teller) decided(ctx context.Context, g requests.Grant) {
	t.comments.first(ctx, comment{number: g.Evidence.PullRequest, what: "decided", grant: g.Path,
		compose: func(context.Context) (string, error) { return decidedText(g), nil }})
}

// decidedText tells what access will be.
func decidedText(g requests.Grant) string {
	var b strings.Builder
	b.WriteString("### Where the command runs once access begins\n\nNo container was asked for; " +
		"kubectl's default one is taken:\n\n")
	for _, given := range g.Gives() {
		fmt.Fprintf(&b, "- %s\n", github.Code(given))
	}
	return b.String()
}
