package sync

import (
	"context"
	"fmt"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
)

// The Lease says which replica leads. Its annotations carry what agents and people note for all replicas.
const (
	leaseName        = "pullgrant-agent"
	annotationHead   = "pullgrant.dev/head"   // the commit of the branch that was accepted last
	annotationPaused = "pullgrant.dev/paused" // why nothing is to be granted; absent: it is
)

// notes are the annotations of the Lease; none when there is no Lease yet.
func (c *cluster) notes(ctx context.Context) (map[string]string, error) {
	lease, err := c.client.CoordinationV1().Leases(Namespace).Get(ctx, leaseName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading Lease %s/%s: %w", Namespace, leaseName, err)
	}
	return lease.Annotations, nil
}

// note writes one annotation, or takes it away when value is empty. Somebody else may change the Lease at the same time,
// as the leader does every other second: then it is written again.
func (c *cluster) note(ctx context.Context, annotation, value string) error {
	leases := c.client.CoordinationV1().Leases(Namespace)
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		lease, err := leases.Get(ctx, leaseName, metav1.GetOptions{})
		missing := apierrors.IsNotFound(err)
		if missing {
			lease = &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: leaseName}}
		} else if err != nil {
			return err
		}
		metav1.SetMetaDataAnnotation(&lease.ObjectMeta, annotation, value)
		if value == "" {
			delete(lease.Annotations, annotation)
		}
		if missing {
			_, err = leases.Create(ctx, lease, metav1.CreateOptions{FieldManager: render.ManagedBy})
		} else {
			_, err = leases.Update(ctx, lease, metav1.UpdateOptions{FieldManager: render.ManagedBy})
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("noting %s on Lease %s/%s: %w", annotation, Namespace, leaseName, err)
	}
	return nil
}

// Pause has the agent of a cluster grant nothing, for a reason it repeats, until Resume. Access that was given runs to its
// end all the same. It needs the right to get and update the Lease pullgrant-agent in pullgrant-system.
func Pause(ctx context.Context, config *rest.Config, reason string) error {
	c, err := newCluster(config, "", callTimeout)
	if err != nil {
		return err
	}
	return c.note(ctx, annotationPaused, reason)
}

// Resume takes a Pause back, and tells whether there was one and what it was for. It needs the same rights.
func Resume(ctx context.Context, config *rest.Config) (paused bool, reason string, err error) {
	c, err := newCluster(config, "", callTimeout)
	if err != nil {
		return false, "", err
	}
	notes, err := c.notes(ctx)
	if err != nil {
		return false, "", err
	}
	if reason, paused = notes[annotationPaused]; paused {
		err = c.note(ctx, annotationPaused, "")
	}
	return paused, reason, err
}

// readNotes reads whether a person paused the agent. While that cannot be read, what was read last holds.
func (a *Agent) readNotes(ctx context.Context) error {
	notes, err := a.cluster.notes(ctx)
	if err != nil {
		return err
	}
	a.paused = ""
	if reason, paused := notes[annotationPaused]; paused {
		a.paused = fmt.Sprintf("somebody paused the agent: %s; pullgrant resume has it go on", requests.Quote(reason))
	}
	return nil
}
