package sync

import (
	"context"
	"fmt"
	gosync "sync"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// selfTest is what the agent found out about its own limits.
type selfTest struct {
	stops  []plan.Stop
	next   time.Time // when it is repeated
	pause  time.Duration
	fenced *gosync.Map // by namespace, until when the fence is taken to hold there
}

const testedFor = time.Hour // how long the limits are taken as they were found

func untested() selfTest {
	return selfTest{stops: []plan.Stop{{Code: policies.Unfenced, Message: "whether the fence stands is not known yet"}}, fenced: &gosync.Map{}}
}

// testSelf finds out, at start and every hour, whether the API server still limits the agent as it should: the fence is
// the one that this program renders, and the agent may do nothing that would make up for a fence. While something is
// wrong, or cannot be found out, it is repeated sooner. It never keeps access from being taken back (G5).
func (a *Agent) testSelf(ctx context.Context) error {
	now := a.clocks.own()
	if wait := a.self.next.Sub(now); wait > 0 && wait <= testedFor { // longer: the clock was set back
		return nil
	}
	stops, err := a.cluster.Limits(ctx)
	if err != nil {
		err = fmt.Errorf("testing the agent's limits: %w", err)
		stops = []plan.Stop{{Code: policies.Unfenced, Message: err.Error()}}
	}
	a.self.stops = stops
	a.self.fenced.Clear()
	if len(stops) == 0 {
		a.self.pause, a.self.next = 0, now.Add(testedFor)
		return nil
	}
	a.self.pause = min(max(2*a.self.pause, firstPause), longPause)
	a.self.next = now.Add(a.self.pause)
	return err
}

// fencedIn makes sure, once an hour, that the agent is limited in a namespace too before anything is granted in it: the
// API server must refuse, in a dry run, a Job that would run a pod.
func (a *Agent) fencedIn(ctx context.Context, namespace string, g requests.Grant) error {
	now := a.clocks.own()
	if until, ok := a.self.fenced.Load(namespace); ok && now.Before(until.(time.Time)) && until.(time.Time).Sub(now) <= testedFor {
		return nil
	}
	excess, err := a.cluster.Excess(ctx, namespace)
	if err != nil {
		return err
	}
	if excess != "" {
		return fmt.Errorf("granting %s (%s): the agent may %s; take that right from it", g.Name, policies.OverPrivileged, excess)
	}
	job, err := render.Backstop(g, namespace, a.now())
	if err != nil {
		return err
	}
	runs := int32(1)
	job.Name, job.Spec.Completions, job.Spec.Parallelism = "pullgrant-probe", &runs, &runs
	if err = a.cluster.TryJob(ctx, &job); !kube.RefusedByFence(err) {
		return fmt.Errorf("granting %s (%s): the fence does not refuse a Job with pods in namespace %s, the answer was: %v", g.Name, policies.Unfenced, namespace, err)
	}
	a.self.fenced.Store(namespace, now.Add(testedFor))
	return nil
}
