package kube

import (
	"context"
	"errors"
	"fmt"
	"time"

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
// cannot be read are left out, each with an error. So is a kind that only some grants are made of and
// that the agent may not list, as before its rights are applied anew: a grant that is made of it still
// fails, as it is looked for by name.
func (c *Cluster) Observe(ctx context.Context) (plan.World, []error, error) {
	w := plan.World{Cluster: c.Name, Namespaces: map[string]string{}}
	var hidden []error
	for _, k := range kinds {
		all, err := k.objects(ctx, c, "", labelled)
		if apierrors.IsForbidden(err) && k.special {
			hidden = append(hidden, fmt.Errorf("listing %ss: %w; apply what pullgrant install prints",
				k.name, err))
			continue
		}
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
	w.Records, unreadable = records, append(unreadable, hidden...)
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

// List lists the objects of all kinds that say pullgrant manages them. Those of a kind that cannot
// be listed are missing, with an error.
func (c *Cluster) List(ctx context.Context) (all []render.Object, err error) {
	for _, k := range kinds {
		some, failed := k.objects(ctx, c, "", labelled)
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("listing %ss: %w", k.name, failed))
		}
		all = append(all, some...)
	}
	return all, err
}

// Source is one kind of objects that can be watched.
type Source struct {
	What    string // for people
	Example runtime.Object
	From    cache.ListerWatcher
}

// Sources list and watch, of each kind, the objects that say pullgrant manages them.
func (c *Cluster) Sources() (all []Source) {
	for _, k := range kinds {
		all = append(all, Source{What: k.name + "s", Example: k.example,
			From: listWatch(labelled,
				func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
					return k.list(ctx, c, "", o)
				},
				func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
					return k.watch(ctx, c, o)
				})})
	}
	return all
}

// listWatch lists and watches the objects of the selectors of only.
func listWatch[L runtime.Object](only metav1.ListOptions,
	list func(context.Context, metav1.ListOptions) (L, error),
	follow func(context.Context, metav1.ListOptions) (watch.Interface, error)) cache.ListerWatcher {
	selected := func(o metav1.ListOptions) metav1.ListOptions {
		o.FieldSelector, o.LabelSelector = only.FieldSelector, only.LabelSelector
		return o
	}
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object,
			error) {
			return list(ctx, selected(o))
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface,
			error) {
			return follow(ctx, selected(o))
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
	if _, known := w.Namespaces[o.Namespace]; !known && o.Namespace != "" {
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

// Live is an object as the plan sees it; false for what no grant is made of.
func (c *Cluster) Live(object any) (plan.Live, bool) {
	k, known := of(object)
	if !known {
		return plan.Live{}, false
	}
	live, _ := c.live(k, object.(render.Object))
	return live, true
}

// EndOf is when an object says that it ends, or an error where nobody can tell.
func EndOf(o metav1.Object) (time.Time, error) {
	var end requests.Time
	err := end.UnmarshalText([]byte(o.GetAnnotations()[render.AnnotationExpiresAt]))
	return end.Time, err
}
