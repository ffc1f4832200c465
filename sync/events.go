package sync

import (
	"context"
	"fmt"
	"log/slog"
	gosync "sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/flowcontrol"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// Reasons of the Kubernetes Events, which stand in the agent's namespace: of a grant's record, except for the last two,
// which are of the Lease.
const (
	eventGranted = "Granted"
	eventExpired = "Expired"
	eventEnded   = "Ended"   // before its time
	eventRefused = "Refused" // a merged request
	eventForged  = "Forged"  // a managed object that no grant explains was taken away
	eventStopped = "GrantingStopped"
)

// An event is worth little: more than these are left out, and so are those that the API server does not take.
const (
	eventsPerSecond = 10
	eventsAtOnce    = 100
	eventTimeout    = 5 * time.Second
)

// events writes into the cluster's own list of events, beside the work and without a part in it.
type events struct {
	cluster *cluster
	now     func() time.Time
	log     *slog.Logger
	limit   flowcontrol.RateLimiter
	sending gosync.WaitGroup
}

func newEvents(c *cluster, now func() time.Time, log *slog.Logger) *events {
	return &events{cluster: c, now: now, log: log, limit: flowcontrol.NewTokenBucketRateLimiter(eventsPerSecond, eventsAtOnce)}
}

// tell sends one event and does not wait for it. Its message has names and times that were checked, and no other text.
func (e *events) tell(kind, reason string, about corev1.ObjectReference, message string) {
	if !e.limit.TryAccept() {
		return
	}
	at := metav1.NewTime(e.now())
	about.Namespace = Namespace
	event := &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: Namespace, GenerateName: render.ManagedBy + "-"},
		InvolvedObject: about, Type: kind, Reason: reason, Message: message, FirstTimestamp: at, LastTimestamp: at, Count: 1,
		Source: corev1.EventSource{Component: render.ManagedBy},
	}
	e.sending.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), eventTimeout)
		defer cancel()
		_, err := e.cluster.client.CoreV1().Events(Namespace).Create(ctx, event, metav1.CreateOptions{FieldManager: render.ManagedBy})
		if err != nil {
			e.log.Warn("an event is lost", "event", "event", "cluster", e.cluster.name, "reason", reason, "error", err.Error())
		}
	})
}

var theLease = corev1.ObjectReference{APIVersion: "coordination.k8s.io/v1", Kind: "Lease", Name: leaseName}

// save writes a record that says what came of a request, and tells so.
func (a *Agent) save(ctx context.Context, r *plan.Record) error {
	if err := a.cluster.save(ctx, r); err != nil {
		return err
	}
	g := r.Grant
	about := corev1.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Name: requests.ObjectName(g.Name, 0)}
	switch {
	case r.Phase == plan.Granted:
		a.metrics.decided(policies.Allowed, "")
		a.events.tell(corev1.EventTypeNormal, eventGranted, about, fmt.Sprintf("%s: %s until %s", g.Name, g.Policy, g.Window.End))
	case r.Cause == requests.CauseDenied:
		a.metrics.decided(policies.Denied, r.Code)
		a.events.tell(corev1.EventTypeWarning, eventRefused, about, fmt.Sprintf("%s: %s", g.Name, r.Code))
	case r.Cause == requests.CauseExpired:
		a.events.tell(corev1.EventTypeNormal, eventExpired, about, g.Name)
	case r.Cause != "":
		a.events.tell(corev1.EventTypeNormal, eventEnded, about, fmt.Sprintf("%s: %s", g.Name, r.Cause))
	}
	if r.Cause != "" {
		for _, o := range r.Objects {
			if o.IsBinding() && o.UID != "" {
				a.metrics.ended.WithLabelValues(r.Cause).Inc()
			}
		}
	}
	return nil
}

// forged tells of a managed object that no grant explained.
func (a *Agent) forged(l plan.Live) {
	a.metrics.ended.WithLabelValues(swept).Inc()
	a.events.tell(corev1.EventTypeWarning, eventForged, theLease,
		fmt.Sprintf("%s %s in %s was no grant's and is deleted", l.Kind, requests.Quote(l.Name), l.Namespace))
}
