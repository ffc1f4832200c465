package sync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	gosync "sync"
	"time"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// gate is what keeps the agent from granting. Nothing of it keeps access from being taken back
// (G5).
type gate struct {
	cluster *kube.Cluster
	github  *github.Client // nil: there are no rules of GitHub's to go by
	clocks  *clocks

	rewritten  bool        // the branch does not continue from the commit accepted last
	paused     string      // that a person paused the agent, and why; empty: nobody did
	limits     []plan.Stop // what is wrong with the fence
	tested     retry       // limits
	rights     rights      // what the agent may do
	fenced     gosync.Map  // by namespace, until when the fence is taken to hold there
	rules      string      // what GitHub's rules on the branch lack, or why they are not known; empty: nothing
	read       retry       // rules
	repository pinned      // which one is the access repository
	refused    string      // that the server refuses the agent's pushes, in its words; empty: it does not
	push       retry       // after it did
}

// checkedFor is how long the agent's limits and GitHub's rules are taken as they were found.
const checkedFor = time.Hour

// newGate is shut until everything has been looked at.
func newGate(c *kube.Cluster, hub *github.Client, clocks *clocks, repository int64) *gate {
	return &gate{cluster: c, github: hub, clocks: clocks,
		repository: pinned{flag: repository, github: hub},
		limits: []plan.Stop{{Code: policies.Unfenced,
			Message: "whether the fence stands is not known yet"}},
		rules: "the rules that protect the branch are not known yet"}
}

// stops lists what keeps the agent from granting now.
func (g *gate) stops() (all []plan.Stop) {
	if problem := g.clocks.problem(); problem != "" {
		all = append(all, plan.Stop{Code: policies.ClockSkew, Message: problem +
			"; access ends by the later clock"})
	}
	switch problem := g.repository.problem(); {
	case problem != "": // whose rules are nobody's business
		all = append(all, plan.Stop{Code: policies.RepositoryReplaced, Message: problem})
	case g.rules != "" && g.github != nil:
		all = append(all, plan.Stop{Code: policies.RulesetWeakened, Message: g.rules})
	}
	if g.rewritten {
		all = append(all, plan.Stop{Code: policies.NonFastForward,
			Message: "the branch does not continue from the commit accepted last"})
	}
	if g.refused != "" {
		all = append(all, plan.Stop{Code: policies.PushRefused,
			Message: "what ended cannot be written down: " +
				g.refused + "; have the agent's App be a bypass actor of the branch's ruleset"})
	}
	all = append(all, g.limits...)
	if g.rights.problem != "" {
		all = append(all, plan.Stop{Code: policies.OverPrivileged, Message: g.rights.problem})
	}
	if g.paused != "" {
		all = append(all, plan.Stop{Code: policies.Paused, Message: g.paused})
	}
	return all
}

// pushed notes whether the server took a push, or what else became of it: nothing is granted that
// could not be recorded.
func (g *gate) pushed(err error) {
	switch {
	case err == nil:
		g.refused = ""
		g.push.done(time.Time{})
	case errors.Is(err, git.ErrRefused):
		g.refused = err.Error()
		g.push.later(g.clocks.wall())
	}
}

// readNotes reads whether a person paused the agent, and which repository it is for. While that
// cannot be read, what was read last holds.
func (g *gate) readNotes(ctx context.Context) error {
	notes, err := g.cluster.Notes(ctx)
	if err != nil {
		return err
	}
	g.repository.read(notes[kube.AnnotationRepository])
	g.paused = ""
	if reason, paused := notes[kube.AnnotationPaused]; paused {
		g.paused = fmt.Sprintf("somebody paused the agent: %s; pullgrant resume has it go on",
			requests.Quote(reason))
	}
	return nil
}

// testFence finds out, at start and every hour, whether the fence is still the one that this
// program renders. While it is not, or that cannot be found out, it is repeated sooner.
func (g *gate) testFence(ctx context.Context) error {
	now := g.clocks.wall()
	if !g.tested.dueWithin(now, checkedFor) {
		return nil
	}
	stops, err := g.cluster.Fence(ctx)
	if err != nil {
		err = fmt.Errorf("looking at the fence: %w", err)
		stops = []plan.Stop{{Code: policies.Unfenced, Message: err.Error()}}
	}
	g.limits = stops
	g.fenced.Clear()
	if len(stops) == 0 {
		g.tested.done(now.Add(checkedFor))
		return nil
	}
	g.tested.later(now)
	return err
}

// readRules reads GitHub's rules on the branch at start and every hour, and sooner while they are
// weak or cannot be read: nothing is granted until they have been read whole and lack nothing.
func (g *gate) readRules(ctx context.Context) error {
	now := g.clocks.wall()
	if !g.read.dueWithin(now, checkedFor) {
		return nil
	}
	rules, err := g.github.Rules(ctx)
	weak := policies.Weaknesses(rules, g.github.CheckApp())
	switch {
	case err != nil:
		err = fmt.Errorf("the rules that protect the branch are not known: %w", err)
		g.rules = err.Error()
	case len(weak) > 0:
		g.rules = "GitHub's rules do not protect the branch: " + strings.Join(weak, "; ")
	default:
		g.rules = ""
		g.read.done(now.Add(checkedFor))
		return nil
	}
	g.read.later(now)
	return err
}

// fencedIn makes sure, once an hour, that the agent is limited in a namespace too before anything
// is granted in it: the fence must refuse, in a dry run, a Job that would run a pod. Where
// something else refuses that first, so that nobody knows what the fence would have said, it must
// refuse a binding without labels. An error that the cluster objects to both is no stop of the
// agent's.
func (g *gate) fencedIn(ctx context.Context, namespace string, grant requests.Grant,
	bindings []render.Object) error {
	now := g.clocks.wall()
	if problem := g.rights.in[namespace]; problem != "" {
		return &unlimited{policies.OverPrivileged, problem}
	}
	if until, ok := g.fenced.Load(namespace); ok && now.Before(until.(time.Time)) &&
		until.(time.Time).Sub(now) <= checkedFor {
		return nil
	}
	job, err := render.Backstop(grant, namespace, g.clocks.now())
	if err != nil {
		return err
	}
	runs := int32(1)
	job.Name, job.Spec.Completions, job.Spec.Parallelism = probeName, &runs, &runs
	answer := g.cluster.Try(ctx, &job)
	fenced := kube.RefusedByFence(answer)
	if kube.Objected(answer) {
		at := slices.IndexFunc(bindings,
			func(o render.Object) bool { return o.GetNamespace() == namespace })
		bare := bindings[at].DeepCopyObject().(render.Object)
		bare.SetName(probeName)
		bare.SetLabels(nil)
		bare.SetAnnotations(nil)
		other := g.cluster.Try(ctx, bare)
		if fenced = kube.RefusedByFence(other); !fenced && kube.Objected(other) {
			return answer
		}
	}
	if !fenced {
		return &unlimited{policies.Unfenced,
			fmt.Sprintf("the fence does not refuse a Job with pods "+
				"in namespace %s, the answer was: %v", namespace, answer)}
	}
	g.fenced.Store(namespace, now.Add(checkedFor))
	return nil
}

// probeName is that of what is only tried.
const probeName = "pullgrant-probe"

// unlimited says that a limit of the agent's is missing in one namespace.
type unlimited struct {
	code    policies.Code
	message string
}

func (u *unlimited) Error() string { return u.message }
