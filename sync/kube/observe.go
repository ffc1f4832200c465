package kube

import (
	"context"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// Observe reads the cluster's part of the World. Objects are listed before records, so that one
// that is just being made is never taken for one without a record; and what a record names is
// looked for by name as well, so that taking the label off an object does not hide it. Records that
// cannot be read are left out, each with an error.
func (c *Cluster) Observe(ctx context.Context) (plan.World, []error, error) {
	w := plan.World{Cluster: c.Name, Namespaces: map[string]string{}}
	for _, k := range kinds {
		all, err := k.list(ctx, c, "", labelled)
		if err != nil {
			return w, nil, fmt.Errorf("listing %ss: %w", k.name, err)
		}
		for _, o := range all {
			c.add(&w, k, o)
		}
	}
	present := map[plan.Object]bool{}
	for _, l := range w.Live {
		present[l.Place()] = true
	}
	records, unreadable, err := c.Records(ctx)
	if err != nil {
		return w, nil, err
	}
	w.Records = records
	for _, r := range records {
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

// ListBindings are the RoleBindings that say pullgrant manages them.
func (c *Cluster) ListBindings(ctx context.Context) ([]rbacv1.RoleBinding, error) {
	list, err := c.rbac.RoleBindings("").List(ctx, labelled)
	if err != nil {
		return nil, fmt.Errorf("listing RoleBindings: %w", err)
	}
	return list.Items, nil
}

// ListJobs are the Jobs that say so.
func (c *Cluster) ListJobs(ctx context.Context) ([]batchv1.Job, error) {
	list, err := c.batch.Jobs("").List(ctx, labelled)
	if err != nil {
		return nil, fmt.Errorf("listing Jobs: %w", err)
	}
	return list.Items, nil
}

// Bindings lists and watches the RoleBindings that say pullgrant manages them.
func (c *Cluster) Bindings() cache.ListerWatcher {
	all := c.rbac.RoleBindings("")
	return labelledOnes(all.List, all.Watch)
}

// Jobs lists and watches the Jobs that say so.
func (c *Cluster) Jobs() cache.ListerWatcher {
	all := c.batch.Jobs("")
	return labelledOnes(all.List, all.Watch)
}

// labelledOnes lists and watches what says that pullgrant manages it.
func labelledOnes[L runtime.Object](list func(context.Context, metav1.ListOptions) (L, error),
	follow func(context.Context, metav1.ListOptions) (watch.Interface, error)) cache.ListerWatcher {
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object,
			error) {
			o.LabelSelector = labelled.LabelSelector
			return list(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface,
			error) {
			o.LabelSelector = labelled.LabelSelector
			return follow(ctx, o)
		},
	}
}

// add leaves out what is being deleted and as good as gone.
func (c *Cluster) add(w *plan.World, k kind, o render.Object) {
	if live, there := c.live(k, o); there {
		w.Live = append(w.Live, live)
	}
}

// lookUp reads the namespace of an object, and the object when the lists did not have it.
func (c *Cluster) lookUp(ctx context.Context, w *plan.World, o plan.Object, listed bool) error {
	if _, known := w.Namespaces[o.Namespace]; !known {
		uid, err := c.NamespaceUID(ctx, o.Namespace)
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
		w.Namespaces[o.Namespace] = uid
	}
	if listed {
		return nil
	}
	k := kindOf(o.Kind)
	switch object, err := k.get(ctx, c, o.Namespace, o.Name); {
	case err == nil:
		c.add(w, k, object)
	case !apierrors.IsNotFound(err):
		return fmt.Errorf("reading %s %s/%s: %w", o.Kind, o.Namespace, o.Name, err)
	}
	return nil
}

// NamespaceUID reads the UID of a namespace.
func (c *Cluster) NamespaceUID(ctx context.Context, name string) (string, error) {
	uid, _, err := c.NamespaceState(ctx, name)
	return uid, err
}

// NamespaceState reads the UID of a namespace, and whether it is on its way out. Then it takes
// nothing new, and what gave rights in it, to the agent too, goes one after the other.
func (c *Cluster) NamespaceState(ctx context.Context, name string) (uid string, ending bool,
	err error) {
	namespace, err := c.core.Namespaces().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return "", false, fmt.Errorf("reading namespace %s: %w", name, err)
	}
	return string(namespace.UID), namespace.DeletionTimestamp != nil, nil
}

// Live is a binding as the plan sees it.
func (c *Cluster) Live(b *rbacv1.RoleBinding) plan.Live {
	live, _ := c.live(kindOf(render.KindRoleBinding), b)
	return live
}

// LiveJob is a Job as the plan sees it.
func (c *Cluster) LiveJob(j *batchv1.Job) plan.Live {
	live, _ := c.live(kindOf(render.KindJob), j)
	return live
}

// EndOf is when an object says that it ends, or an error where nobody can tell.
func EndOf(o metav1.Object) (time.Time, error) {
	var end requests.Time
	err := end.UnmarshalText([]byte(o.GetAnnotations()[render.AnnotationExpiresAt]))
	return end.Time, err
}
