package kube

import (
	"context"
	"log/slog"
	gosync "sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/flowcontrol"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
)

// An event is worth little: more than these are left out, and so are those that the API server does
// not take.
const (
	eventsPerSecond = 10
	eventsAtOnce    = 100
	eventTimeout    = 5 * time.Second
)

// Events writes into the cluster's own list of events, beside the work and without a part in it.
type Events struct {
	cluster *Cluster
	now     func() time.Time
	log     *slog.Logger
	limit   flowcontrol.RateLimiter
	sending gosync.WaitGroup
}

func NewEvents(c *Cluster, now func() time.Time, log *slog.Logger) *Events {
	return &Events{cluster: c, now: now, log: log,
		limit: flowcontrol.NewTokenBucketRateLimiter(eventsPerSecond, eventsAtOnce)}
}

// Wait returns when no event is on its way any more.
func (e *Events) Wait() { e.sending.Wait() }

// Send sends one event and does not wait for it. Its message has names and times that were checked,
// and no other text.
func (e *Events) Send(kind, reason string, about corev1.ObjectReference, message string) {
	if !e.limit.TryAccept() {
		return
	}
	at := metav1.NewTime(e.now())
	about.Namespace = Namespace
	event := &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: Namespace,
			GenerateName: render.ManagedBy + "-"},
		InvolvedObject: about, Type: kind, Reason: reason, Message: message, FirstTimestamp: at,
		LastTimestamp: at, Count: 1,
		Source: corev1.EventSource{Component: render.ManagedBy},
	}
	e.sending.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), eventTimeout)
		defer cancel()
		_, err := e.cluster.core.Events(Namespace).Create(ctx, event,
			metav1.CreateOptions{FieldManager: render.ManagedBy})
		if err != nil {
			e.log.Warn("an event is lost", "event", "event", "cluster", e.cluster.Name,
				"reason", reason, "error", err.Error())
		}
	})
}

// LeaseReference is what an event is about that is of no grant.
var LeaseReference = corev1.ObjectReference{APIVersion: "coordination.k8s.io/v1",
	Kind: "Lease", Name: LeaseName}

// RecordReference is what an event is about that is of a request.
func RecordReference(request string) corev1.ObjectReference {
	return corev1.ObjectReference{APIVersion: "v1", Kind: "ConfigMap",
		Name: requests.ObjectName(request, 0)}
}
