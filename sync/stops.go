package sync

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/monitor"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// readNotes reads whether a person paused the agent. While that cannot be read, what was read last holds.
func (a *Agent) readNotes(ctx context.Context) error {
	notes, err := a.cluster.Notes(ctx)
	if err != nil {
		return err
	}
	a.paused = ""
	if reason, paused := notes[kube.AnnotationPaused]; paused {
		a.paused = fmt.Sprintf("somebody paused the agent: %s; pullgrant resume has it go on", requests.Quote(reason))
	}
	return nil
}

// stops lists what keeps the agent from granting now. Nothing of it keeps it from taking access back.
func (a *Agent) stops() (all []plan.Stop) {
	if problem := a.clocks.problem(); problem != "" {
		all = append(all, plan.Stop{Code: policies.ClockSkew, Message: problem + "; access ends by the later clock"})
	}
	if problem := a.ruleset.problem; problem != "" && a.github != nil {
		all = append(all, plan.Stop{Code: policies.RulesetWeakened, Message: problem})
	}
	if a.rewritten {
		all = append(all, plan.Stop{Code: policies.NonFastForward, Message: "the branch does not continue from the commit accepted last"})
	}
	all = append(all, a.self.stops...)
	if a.paused != "" {
		all = append(all, plan.Stop{Code: policies.Paused, Message: a.paused})
	}
	return all
}

// reportStops tells of each thing that keeps the agent from granting when it begins and when it has passed.
func (a *Agent) reportStops() {
	now := map[policies.Code]string{}
	for _, stop := range a.stops() {
		now[stop.Code] = stop.Message
	}
	for _, known := range monitor.Stopping {
		message, on := now[known.Code]
		log := a.log.With("event", "stop", "cluster", a.cluster.Name, "code", string(known.Code))
		switch changed := a.metrics.Stop(known.Code, on); {
		case changed && on:
			log.Error("nothing is granted", "message", message)
			a.events.Send(corev1.EventTypeWarning, eventStopped, kube.LeaseReference, string(known.Code))
		case changed:
			log.Info("no longer a reason not to grant")
		}
	}
}

// ruleset is what is known of GitHub's rules on the branch.
type ruleset struct {
	problem string    // what they lack, or why they are not known; empty: they are as they should be
	next    time.Time // when they are read again
	pause   time.Duration
}

const rulesFor = time.Hour // how long they are taken as they were read

// readRuleset reads the rules at start and every hour, and sooner while they are weak or cannot be read: nothing is
// granted until they have been read whole and lack nothing.
func (a *Agent) readRuleset(ctx context.Context) error {
	now := a.clocks.own()
	if wait := a.ruleset.next.Sub(now); wait > 0 && wait <= rulesFor { // longer: the clock was set back
		return nil
	}
	rules, err := a.github.Rules(ctx)
	weak := policies.Weaknesses(rules)
	switch {
	case err != nil:
		err = fmt.Errorf("the rules that protect the branch are not known: %w", err)
		a.ruleset.problem = err.Error()
	case len(weak) > 0:
		a.ruleset.problem = "GitHub's rules do not protect the branch: " + strings.Join(weak, "; ")
	default:
		a.ruleset = ruleset{next: now.Add(rulesFor)}
		return nil
	}
	a.ruleset.pause = min(max(2*a.ruleset.pause, firstPause), longPause)
	a.ruleset.next = now.Add(a.ruleset.pause)
	return err
}

// consult asks GitHub for what can change a plan beside the branch: whether its rules still protect that, and which
// withdrawals are open. It is asked once nothing waits to be taken away. An answer that cannot be had ends and grants
// nothing; it is asked for again.
func (a *Agent) consult(ctx context.Context, w plan.World) error {
	if a.github == nil || w.Main == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, proveTimeout)
	defer cancel()
	return errors.Join(a.findWithdrawals(ctx, w), a.readRuleset(ctx))
}

// outdated tells whether a world was planned for before GitHub told otherwise.
func (a *Agent) outdated(w plan.World) bool {
	return w.Main != nil && (!maps.Equal(w.Withdrawn, a.withdrawn(w)) || (len(w.Stopped) == 0) != (len(a.stops()) == 0))
}
