package monitor

// Results of a call of the audit webhook.
const (
	CallAccepted     = "accepted"
	CallUnauthorized = "unauthorized" // without the token
	CallMalformed    = "malformed"    // no EventList
	CallTooLarge     = "too_large"
	CallFlood        = "flood" // more than is taken at a time; the API server sends it again
)

// CallResults lists them.
var CallResults = []string{CallAccepted, CallUnauthorized, CallMalformed, CallTooLarge, CallFlood}

// What became of an event that the audit webhook told.
const (
	EventKept     = "kept"     // a use of a live grant
	EventOther    = "other"    // of no command in a container, or told before the answer
	EventUnmarked = "unmarked" // the policy pullgrant-exec did not judge it
	EventStale    = "stale"    // too old, or ahead of the clock
	EventReplayed = "replayed" // told before, also as the start of what ended
	EventForeign  = "foreign"  // its caller has no grant of it: another's right, or forged
	EventLost     = "lost"     // it could not be noted
)

// EventResults lists them.
var EventResults = []string{EventKept, EventOther, EventUnmarked, EventStale, EventReplayed,
	EventForeign, EventLost}

var useResults = []string{"allowed", "refused"}

// AuditOn tells that the audit webhook is served.
func (m *Metrics) AuditOn() { m.auditOn.Set(1) }

// AuditCall counts a call by one of CallResults.
func (m *Metrics) AuditCall(result string) { m.auditCalls.WithLabelValues(result).Inc() }

// AuditEvents counts events by one of EventResults.
func (m *Metrics) AuditEvents(result string, n int) {
	m.auditEvents.WithLabelValues(result).Add(float64(n))
}

// Used counts a use of a grant.
func (m *Metrics) Used(allowed bool) {
	result := useResults[1]
	if allowed {
		result = useResults[0]
	}
	m.uses.WithLabelValues(result).Inc()
}
