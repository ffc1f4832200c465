package kube

import (
	"context"
	"fmt"
	"strings"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"

	"github.com/pullgrant/pullgrant/render"
)

// The Lease says which replica leads. Its annotations carry what agents and people note for all
// replicas.
const (
	LeaseName      = "pullgrant-agent"
	AnnotationHead = "pullgrant.dev/head" // the commit of the branch that was accepted last
	// AnnotationSeen is the accepted head, two dots, and a commit after it that an agent went on to, which
	// it did not accept as something still waits for what came between. Of another head it says nothing.
	AnnotationSeen   = "pullgrant.dev/seen"
	AnnotationPaused = "pullgrant.dev/paused" // why nothing is to be granted; absent: it is
	// AnnotationRepository is the number of the access repository, which whoever led first noted.
	AnnotationRepository = "pullgrant.dev/repository-id"
)

// Notes are the annotations of the Lease; none when there is no Lease yet.
func (c *Cluster) Notes(ctx context.Context) (map[string]string, error) {
	lease, err := c.coordination.Leases(Namespace).Get(ctx, LeaseName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading Lease %s/%s: %w", Namespace, LeaseName, err)
	}
	return lease.Annotations, nil
}

// GoneOnTo is the commit after the accepted head that an agent went on to, by notes; empty: there is none.
func GoneOnTo(notes map[string]string) string {
	head, seen, _ := strings.Cut(notes[AnnotationSeen], "..")
	if head != notes[AnnotationHead] {
		return ""
	}
	return seen
}

// Note writes one annotation, or takes it away when value is empty. Somebody else may change the
// Lease at the same time, as the leader does every other second: then it is written again.
func (c *Cluster) Note(ctx context.Context, annotation, value string) error {
	var err error // RetryOnConflict gives none for a context that ended
	_ = retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		err = c.noteOnce(ctx, annotation, value)
		return err
	})
	if err != nil {
		return fmt.Errorf("noting %s on Lease %s/%s: %w", annotation, Namespace, LeaseName, err)
	}
	return nil
}

// noteOnce is one try of Note.
func (c *Cluster) noteOnce(ctx context.Context, annotation, value string) error {
	leases := c.coordination.Leases(Namespace)
	lease, err := leases.Get(ctx, LeaseName, metav1.GetOptions{})
	missing := apierrors.IsNotFound(err)
	if missing {
		lease = &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: LeaseName}}
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
}

// Serves tells which cluster the agent there serves: by its Lease, where one has led, else by its
// Deployment; "" when neither says. It needs the right to get the Lease pullgrant-agent in
// pullgrant-system, and where that says nothing the Deployment of the same name.
func Serves(ctx context.Context, config *rest.Config) (cluster string, err error) {
	c, err := NewCluster(config, "", CallTimeout, nil)
	if err != nil {
		return "", err
	}
	lease, err := c.coordination.Leases(Namespace).Get(ctx, LeaseName, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return "", fmt.Errorf("reading Lease %s/%s: %w", Namespace, LeaseName, err)
	}
	if led := lease.Labels[render.LabelCluster]; err == nil && led != "" {
		return led, nil
	}
	agent, _, err := c.Process(ctx, render.Agent)
	return agent.Flag("cluster"), err
}

// Pause has the agent of a cluster grant nothing, for a reason it repeats, until Resume. Access
// that was given runs to its end all the same. It needs the right to get and update the Lease
// pullgrant-agent in pullgrant-system.
func Pause(ctx context.Context, config *rest.Config, reason string) error {
	c, err := NewCluster(config, "", CallTimeout, nil)
	if err != nil {
		return err
	}
	return c.Note(ctx, AnnotationPaused, reason)
}

// Resume takes a Pause back, and tells whether there was one and what it was for. It needs the same
// rights.
func Resume(ctx context.Context, config *rest.Config) (paused bool, reason string, err error) {
	c, err := NewCluster(config, "", CallTimeout, nil)
	if err != nil {
		return false, "", err
	}
	notes, err := c.Notes(ctx)
	if err != nil {
		return false, "", err
	}
	if reason, paused = notes[AnnotationPaused]; paused {
		err = c.Note(ctx, AnnotationPaused, "")
	}
	return paused, reason, err
}
