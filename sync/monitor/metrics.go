// Package monitor shows what the agent does and whether it is well: numbers for Prometheus, answers
// to probes, and the server of both, where GitHub's webhook can also wake the agent.
package monitor

import (
	"math"
	gosync "sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// Swept is the cause of a managed binding's end that no grant explains; the others are those of the
// ledger.
const Swept = "Swept"

// Metrics is what the agent shows of itself, to Prometheus and to whoever probes it.
// docs/monitoring/README.md explains each number. Labels have the words of closed lists, and the
// cluster's name; no text of a request reaches one.
type Metrics struct {
	registry *prometheus.Registry
	factory  promauto.Factory
	wall     func() time.Time
	entered  map[string]bool // names that records hold of what the ledger has, as Observed saw it last

	grants, outbox, waiting, lasting       prometheus.Gauge
	untold                                 prometheus.Gauge
	messages                               *prometheus.CounterVec
	leader, stale, still, owed, overdue    prometheus.Gauge
	lateness                               prometheus.Histogram
	decisions, endings, passes, deliveries *prometheus.CounterVec
	stopped, errors                        *prometheus.GaugeVec
	auditOn                                prometheus.Gauge
	auditCalls, auditEvents, uses          *prometheus.CounterVec

	only   *only        // of a process that does one thing; nil of an agent
	people *peopleGauge // of one that keeps aws-auth; nil of others

	mu       gosync.Mutex // never held while waiting for anything
	beaten   time.Time    // when the expiry loop last looked at the clock
	synced   bool         // the expiry loop knows every binding
	leads    bool         // this replica takes the passes
	reached  bool         // a pass read the cluster, the branch and its policies
	complete time.Time    // when a pass was complete last; the start before there is one
	failing  map[Stage]bool
	whole    string // why the git server is asked for whole commits; empty: it is not
	stops    map[policies.Code]bool
}

// NewMetrics are those of an agent. They count from now on, by the wall clock.
func NewMetrics(cluster, version string, wall func() time.Time) *Metrics {
	m := newMetrics(cluster, wall)
	m.define(m.factory)
	m.expires()
	m.runs(stages)
	m.build("build_info", "1, with the version of the agent.", version)
	return m
}

// NewExpirerMetrics are those of a process that only expires: it shows nothing of what only an
// agent does, and has a name of its own, so that it is not taken for one.
func NewExpirerMetrics(cluster, version string, wall func() time.Time) *Metrics {
	m := newMetrics(cluster, wall)
	m.define(promauto.With(nil))
	m.expires()
	m.runs([]Stage{StageWatch, StageExpire})
	m.build("expirer_build_info", "1, with the version of the expirer.", version)
	words := expiring
	words.unsafe = m.unsafe("expirer_unsafe",
		"1 while this is amiss with the expirer; it expires all the same.")
	m.only = &words
	return m
}

// unsafe are the series of what may be amiss with a process that does one thing.
func (m *Metrics) unsafe(name, help string) *prometheus.GaugeVec {
	gauges := m.factory.NewGaugeVec(prometheus.GaugeOpts{Namespace: "pullgrant", Name: name,
		Help: help}, []string{"reason"})
	for _, code := range Unsafe {
		gauges.WithLabelValues(string(code))
	}
	return gauges
}

func newMetrics(cluster string, wall func() time.Time) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), wall: wall, beaten: wall(), complete: wall(),
		stops: map[policies.Code]bool{}}
	m.factory = promauto.With(prometheus.WrapRegistererWith(
		prometheus.Labels{"cluster": cluster}, m.registry))
	return m
}

func (m *Metrics) build(name, help, version string) {
	m.factory.NewGaugeVec(prometheus.GaugeOpts{Namespace: "pullgrant", Name: name, Help: help},
		[]string{"version"}).WithLabelValues(version).Set(1)
}

// expires makes the number of whoever ends access.
func (m *Metrics) expires() {
	m.lateness = m.factory.NewHistogram(prometheus.HistogramOpts{Namespace: "pullgrant",
		Name: "expiry_lateness_seconds",
		Help: "Time from the end of a grant to the deletion of its binding.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60,
			300, 900}})
	m.beats("expiry_heartbeat_timestamp_seconds",
		"When the expiry loop last looked at the clock, in Unix time.")
}

// beats shows when the loop of the process last turned.
func (m *Metrics) beats(name, help string) {
	m.factory.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "pullgrant", Name: name, Help: help},
		func() float64 {
			m.mu.Lock()
			defer m.mu.Unlock()
			return unix(m.beaten)
		})
}

// runs makes the numbers of every process: when which part of its work last failed.
func (m *Metrics) runs(stages []Stage) {
	m.errors = m.factory.NewGaugeVec(prometheus.GaugeOpts{Namespace: "pullgrant",
		Name: "last_error_timestamp_seconds",
		Help: "When this part of the work last failed, in Unix time; 0 for never."},
		[]string{"stage"})
	for _, s := range stages {
		m.errors.WithLabelValues(string(s))
	}
}

// define makes the numbers that only an agent has, in a factory that need not show them.
func (m *Metrics) define(in promauto.Factory) {
	gauge := func(name, help string) prometheus.Gauge {
		return in.NewGauge(prometheus.GaugeOpts{Namespace: "pullgrant", Name: name, Help: help})
	}
	gauges := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return in.NewGaugeVec(prometheus.GaugeOpts{Namespace: "pullgrant", Name: name, Help: help},
			labels)
	}
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return in.NewCounterVec(prometheus.CounterOpts{Namespace: "pullgrant", Name: name,
			Help: help}, labels)
	}
	m.grants = gauge("grants_active", "Bindings of grants that exist.")
	m.outbox = gauge("outbox_depth", "Ended grants that the ledger does not have yet.")
	m.waiting = gauge("requests_waiting",
		"Merged requests that are neither granted nor refused yet.")
	m.lasting = gauge("ends_failing",
		"Grants, and objects that are no grant's, whose end does not work.")
	m.stale = gauge("stale_rights", "Rights of the agent that no policy needs and that keep it "+
		"from nothing.")
	m.still = gauge("names_still", "Grants whose names of what matches are not kept current.")
	m.owed = gauge("breakglass_owed", "Break-glass that is over and that nobody has answered for.")
	m.overdue = gauge("breakglass_overdue", "Break-glass that nobody has answered for in time.")
	m.leader = gauge("leader", "1 on the replica that grants and records, 0 on others.")
	m.decisions = counters("decisions_total", "Requests granted or refused, and judgements that "+
		"could not be made.", "decision", "code")
	m.endings = counters("bindings_ended_total", "Bindings that ended.", "cause")
	m.passes = counters("passes_total", "Passes over cluster and branch.", "result")
	m.deliveries = counters("webhook_deliveries_total", "Calls of the webhook.", "result")
	m.untold = gauge("messages_waiting", "Messages that wait to be sent to the channels of policies.")
	m.messages = counters("messages_total", "Tries to send a message to a channel, and messages "+
		"that were given up.", "result")
	m.auditOn = gauge("exec_audit_on",
		"1 where the API server's audit webhook can tell of commands in containers.")
	m.auditCalls = counters("exec_audit_calls_total", "Calls of the audit webhook.", "result")
	m.auditEvents = counters("exec_audit_events_total", "Events that the audit webhook told.",
		"result")
	m.uses = counters("exec_uses_total", "Commands of grants that were run, or refused.", "result")
	m.stopped = gauges("granting_stopped",
		"1 while nothing is granted for this reason; expiry goes on.", "reason")
	in.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "pullgrant", Name: "sync_age_seconds",
		Help: "Time since a pass was complete, or since the start before there is one."},
		func() float64 {
			m.mu.Lock()
			defer m.mu.Unlock()
			return m.wall().Sub(m.complete).Seconds()
		})
	// A series must be there before it first counts something, or its first increase is not seen.
	for _, cause := range append([]string{Swept}, requests.Causes...) {
		m.endings.WithLabelValues(cause)
	}
	for _, s := range Stopping {
		m.stopped.WithLabelValues(string(s.Code))
	}
	for vector, results := range map[*prometheus.CounterVec][]string{
		m.passes: {passComplete, passIncomplete}, m.deliveries: {deliveryAccepted, deliveryIgnored,
			deliveryReplayed, deliveryRefused},
		m.messages:   MessageResults,
		m.auditCalls: CallResults, m.auditEvents: EventResults, m.uses: useResults} {
		for _, result := range results {
			vector.WithLabelValues(result)
		}
	}
}

// WatchOverdue shows how many bindings are past their end.
func (m *Metrics) WatchOverdue(overdue func() int) {
	m.factory.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "pullgrant", Name: "past_expiry",
		Help: "Managed bindings that are there after their end."},
		func() float64 { return float64(overdue()) })
}

// WatchMisnamed shows how many objects say that pullgrant manages them under a name that it never
// gives.
func (m *Metrics) WatchMisnamed(misnamed func() int) {
	m.factory.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "pullgrant", Name: "misnamed_objects",
		Help: "Objects with the agent's label under a name that it never gives; they are left alone."},
		func() float64 { return float64(misnamed()) })
}

// Budget is what was spent at one of GitHub's APIs, and what is left of the hour, once that is told.
type Budget struct {
	Calls, Remaining int64
	Known            bool
}

// WatchGitHub shows what is spent at one of GitHub's APIs, rest or graphql.
func (m *Metrics) WatchGitHub(api string, budget func() Budget) {
	labels := prometheus.Labels{"api": api}
	m.factory.NewCounterFunc(prometheus.CounterOpts{Namespace: "pullgrant",
		Name: "github_calls_total", ConstLabels: labels, Help: "Calls of GitHub that count."},
		func() float64 { return float64(budget().Calls) })
	m.factory.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "pullgrant", Name: "github_remaining",
		ConstLabels: labels, Help: "Calls of REST, or points of GraphQL, that are left of the hour " +
			"for the token; NaN before GitHub told."},
		func() float64 {
			b := budget()
			if !b.Known {
				return math.NaN()
			}
			return float64(b.Remaining)
		})
}

func unix(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// Late notes that a binding was deleted, and by how much after its end.
func (m *Metrics) Late(by time.Duration) { m.lateness.Observe(max(by, 0).Seconds()) }

// Observed takes the numbers from what was found in the cluster. It is called by one pass at a time.
func (m *Metrics) Observed(w plan.World) {
	bindings, ended := 0, 0
	for _, l := range w.Live {
		if l.Managed && l.Place().IsBinding() {
			bindings++
		}
	}
	entered := map[string]bool{} // what is known of that stays so while the branch cannot be read
	for _, r := range w.Records {
		if r.Phase != plan.Ended {
			continue
		}
		if name := r.Grant.Name; w.Entered(name) || w.Main == nil && m.entered[name] {
			entered[name] = true
		} else {
			ended++
		}
	}
	m.entered = entered
	m.grants.Set(float64(bindings))
	m.outbox.Set(float64(ended))
}

// Owed notes how much break-glass nobody has answered for, and of how much that is overdue.
func (m *Metrics) Owed(all, overdue int) {
	m.owed.Set(float64(all))
	m.overdue.Set(float64(overdue))
}

// Ended counts a binding that ended for a cause, of the ledger's or Swept.
func (m *Metrics) Ended(cause string) { m.endings.WithLabelValues(cause).Inc() }

// Decided counts what came of a request.
func (m *Metrics) Decided(o policies.Outcome, code string) {
	m.decisions.WithLabelValues(o.String(), code).Inc()
}

// Failed notes that a part of the work did not succeed.
func (m *Metrics) Failed(s Stage) { m.errors.WithLabelValues(string(s)).Set(unix(m.wall())) }
