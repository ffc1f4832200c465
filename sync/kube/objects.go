package kube

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// ErrOtherFence says that an object was refused by a fence that is not the one that this program
// renders: somebody changed it, or installed another version's.
var ErrOtherFence = errors.New("the fence is another than this program's; apply what pullgrant install prints")

// ErrTaken says that what stands under the name of an object is not the agent's.
var ErrTaken = errors.New("something else stands under its name")

// Create makes an object of a grant and returns its UID. One that is there already just as it was
// asked for is that of a call that was repeated, by client-go or by an earlier try, and is as good
// as made. Another one of that name is an AlreadyExists, and ErrTaken when it is not the agent's;
// one that the cluster made otherwise is a ChangedError.
func (c *Cluster) Create(ctx context.Context, asked render.Object) (uid string, err error) {
	k, _ := of(asked)
	what := strings.Replace(fmt.Sprintf("%s %s/%s", k.name, asked.GetNamespace(), asked.GetName()),
		" /", " ", 1)
	made, err := k.make(ctx, c, asked, metav1.CreateOptions{FieldManager: render.ManagedBy})
	if apierrors.IsAlreadyExists(err) {
		there, getErr := k.get(ctx, c, asked.GetNamespace(), asked.GetName())
		switch {
		case getErr != nil:
		case !c.manages(there.GetLabels()):
			err = errors.Join(ErrTaken, err)
		case there.GetDeletionTimestamp() == nil && k.changed(asked, there) == "":
			return string(there.GetUID()), nil
		}
	}
	if RefusedByFence(err) && !RefusedByRights(err) {
		return "", c.refusedByFence(ctx, what, err)
	}
	if err != nil {
		return "", fmt.Errorf("creating %s: %w", what, err)
	}
	if field := k.changed(asked, made); field != "" {
		return "", &ChangedError{UID: string(made.GetUID()), Object: what, Field: field}
	}
	return string(made.GetUID()), nil
}

// refusedByFence is the error of a creation that the fence refused. What this program asks for passes
// the fence that it renders: while it is that one, what did not was changed on the way, or met the fence
// of a moment ago.
func (c *Cluster) refusedByFence(ctx context.Context, what string, refused error) error {
	problem, err := c.fenceProblem(ctx, render.FenceAgent)
	if err != nil {
		return fmt.Errorf("creating %s: %w; looking at the fence that refused it: %w", what, refused, err)
	}
	if problem != "" {
		return fmt.Errorf("creating %s: %w: %w", what, ErrOtherFence, refused)
	}
	_, words, _ := strings.Cut(Words(refused), " denied request: ")
	return &ChangedError{Object: what, Words: words}
}

// Try asks the API server whether it would take an object.
func (c *Cluster) Try(ctx context.Context, o render.Object) error {
	k, _ := of(o)
	_, err := k.make(ctx, c, o, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	return err
}

// Content is a digest of an object: of what gives access, of what decides over its end (our labels
// and annotations, the owner) and of what could delay it (finalizers). What others note on it is
// theirs.
func Content(o render.Object) string {
	k, _ := of(o)
	return k.content(o)
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
			return 0, fmt.Errorf("the backstop, Job %s/%s, is not complete yet; does "+
				"kube-controller-manager run?", o.Namespace, o.Name)
		case <-time.After(finishedPoll):
		}
	}
}

// Delete removes exactly that object; one that is gone, or replaced by another, is no error. What
// gives access and has finalizers outlives its deletion and gives it as before, so that is one; the
// API server then answers with the object.
func (c *Cluster) Delete(ctx context.Context, l plan.Live) (deleted bool, err error) {
	uid, background := types.UID(l.UID), metav1.DeletePropagationBackground
	k := kindOf(l.Kind)
	answer, err := k.client(c).Delete().Resource(k.resource).
		NamespaceIfScoped(l.Namespace, l.Namespace != "").Name(l.Name).
		Body(&metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid},
			PropagationPolicy: &background}).Do(ctx).Get()
	switch left, still := answer.(render.Object); {
	case apierrors.IsNotFound(err):
		return false, nil
	case apierrors.IsConflict(err):
		now, err := c.uidOf(ctx, l)
		if err == nil && now != uid {
			return false, nil
		}
		return false, errors.Join(fmt.Errorf("deleting %s: it is still there", l), err)
	case err != nil:
		return false, fmt.Errorf("deleting %s: %w", l, err)
	case still && !k.goes:
		return false, fmt.Errorf("deleting %s: its finalizers %s keep it alive and giving "+
			"access; remove them",
			l, requests.Quote(strings.Join(left.GetFinalizers(), " ")))
	}
	return true, nil
}

// uidOf is the UID of whatever stands where the object did, "" when nothing does. It lists, as the
// expirer has no right to get.
func (c *Cluster) uidOf(ctx context.Context, l plan.Live) (types.UID, error) {
	there, err := kindOf(l.Kind).objects(ctx, c, l.Namespace, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, l.Name).String()})
	if err != nil || len(there) == 0 {
		return "", err
	}
	return there[0].GetUID(), nil
}
