package kube

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"
)

// How the replicas of an agent agree on the one that grants and records. One that cannot renew
// stops before another may take over.
const (
	leaseDuration = 15 * time.Second
	renewDeadline = 10 * time.Second
	retryPeriod   = 2 * time.Second
)

// Lead waits until this replica holds the Lease, and has it work until it loses the Lease or ctx
// ends. It returns once the work has stopped. Expiry does not need the Lease: every replica
// expires.
func (c *Cluster) Lead(ctx context.Context, identity string, log *slog.Logger,
	work func(context.Context)) error {
	log = log.With("event", "lead", "cluster", c.Name)
	terms, over := make(chan context.Context), make(chan struct{})
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: &resourcelock.LeaseLock{LeaseMeta: metav1.ObjectMeta{Namespace: Namespace,
			Name: LeaseName},
			Client:     c.coordination,
			LockConfig: resourcelock.ResourceLockConfig{Identity: identity}},
		LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod,
		ReleaseOnCancel: true, Name: LeaseName,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(term context.Context) {
				select {
				case terms <- term:
				case <-term.Done():
				}
			},
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		return fmt.Errorf("electing a leader by Lease %s/%s: %w", Namespace, LeaseName, err)
	}
	go func() {
		defer close(over)
		elector.Run(klog.NewContext(ctx, logr.FromSlogHandler(log.Handler())))
	}()
	for {
		select {
		case term := <-terms:
			log.Info("this replica grants and records")
			work(term)
			log.Info("this replica only expires")
		case <-over:
			return nil
		}
	}
}
