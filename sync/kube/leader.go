package kube

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
)

// How the replicas of an agent agree on the one that grants and records. One that cannot renew
// stops before another may take over.
const (
	leaseDuration = 15 * time.Second
	renewDeadline = 9 * time.Second // between two tries: one that begins with it would have no time
	retryPeriod   = 2 * time.Second
)

// Leader is the replica that holds the Lease at a time, by the holder's clock; "" when none does.
func (c *Cluster) Leader(ctx context.Context, now time.Time) (identity string, err error) {
	lease, err := c.coordination.Leases(Namespace).Get(ctx, LeaseName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading Lease %s/%s: %w", Namespace, LeaseName, err)
	}
	held := lease.Spec
	if held.HolderIdentity == nil || held.RenewTime == nil || held.LeaseDurationSeconds == nil ||
		!now.Before(held.RenewTime.Add(time.Duration(*held.LeaseDurationSeconds)*time.Second)) {
		return "", nil
	}
	return *held.HolderIdentity, nil
}

// Lead waits until this replica holds the Lease, and has it work until it loses the Lease or ctx
// ends. It returns once the work has stopped. Expiry does not need the Lease: every replica
// expires.
func (c *Cluster) Lead(ctx context.Context, identity string, log *slog.Logger,
	work func(context.Context)) error {
	log = log.With("event", "lead", "cluster", c.Name)
	terms, over := make(chan context.Context), make(chan struct{})
	trying, giveUp := context.WithCancel(ctx)
	defer giveUp()
	lease := &lock{giveUp: giveUp,
		LeaseLock: resourcelock.LeaseLock{LeaseMeta: metav1.ObjectMeta{Namespace: Namespace,
			Name: LeaseName},
			Client: c.coordination, LockConfig: resourcelock.ResourceLockConfig{
				Identity: identity},
			Labels: map[string]string{render.LabelCluster: requests.LabelValue(c.Name)}}}
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: lease, LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod,
		Name: LeaseName,
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
	lease.leads = elector.IsLeader
	go func() {
		defer close(over)
		elector.Run(klog.NewContext(trying, logr.FromSlogHandler(log.Handler())))
	}()
	for {
		select {
		case term := <-terms:
			log.Info("this replica grants and records")
			work(term)
			log.Info("this replica only expires")
		case <-over:
			if ctx.Err() != nil {
				c.release(ctx, identity, log)
			}
			return nil
		}
	}
}

// lock is the Lease to the elector, which alone would go on for renewDeadline, beside whoever leads by
// then, where a replica slept.
type lock struct {
	resourcelock.LeaseLock
	leads  func() bool
	giveUp func()
}

// Get is the Lease. Once somebody else holds it there is nothing to renew.
func (l *lock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := l.LeaseLock.Get(ctx)
	if err == nil && record.HolderIdentity != "" && record.HolderIdentity != l.Identity() && l.leads() {
		l.giveUp()
	}
	return record, raw, err
}

// Create is the first claim to the Lease.
func (l *lock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return inTime(ctx, record, l.LeaseLock.Create)
}

// Update is a renewal, or a takeover.
func (l *lock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return inTime(ctx, record, l.LeaseLock.Update)
}

// inTime holds the Lease as write does. One whose answer comes after the time that there was for it
// is not held: the elector would count it as of now.
func inTime(ctx context.Context, record resourcelock.LeaderElectionRecord,
	write func(context.Context, resourcelock.LeaderElectionRecord) error) error {
	ctx, cancel := context.WithTimeout(ctx, renewDeadline)
	defer cancel()
	if err := write(ctx, record); err != nil {
		return err
	}
	return ctx.Err()
}

// release gives the Lease up, where this replica holds it, so that another need not wait until it is
// over. The elector would do so as soon as ctx ends, or the Lease could not be renewed, while the
// work goes on; and after a sleep it would give up what is another's by then.
func (c *Cluster) release(ctx context.Context, identity string, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewDeadline)
	defer cancel()
	leases := c.coordination.Leases(Namespace)
	lease, err := leases.Get(ctx, LeaseName, metav1.GetOptions{})
	if err == nil && lease.Spec.HolderIdentity != nil && *lease.Spec.HolderIdentity == identity {
		lease.Spec.HolderIdentity = new(string)
		_, err = leases.Update(ctx, lease, metav1.UpdateOptions{FieldManager: render.ManagedBy})
	}
	if err != nil {
		log.Warn("the Lease is not given up; another replica waits until it is over", "error",
			err.Error())
	}
}
