package sync

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// callTimeout bounds one call to the API server.
const callTimeout = 30 * time.Second

// cluster is Kubernetes as the agent uses it. Bindings are created and deleted, never changed.
type cluster struct {
	client *kubernetes.Clientset
	name   string // of the cluster in the access repository
}

// newCluster leaves rate limits to the API server: client-go's own default is five requests a second. timeout bounds
// every call, watches included; zero leaves it to the contexts.
func newCluster(config *rest.Config, name string, timeout time.Duration) (*cluster, error) {
	own := rest.CopyConfig(config)
	own.QPS, own.UserAgent, own.Timeout = -1, "pullgrant", timeout
	client, err := kubernetes.NewForConfig(own)
	if err != nil {
		return nil, fmt.Errorf("preparing the Kubernetes client: %w", err)
	}
	return &cluster{client: client, name: name}, nil
}

// selector finds what this cluster's agent made.
func (c *cluster) selector() string {
	return labels.Set{render.LabelManagedBy: render.ManagedBy, render.LabelCluster: requests.LabelValue(c.name)}.String()
}

// observe reads the cluster's part of the World. Objects are listed before records, so that one that is just being made
// is never taken for one without a record; and what a record names is looked for by name as well, so that taking the
// label off an object does not hide it. Records that cannot be read are left out, each with an error.
func (c *cluster) observe(ctx context.Context) (plan.World, []error, error) {
	w := plan.World{Cluster: c.name, Namespaces: map[string]string{}}
	managed := metav1.ListOptions{LabelSelector: c.selector()}
	bindings, err := c.client.RbacV1().RoleBindings("").List(ctx, managed)
	if err != nil {
		return w, nil, fmt.Errorf("listing RoleBindings: %w", err)
	}
	for i := range bindings.Items {
		w.Live = append(w.Live, c.live(&bindings.Items[i]))
	}
	jobs, err := c.client.BatchV1().Jobs("").List(ctx, managed)
	if err != nil {
		return w, nil, fmt.Errorf("listing Jobs: %w", err)
	}
	for i := range jobs.Items {
		c.addJob(&w, &jobs.Items[i])
	}
	present := map[plan.Object]bool{}
	for _, l := range w.Live {
		present[l.Place()] = true
	}
	maps, err := c.client.CoreV1().ConfigMaps(Namespace).List(ctx, managed)
	if err != nil {
		return w, nil, fmt.Errorf("listing ConfigMaps in %s: %w", Namespace, err)
	}
	var unreadable []error
	for i := range maps.Items {
		r, err := readRecord(&maps.Items[i])
		if err != nil {
			unreadable = append(unreadable, err)
			continue
		}
		w.Records = append(w.Records, r)
		if r.Phase == plan.Ended {
			continue
		}
		for _, o := range r.Objects {
			if err := c.lookUp(ctx, &w, o, present[o.Place()]); err != nil {
				return w, nil, err
			}
		}
	}
	return w, unreadable, nil
}

// addJob leaves out a Job that is being deleted: it is as good as gone.
func (c *cluster) addJob(w *plan.World, j *batchv1.Job) {
	if j.DeletionTimestamp == nil {
		w.Live = append(w.Live, plan.Live{Kind: render.KindJob, Namespace: j.Namespace, Name: j.Name, UID: string(j.UID),
			Managed: c.manages(j.Labels), Content: jobContent(j)})
	}
}

// lookUp reads the namespace of an object, and the object when the lists did not have it.
func (c *cluster) lookUp(ctx context.Context, w *plan.World, o plan.Object, listed bool) error {
	if _, known := w.Namespaces[o.Namespace]; !known {
		uid, err := c.namespaceUID(ctx, o.Namespace)
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
		w.Namespaces[o.Namespace] = uid
	}
	if listed {
		return nil
	}
	var err error
	if o.IsBinding() {
		var binding *rbacv1.RoleBinding
		if binding, err = c.client.RbacV1().RoleBindings(o.Namespace).Get(ctx, o.Name, metav1.GetOptions{}); err == nil {
			w.Live = append(w.Live, c.live(binding))
		}
	} else {
		var job *batchv1.Job
		if job, err = c.client.BatchV1().Jobs(o.Namespace).Get(ctx, o.Name, metav1.GetOptions{}); err == nil {
			c.addJob(w, job)
		}
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("reading %s %s/%s: %w", o.Kind, o.Namespace, o.Name, err)
	}
	return nil
}

func (c *cluster) namespaceUID(ctx context.Context, name string) (string, error) {
	namespace, err := c.client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("reading namespace %s: %w", name, err)
	}
	return string(namespace.UID), nil
}

func (c *cluster) live(b *rbacv1.RoleBinding) plan.Live {
	return plan.Live{Kind: render.KindRoleBinding, Namespace: b.Namespace, Name: b.Name, UID: string(b.UID), Managed: c.manages(b.Labels), Content: content(b)}
}

func (c *cluster) manages(labels map[string]string) bool {
	return labels[render.LabelManagedBy] == render.ManagedBy && labels[render.LabelCluster] == requests.LabelValue(c.name)
}

// create makes a binding and returns its UID.
func (c *cluster) create(ctx context.Context, b *rbacv1.RoleBinding) (uid string, err error) {
	made, err := c.client.RbacV1().RoleBindings(b.Namespace).Create(ctx, b, metav1.CreateOptions{FieldManager: render.ManagedBy})
	if err != nil {
		return "", fmt.Errorf("creating RoleBinding %s/%s: %w", b.Namespace, b.Name, err)
	}
	return string(made.UID), nil
}

// createJob makes a backstop and returns its UID.
func (c *cluster) createJob(ctx context.Context, j *batchv1.Job) (uid string, err error) {
	made, err := c.client.BatchV1().Jobs(j.Namespace).Create(ctx, j, metav1.CreateOptions{FieldManager: render.ManagedBy})
	if err != nil {
		return "", fmt.Errorf("creating Job %s/%s: %w", j.Namespace, j.Name, err)
	}
	return string(made.UID), nil
}

// finished waits until a Job is complete and returns how long after its creation that was, by the cluster's clocks.
func (c *cluster) finished(ctx context.Context, o plan.Object) (time.Duration, error) {
	for {
		job, err := c.client.BatchV1().Jobs(o.Namespace).Get(ctx, o.Name, metav1.GetOptions{})
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
			return 0, fmt.Errorf("the backstop, Job %s/%s, is not complete yet; does kube-controller-manager run?", o.Namespace, o.Name)
		case <-time.After(armPoll):
		}
	}
}

// delete removes exactly that object; one that is gone, or replaced by another, is no error. A binding with finalizers
// outlives its deletion and gives access as before, so that is one; the API server then answers with the object.
func (c *cluster) delete(ctx context.Context, l plan.Live) (deleted bool, err error) {
	uid, background := types.UID(l.UID), metav1.DeletePropagationBackground
	call := c.client.RbacV1().RESTClient().Delete().Resource("rolebindings")
	if l.Kind == render.KindJob {
		call = c.client.BatchV1().RESTClient().Delete().Resource("jobs")
	}
	answer, err := call.Namespace(l.Namespace).Name(l.Name).
		Body(&metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}, PropagationPolicy: &background}).Do(ctx).Get()
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
		return false, fmt.Errorf("deleting %s: its finalizers %s keep it alive and giving access; remove them",
			l, requests.Quote(strings.Join(left.Finalizers, " ")))
	}
	return true, nil
}

// uidOf is the UID of whatever stands where the object did.
func (c *cluster) uidOf(ctx context.Context, l plan.Live) (types.UID, error) {
	if l.Kind == render.KindJob {
		job, err := c.client.BatchV1().Jobs(l.Namespace).Get(ctx, l.Name, metav1.GetOptions{})
		if err != nil {
			return "", err
		}
		return job.UID, nil
	}
	binding, err := c.client.RbacV1().RoleBindings(l.Namespace).Get(ctx, l.Name, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	return binding.UID, nil
}

// save writes a record, for the first time when it has no version. One that somebody else wrote since is a conflict.
func (c *cluster) save(ctx context.Context, r *plan.Record) error {
	m, err := configMapOf(*r)
	if err != nil {
		return err
	}
	maps := c.client.CoreV1().ConfigMaps(Namespace)
	var saved *corev1.ConfigMap
	if r.Version == "" {
		saved, err = maps.Create(ctx, m, metav1.CreateOptions{FieldManager: render.ManagedBy})
	} else {
		saved, err = maps.Update(ctx, m, metav1.UpdateOptions{FieldManager: render.ManagedBy})
	}
	if err != nil {
		return fmt.Errorf("writing the record %s/%s: %w", Namespace, m.Name, err)
	}
	r.Version = saved.ResourceVersion
	return nil
}

// forget deletes a record as it was read.
func (c *cluster) forget(ctx context.Context, r plan.Record) error {
	name := requests.ObjectName(r.Grant.Name, 0)
	err := c.client.CoreV1().ConfigMaps(Namespace).Delete(ctx, name,
		metav1.DeleteOptions{Preconditions: &metav1.Preconditions{ResourceVersion: &r.Version}})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("deleting the record %s/%s: %w", Namespace, name, err)
	}
	return nil
}
