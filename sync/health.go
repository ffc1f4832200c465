package sync

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/pullgrant/pullgrant/policies"
)

// stageName is a part of the agent's work that may fail apart from the others.
type stageName string

// Stages of a pass, and after them those of the expiry loop.
const (
	stageRead     stageName = "read"     // reading the cluster
	stageApply    stageName = "apply"    // changing the cluster; whatever belongs to no other stage
	stageClock    stageName = "clock"    // asking GitHub for its time
	stageGit      stageName = "git"      // fetching the branch
	stagePolicies stageName = "policies" // proving the policies
	stageRequests stageName = "requests" // judging and granting single requests
	stageLedger   stageName = "ledger"   // writing down what ended
	stageWatch    stageName = "watch"    // watching bindings
	stageExpire   stageName = "expire"   // deleting a binding that is due
)

var stageNames = []stageName{stageRead, stageApply, stageClock, stageGit, stagePolicies, stageRequests, stageLedger, stageWatch, stageExpire}

// failure is an error of a stage.
type failure struct {
	stage stageName
	error
}

func (f failure) Unwrap() error { return f.error }

// in says which stage an error is of; no error stays none.
func in(s stageName, err error) error {
	if err == nil {
		return nil
	}
	return failure{s, err}
}

// stagesOf are the stages that an error, however joined and wrapped, is of.
func stagesOf(err error) map[stageName]bool {
	switch e := err.(type) {
	case nil:
		return map[stageName]bool{}
	case failure:
		return map[stageName]bool{e.stage: true}
	case ungranted:
		return map[stageName]bool{stageRequests: true}
	case interface{ Unwrap() []error }:
		all := map[stageName]bool{}
		for _, part := range e.Unwrap() {
			maps.Copy(all, stagesOf(part))
		}
		return all
	}
	if inner := errors.Unwrap(err); inner != nil {
		return stagesOf(inner)
	}
	return map[stageName]bool{stageApply: true}
}

// stopping is the closed list of what may keep the agent from granting, with what each means to whoever operates it.
var stopping = []struct {
	code  policies.Code
	means string
}{
	{policies.ClockSkew, "its clock is too far from GitHub's or the API server's; set the wrong one"},
	{policies.NonFastForward, "the branch does not continue from the commit accepted last; look at what happened to it, then accept a commit as the log says"},
	{policies.RulesetWeakened, "GitHub's rules no longer protect the branch; put them back"},
	{policies.Unfenced, "the admission policies that fence it are missing or changed; apply what pullgrant install prints"},
	{policies.OverPrivileged, "it may do what would get around the fence; take from it what pullgrant install --diff says is too much"},
	{policies.Paused, "a person paused it; pullgrant resume has it go on"},
}

// Results of a pass.
const (
	passComplete   = "complete"
	passIncomplete = "incomplete"
)

// stuck is how long the expiry loop, which looks at the clock every second, may be silent before it counts as dead.
const stuck = 10 * tick

// beat notes that the expiry loop looked at the clock, and whether it knows every binding.
func (m *metrics) beat(synced bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.beaten, m.synced = m.own(), synced
}

// silent is how long ago the expiry loop last looked at the clock.
func (m *metrics) silent() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.own().Sub(m.beaten)
}

// lead notes whether this replica takes the passes.
func (m *metrics) lead(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.leads = on
	m.leader.Set(number(on))
}

// passed notes how a pass ended. A single request that cannot be judged or granted leaves it complete: whoever writes
// requests must not be able to make the agent look broken.
func (m *metrics) passed(err error, waiting int) {
	failing := stagesOf(err)
	for s := range failing {
		m.failed(s)
	}
	m.waiting.Set(float64(waiting))
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failing = failing
	m.reached = m.reached || !failing[stageRead] && !failing[stageGit] && !failing[stagePolicies]
	result := passIncomplete
	if len(failing) == 0 || len(failing) == 1 && failing[stageRequests] {
		result, m.complete = passComplete, m.own()
	}
	m.passes.WithLabelValues(result).Inc()
}

// stop notes whether nothing is granted for a reason, and tells whether that begins or ends now.
func (m *metrics) stop(reason policies.Code, on bool) (changed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stopped.WithLabelValues(string(reason)).Set(number(on))
	changed = on != m.stops[reason]
	m.stops[reason] = on
	return changed
}

func number(on bool) float64 {
	if on {
		return 1
	}
	return 0
}

// ready says whether the agent does its work, in lines for people: it knows every deadline and, where it takes the passes,
// one has read the cluster, the branch and its policies since the start, and the last one the cluster. Whatever else goes
// wrong is listed and leaves it ready, as another replica would do no better.
func (m *metrics) ready() (ready bool, lines []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ready = true
	tell := func(wrong bool, line string) {
		if wrong {
			ready, line = false, "not ready: "+line
		}
		lines = append(lines, line)
	}
	if m.synced {
		tell(false, "every deadline is known")
	} else {
		tell(true, "the bindings are not all read yet")
	}
	switch failing := fmt.Sprint(slices.Sorted(maps.Keys(m.failing))); {
	case !m.leads:
		tell(false, "another replica grants and records")
	case !m.reached:
		tell(true, "no pass has read the cluster, the branch and its policies yet; the last one had trouble with "+failing)
	case m.failing[stageRead]:
		tell(true, "the last pass had trouble with "+failing+" and could not read the cluster")
	case len(m.failing) > 0:
		tell(false, "the last pass had trouble with "+failing)
	default:
		tell(false, "the last pass had no trouble")
	}
	for _, s := range stopping {
		if m.stops[s.code] {
			tell(false, fmt.Sprintf("nothing is granted, %s: %s", s.code, s.means))
		}
	}
	return ready, lines
}
