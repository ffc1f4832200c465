package sync

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
)

// The Lease carries the head of the branch that was accepted last.
const (
	leaseName      = "pullgrant-agent"
	annotationHead = "pullgrant.dev/head"
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

// observe reads the cluster's part of the World. Bindings are listed before records, so that a binding that is just
// being made is never taken for one without a record; and what a record names is looked for by name as well, so that
// taking the label off a binding does not hide it. Records that cannot be read are left out, each with an error.
func (c *cluster) observe(ctx context.Context) (World, []error, error) {
	w := World{Cluster: c.name, Namespaces: map[string]string{}}
	bindings, err := c.client.RbacV1().RoleBindings("").List(ctx, metav1.ListOptions{LabelSelector: c.selector()})
	if err != nil {
		return w, nil, fmt.Errorf("listing RoleBindings: %w", err)
	}
	present := map[[2]string]bool{}
	for i := range bindings.Items {
		w.Live = append(w.Live, c.live(&bindings.Items[i]))
		present[[2]string{bindings.Items[i].Namespace, bindings.Items[i].Name}] = true
	}
	maps, err := c.client.CoreV1().ConfigMaps(Namespace).List(ctx, metav1.ListOptions{LabelSelector: c.selector()})
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
		if r.Phase == Ended {
			continue
		}
		for _, b := range r.Bindings {
			if err := c.lookUp(ctx, &w, b, present[[2]string{b.Namespace, b.Name}]); err != nil {
				return w, nil, err
			}
		}
	}
	return w, unreadable, nil
}

// lookUp reads the namespace of a binding, and the binding when the list did not have it.
func (c *cluster) lookUp(ctx context.Context, w *World, b Object, listed bool) error {
	if _, known := w.Namespaces[b.Namespace]; !known {
		uid, err := c.namespaceUID(ctx, b.Namespace)
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
		w.Namespaces[b.Namespace] = uid
	}
	if listed {
		return nil
	}
	binding, err := c.client.RbacV1().RoleBindings(b.Namespace).Get(ctx, b.Name, metav1.GetOptions{})
	if err == nil {
		w.Live = append(w.Live, c.live(binding))
	} else if !apierrors.IsNotFound(err) {
		return fmt.Errorf("reading RoleBinding %s/%s: %w", b.Namespace, b.Name, err)
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

func (c *cluster) live(b *rbacv1.RoleBinding) Live {
	managed := b.Labels[render.LabelManagedBy] == render.ManagedBy && b.Labels[render.LabelCluster] == requests.LabelValue(c.name)
	return Live{Namespace: b.Namespace, Name: b.Name, UID: string(b.UID), Managed: managed, Content: content(b)}
}

// content is a digest of what gives access (subjects, role), what decides over its end (our labels and annotations) and
// what could delay it (finalizers). What others note on a binding is theirs.
func content(b *rbacv1.RoleBinding) string {
	ours := map[string]string{}
	for _, m := range []map[string]string{b.Labels, b.Annotations} {
		for key, value := range m {
			if key == render.LabelManagedBy || strings.HasPrefix(key, "pullgrant.dev/") {
				ours[key] = value
			}
		}
	}
	data, err := json.Marshal(struct {
		Subjects   []rbacv1.Subject
		RoleRef    rbacv1.RoleRef
		Ours       map[string]string
		Finalizers []string `json:",omitempty"`
	}{b.Subjects, b.RoleRef, ours, b.Finalizers})
	if err != nil {
		panic("sync: write JSON: " + err.Error()) // strings always encode
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// create makes a binding and returns its UID.
func (c *cluster) create(ctx context.Context, b *rbacv1.RoleBinding) (uid string, err error) {
	made, err := c.client.RbacV1().RoleBindings(b.Namespace).Create(ctx, b, metav1.CreateOptions{FieldManager: render.ManagedBy})
	if err != nil {
		return "", fmt.Errorf("creating RoleBinding %s/%s: %w", b.Namespace, b.Name, err)
	}
	return string(made.UID), nil
}

// delete removes exactly that binding; one that is gone, or replaced by another, is no error. An object with finalizers
// outlives its deletion and gives access as before, so that is one; the API server then answers with the object.
func (c *cluster) delete(ctx context.Context, l Live) (deleted bool, err error) {
	uid := types.UID(l.UID)
	answer, err := c.client.RbacV1().RESTClient().Delete().Namespace(l.Namespace).Resource("rolebindings").Name(l.Name).
		Body(&metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}}).Do(ctx).Get()
	switch left, still := answer.(*rbacv1.RoleBinding); {
	case apierrors.IsNotFound(err):
		return false, nil
	case apierrors.IsConflict(err):
		now, err := c.client.RbacV1().RoleBindings(l.Namespace).Get(ctx, l.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) || err == nil && now.UID != uid {
			return false, nil
		}
		return false, errors.Join(fmt.Errorf("deleting RoleBinding %s/%s: it is still there", l.Namespace, l.Name), err)
	case err != nil:
		return false, fmt.Errorf("deleting RoleBinding %s/%s: %w", l.Namespace, l.Name, err)
	case still:
		return false, fmt.Errorf("deleting RoleBinding %s/%s: its finalizers %s keep it alive and giving access; remove them",
			l.Namespace, l.Name, requests.Quote(strings.Join(left.Finalizers, " ")))
	}
	return true, nil
}

// save writes a record, for the first time when it has no version. One that somebody else wrote since is a conflict.
func (c *cluster) save(ctx context.Context, r *Record) error {
	m, err := r.configMap()
	if err != nil {
		return err
	}
	maps := c.client.CoreV1().ConfigMaps(Namespace)
	var saved *corev1.ConfigMap
	if r.version == "" {
		saved, err = maps.Create(ctx, m, metav1.CreateOptions{FieldManager: render.ManagedBy})
	} else {
		saved, err = maps.Update(ctx, m, metav1.UpdateOptions{FieldManager: render.ManagedBy})
	}
	if err != nil {
		return fmt.Errorf("writing the record %s/%s: %w", Namespace, m.Name, err)
	}
	r.version = saved.ResourceVersion
	return nil
}

// forget deletes a record as it was read.
func (c *cluster) forget(ctx context.Context, r Record) error {
	name := requests.ObjectName(r.Grant.Name, 0)
	err := c.client.CoreV1().ConfigMaps(Namespace).Delete(ctx, name,
		metav1.DeleteOptions{Preconditions: &metav1.Preconditions{ResourceVersion: &r.version}})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("deleting the record %s/%s: %w", Namespace, name, err)
	}
	return nil
}

// head is the commit accepted last, by an earlier run or by a person; "" when there is none yet.
func (c *cluster) head(ctx context.Context) (string, error) {
	lease, err := c.client.CoordinationV1().Leases(Namespace).Get(ctx, leaseName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading Lease %s/%s: %w", Namespace, leaseName, err)
	}
	return lease.Annotations[annotationHead], nil
}

// setHead notes the head. Another agent of the cluster may do so at the same time: then it is noted again, as either head
// is one to go on from.
func (c *cluster) setHead(ctx context.Context, commit string) error {
	leases := c.client.CoordinationV1().Leases(Namespace)
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		lease, err := leases.Get(ctx, leaseName, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			lease = &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: leaseName, Annotations: map[string]string{annotationHead: commit}}}
			_, err = leases.Create(ctx, lease, metav1.CreateOptions{FieldManager: render.ManagedBy})
			return err
		}
		if err != nil {
			return err
		}
		metav1.SetMetaDataAnnotation(&lease.ObjectMeta, annotationHead, commit)
		_, err = leases.Update(ctx, lease, metav1.UpdateOptions{FieldManager: render.ManagedBy})
		return err
	})
	if err != nil {
		return fmt.Errorf("noting the accepted head on Lease %s/%s: %w", Namespace, leaseName, err)
	}
	return nil
}
