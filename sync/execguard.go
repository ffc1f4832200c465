package sync

import (
	"context"
	"fmt"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// execGuarded refuses a grant of a command where nothing would limit what runs: RBAC lets whoever
// may exec run anything, and only the policy pullgrant-exec asks which command.
func (a *Agent) execGuarded(ctx context.Context, g requests.Grant) error {
	for _, i := range g.Items {
		if i.Exec == nil {
			continue
		}
		problem, err := a.cluster.ExecProblem(ctx, i.Namespace, !i.Impersonates())
		if err != nil {
			return err
		}
		if problem != "" {
			return &refusal{policies.ExecUnguarded, false, fmt.Errorf("%s", problem)}
		}
	}
	return nil
}

// unguarded finds the grants of commands that nothing limits any more, and ends them. What cannot be
// read ends nothing. Each place is looked at once, however many grants are for it.
func (a *Agent) unguarded(ctx context.Context, w plan.World, found map[string]string) {
	type place struct {
		namespace string
		everybody bool
	}
	problems := map[place]string{}
	for _, r := range w.Records {
		if r.Phase == plan.Ended || r.Phase == plan.Ending || !r.EverGranted() {
			continue
		}
		for _, i := range r.Grant.Items {
			if i.Exec == nil {
				continue
			}
			at := place{i.Namespace, !i.Impersonates()}
			problem, known := problems[at]
			if !known {
				var err error
				if problem, err = a.cluster.ExecProblem(ctx, at.namespace, at.everybody); err != nil {
					problem = ""
					a.log.Error("whether commands are still limited is not known", "event", "drift",
						"cluster", a.cluster.Name, "namespace", at.namespace, "error", err.Error())
				}
				problems[at] = problem
			}
			if problem != "" {
				a.log.Warn("commands are not limited any more; access ends", "event", "drift",
					"cluster", a.cluster.Name, "request", r.Grant.Name, "message", problem)
				found[r.Grant.Path] = requests.CausePolicyChanged
			}
		}
	}
}
