package kube

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	controlplane "github.com/pullgrant/pullgrant/testdata/kube"
)

// TestLeaseUntilTheWorkStopped: a replica that is to end gives its Lease up, and not before its work
// has stopped.
func TestLeaseUntilTheWorkStopped(t *testing.T) {
	c, err := NewCluster(controlplane.ForTest(t).Admin(), "prod-eu", CallTimeout, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.core.Namespaces().Create(t.Context(), &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{Name: Namespace}}, metav1.CreateOptions{}); err != nil &&
		!apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	defer end()
	held := errors.New("it never worked")
	if err := c.Lead(ctx, "replica-a", slog.New(slog.DiscardHandler), func(term context.Context) {
		end()
		<-term.Done()
		time.Sleep(500 * time.Millisecond) // the last call is under way
		var holder string
		if holder, held = c.Leader(t.Context(), time.Now()); holder != "replica-a" {
			t.Errorf("the Lease is of %q while the work goes on", holder)
		}
	}); err != nil || held != nil {
		t.Fatal(err, held)
	}
	if holder, err := c.Leader(t.Context(), time.Now()); err != nil || holder != "" {
		t.Errorf("the Lease is of %q once it has stopped: %v", holder, err)
	}
}
