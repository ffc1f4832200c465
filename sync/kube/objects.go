package kube

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// Create makes a binding and returns its UID.
func (c *Cluster) Create(ctx context.Context, b *rbacv1.RoleBinding) (uid string, err error) {
	made, err := c.rbac.RoleBindings(b.Namespace).Create(ctx, b,
		metav1.CreateOptions{FieldManager: render.ManagedBy})
	if err != nil {
		return "", fmt.Errorf("creating RoleBinding %s/%s: %w", b.Namespace, b.Name, err)
	}
	return string(made.UID), nil
}

// CreateJob makes a backstop and returns its UID.
func (c *Cluster) CreateJob(ctx context.Context, j *batchv1.Job) (uid string, err error) {
	made, err := c.batch.Jobs(j.Namespace).Create(ctx, j,
		metav1.CreateOptions{FieldManager: render.ManagedBy})
	if err != nil {
		return "", fmt.Errorf("creating Job %s/%s: %w", j.Namespace, j.Name, err)
	}
	return string(made.UID), nil
}

// finishedPoll is the time between two looks at a Job.
const finishedPoll = 20 * time.Millisecond

// Finished waits until a Job is complete and returns how long after its creation that was, by the
// cluster's clocks.
func (c *Cluster) Finished(ctx context.Context, o plan.Object) (time.Duration, error) {
	for {
		job, err := c.batch.Jobs(o.Namespace).Get(ctx, o.Name, metav1.GetOptions{})
		switch {
		case err != nil && ctx.Err() == nil:
			return 0, fmt.Errorf("reading Job %s/%s: %w", o.Namespace, o.Name, err)
		case err != nil: // the time is over
		case string(job.UID) != o.UID || job.DeletionTimestamp != nil:
			return 0, fmt.Errorf("the backstop, Job %s/%s, is gone", o.Namespace, o.Name)
		case job.Status.CompletionTime != nil:
			return job.Status.CompletionTime.Sub(job.CreationTimestamp.Time), nil
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf(
				"the backstop, Job %s/%s, is not complete yet; does kube-controller-manager run?",
				o.Namespace, o.Name)
		case <-time.After(finishedPoll):
		}
	}
}

// Delete removes exactly that object; one that is gone, or replaced by another, is no error. A
// binding with finalizers outlives its deletion and gives access as before, so that is one; the API
// server then answers with the object.
func (c *Cluster) Delete(ctx context.Context, l plan.Live) (deleted bool, err error) {
	uid, background := types.UID(l.UID), metav1.DeletePropagationBackground
	k := kindOf(l.Kind)
	answer, err := k.client(c).Delete().Resource(k.resource).Namespace(l.Namespace).Name(l.Name).
		Body(&metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid},
			PropagationPolicy: &background}).Do(ctx).Get()
	switch left, still := answer.(*rbacv1.RoleBinding); {
	case apierrors.IsNotFound(err):
		return false, nil
	case apierrors.IsConflict(err):
		now, err := c.uidOf(ctx, l)
		if apierrors.IsNotFound(err) || err == nil && now != uid {
			return false, nil
		}
		return false, errors.Join(fmt.Errorf("deleting %s: it is still there", l), err)
	case err != nil:
		return false, fmt.Errorf("deleting %s: %w", l, err)
	case still:
		return false, fmt.Errorf(
			"deleting %s: its finalizers %s keep it alive and giving access; remove them",
			l, requests.Quote(strings.Join(left.Finalizers, " ")))
	}
	return true, nil
}

// uidOf is the UID of whatever stands where the object did.
func (c *Cluster) uidOf(ctx context.Context, l plan.Live) (types.UID, error) {
	object, err := kindOf(l.Kind).get(ctx, c, l.Namespace, l.Name)
	if err != nil {
		return "", err
	}
	return object.GetUID(), nil
}

// TryJob asks the API server whether it would take a Job.
func (c *Cluster) TryJob(ctx context.Context, j *batchv1.Job) error {
	_, err := c.batch.Jobs(j.Namespace).Create(ctx, j,
		metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	return err
}
