package monitor

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// Stage is a part of the agent's work that may fail apart from the others.
type Stage string

// Stages of a pass, and after them those of the expiry loop.
const (
	StageRead     Stage = "read"     // reading the cluster
	StageApply    Stage = "apply"    // changing the cluster; whatever belongs to no other stage
	StageClock    Stage = "clock"    // asking GitHub for its time
	StageGit      Stage = "git"      // fetching the branch
	StagePolicies Stage = "policies" // proving the policies
	StageRequests Stage = "requests" // judging and granting single requests
	StageLedger   Stage = "ledger"   // writing down what ended
	StageWatch    Stage = "watch"    // watching bindings
	StageExpire   Stage = "expire"   // deleting a binding that is due
)

// StageAWSAuth is all the work of what keeps aws-auth.
const StageAWSAuth Stage = "aws-auth"

var stages = []Stage{StageRead, StageApply, StageClock, StageGit, StagePolicies, StageRequests,
	StageLedger, StageWatch, StageExpire}

// Stopping is the closed list of what may keep the agent from granting, with what each means to
// whoever operates it.
var Stopping = []struct {
	Code  policies.Code
	means string
}{
	{policies.ClockSkew, "its clock is too far from GitHub's or the API server's; set the wrong one"},
	{policies.NonFastForward, "the branch does not continue from the commit accepted last; look " +
		"at what happened to it, then accept a commit as the log says"},
	{policies.RulesetWeakened, "GitHub's rules no longer protect the branch; put them back"},
	{policies.PushRefused, "the ledger cannot be written: the server refuses the agent's " +
		"pushes; have its App be a bypass actor of the branch's ruleset"},
	{policies.Unfenced, "the admission policies that fence it are missing or changed; apply " +
		"what pullgrant install prints"},
	{policies.OverPrivileged, "it may do what would get around the fence; take from it what " +
		"pullgrant install --diff says is too much"},
	{policies.RepositoryReplaced, "another repository stands under the name; find out who replaced " +
		"it, then do as the log says"},
	{policies.Paused, "a person paused it; pullgrant resume has it go on"},
}

// Unsafe is the closed list of what may be amiss with a process that does one thing.
var Unsafe = []policies.Code{policies.Unfenced, policies.OverPrivileged}

// Results of a pass.
const (
	passComplete   = "complete"
	passIncomplete = "incomplete"
)

// Tick is the longest time between two looks of the expiry loop at the clock.
const Tick = time.Second

// stuck is how long the expiry loop may be silent before it counts as dead.
const stuck = 10 * Tick

// Beat notes that the expiry loop looked at the clock, and whether it knows every binding.
func (m *Metrics) Beat(synced bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.beaten, m.synced = m.wall(), synced
}

// silent is how long ago the expiry loop last looked at the clock.
func (m *Metrics) silent() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.wall().Sub(m.beaten)
}

// Lead notes whether this replica takes the passes. One that does not shows nothing of what passes
// find: it is another's to say, and no longer what is.
func (m *Metrics) Lead(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.leads = on
	m.leader.Set(number(on))
	if on {
		return
	}
	for _, found := range []prometheus.Gauge{m.grants, m.outbox, m.waiting, m.lasting} {
		found.Set(0)
	}
	for code := range m.stops {
		m.stopped.WithLabelValues(string(code)).Set(0)
	}
	clear(m.stops)
}

// Lasting notes how many ends do not work.
func (m *Metrics) Lasting(n int) { m.lasting.Set(float64(n)) }

// StaleRights notes how many rights the agent has that no policy needs any more.
func (m *Metrics) StaleRights(n int) { m.stale.Set(float64(n)) }

// NamesStill notes of how many grants the names of what matches are not kept current.
func (m *Metrics) NamesStill(n int) { m.still.Set(float64(n)) }

// Passed notes how a pass ended: which stages did not succeed, and how many requests wait. A single
// request that cannot be judged or granted leaves it complete: whoever writes requests must not be
// able to make the agent look broken.
func (m *Metrics) Passed(failing map[Stage]bool, waiting int) {
	for s := range failing {
		m.Failed(s)
	}
	m.waiting.Set(float64(waiting))
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failing = failing
	m.reached = m.reached || !failing[StageRead] && !failing[StageGit] && !failing[StagePolicies]
	result := passIncomplete
	if len(failing) == 0 || len(failing) == 1 && failing[StageRequests] {
		result, m.complete = passComplete, m.wall()
	}
	m.passes.WithLabelValues(result).Inc()
}

// Whole notes why the git server is asked for whole commits; empty: it need not be.
func (m *Metrics) Whole(why string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.whole = why
}

// only is what a process that does one thing shows of its state, and says of it to whoever probes.
type only struct {
	unsafe *prometheus.GaugeVec // by reason, what is amiss with it

	loop             string // that must turn
	synced, unsynced string // it knows all that it must know, or not yet
	does             string // the one thing
	still            string // what it does whatever is amiss
}

// expiring is what an agent and an expirer say.
var expiring = only{loop: "the expiry loop", synced: "every deadline is known",
	unsynced: "the bindings are not all read yet", does: "this process only expires",
	still: "it expires all the same"}

// words are those of the process.
func (m *Metrics) words() only {
	if m.only == nil {
		return expiring
	}
	return *m.only
}

// Stop notes whether nothing is granted for a reason, and tells whether that begins or ends now.
func (m *Metrics) Stop(reason policies.Code, on bool) (changed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.only != nil {
		m.only.unsafe.WithLabelValues(string(reason)).Set(number(on))
	} else {
		m.stopped.WithLabelValues(string(reason)).Set(number(on))
	}
	changed = on != m.stops[reason]
	m.stops[reason] = on
	return changed
}

// Unsafe notes what is amiss with a process that does one thing, and has the log tell, as amiss,
// what begins, and what has passed. wrong may name what is none of such a process.
func (m *Metrics) Unsafe(log *slog.Logger, wrong []plan.Stop, amiss string) {
	for _, code := range Unsafe {
		message := ""
		for _, w := range wrong {
			if w.Code == code {
				message = w.Message
			}
		}
		log := log.With("event", "limits", "code", string(code))
		switch changed := m.Stop(code, message != ""); {
		case changed && message != "":
			log.Error(amiss, "message", message)
		case changed:
			log.Info("no longer amiss")
		}
	}
}

func number(on bool) float64 {
	if on {
		return 1
	}
	return 0
}

// ready says whether the agent does its work, in lines for people: it knows every deadline and,
// where it takes the passes, one has read the cluster, the branch and its policies since the start,
// and the last one the cluster. Whatever else goes wrong is listed and leaves it ready, as another
// replica would do no better.
func (m *Metrics) ready() (ready bool, lines []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ready = true
	tell := func(wrong bool, line string) {
		if wrong {
			ready, line = false, "not ready: "+line
		}
		lines = append(lines, line)
	}
	words := m.words()
	if m.synced {
		tell(false, words.synced)
	} else {
		tell(true, words.unsynced)
	}
	if m.only != nil {
		tell(false, words.does)
		for _, s := range Stopping {
			if m.stops[s.Code] {
				tell(false, fmt.Sprintf("%s, %s: %s", words.still, s.Code, s.means))
			}
		}
		return ready, lines
	}
	if m.whole != "" {
		tell(false, "whole commits are fetched, as "+m.whole+"; one that is too large stops the "+
			"branch there")
	}
	switch failing := fmt.Sprint(slices.Sorted(maps.Keys(m.failing))); {
	case !m.leads:
		tell(false, "another replica grants and records")
	case !m.reached:
		tell(true, "no pass has read the cluster, the branch and its policies yet; the last one "+
			"had trouble with "+failing)
	case m.failing[StageRead]:
		tell(true, "the last pass had trouble with "+failing+" and could not read the cluster")
	case len(m.failing) > 0:
		tell(false, "the last pass had trouble with "+failing)
	default:
		tell(false, "the last pass had no trouble")
	}
	for _, s := range Stopping {
		if m.stops[s.Code] {
			tell(false, fmt.Sprintf("nothing is granted, %s: %s", s.Code, s.means))
		}
	}
	return ready, lines
}
