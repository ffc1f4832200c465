package cluster

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// deleteOptions are those of Kubernetes that are looked at. A field that is not given must stay
// away: policies ask whether it is there.
type deleteOptions struct {
	Preconditions     *metav1.Preconditions       `json:"preconditions,omitempty"`
	OrphanDependents  *bool                       `json:"orphanDependents,omitempty"`
	PropagationPolicy *metav1.DeletionPropagation `json:"propagationPolicy,omitempty"`
	DryRun            []string                    `json:"dryRun,omitempty"`
}

// deletion are the options of the body, or of the query.
func (q *request) deletion() (options deleteOptions, err error) {
	if len(q.body) > 0 {
		if err := json.Unmarshal(q.body, &options); err != nil {
			return options, apierrors.NewBadRequest(err.Error())
		}
	} else if policy := q.option("propagationPolicy"); policy != "" {
		options.PropagationPolicy = (*metav1.DeletionPropagation)(&policy)
	}
	if len(options.DryRun) > 0 {
		q.query = map[string][]string{"dryRun": options.DryRun}
	}
	policy := options.PropagationPolicy
	if policy != nil && options.OrphanDependents != nil {
		return options, invalidDelete("orphanDependents and deletionPropagation cannot be both set")
	}
	if policy != nil && *policy != metav1.DeletePropagationForeground &&
		*policy != metav1.DeletePropagationBackground && *policy != metav1.DeletePropagationOrphan {
		return options, invalidDelete(fmt.Sprintf("Unsupported value: %q: supported values: "+
			`"Background", "Foreground", "Orphan"`, *policy))
	}
	return options, nil
}

func invalidDelete(message string) error {
	return apierrors.NewInvalid(metav1.SchemeGroupVersion.WithKind("DeleteOptions").GroupKind(), "",
		field.ErrorList{field.Forbidden(field.NewPath("propagationPolicy"), message)})
}

// delete removes an object, or marks it where finalizers hold it. Its answer then is the object.
func (c *Cluster) delete(q *request) (int, any, error) {
	options, err := q.deletion()
	if err != nil {
		return 0, nil, err
	}
	old := c.get(q.place())
	if old == nil {
		return 0, nil, apierrors.NewNotFound(q.groupResource(), q.name)
	}
	if p := options.Preconditions; p != nil {
		of := schema.GroupResource{Group: q.res.Group, Resource: q.res.kind}
		if p.UID != nil && *p.UID != old.GetUID() {
			return 0, nil, apierrors.NewConflict(of, q.name, fmt.Errorf("the UID in the precondition "+
				"(%s) does not match the UID in record (%s). The object might have been deleted and "+
				"then recreated", *p.UID, old.GetUID()))
		}
		if p.ResourceVersion != nil && *p.ResourceVersion != old.GetResourceVersion() {
			return 0, nil, apierrors.NewConflict(of, q.name, fmt.Errorf("the ResourceVersion in the "+
				"precondition (%s) does not match the ResourceVersion in record (%s). The object "+
				"might have been modified", *p.ResourceVersion, old.GetResourceVersion()))
		}
	}
	if err := c.admitDelete(q, old, options); err != nil {
		return 0, nil, err
	}
	next := old.DeepCopy()
	next.SetFinalizers(finalizers(q.res, old, options))
	if len(next.GetFinalizers()) == 0 && !pinned(next) {
		if !q.dryRun() {
			c.commit(q, nil)
		}
		return http.StatusOK, gone(q, old), nil
	}
	if next.GetDeletionTimestamp() == nil {
		now, none := metav1.NewTime(c.now()), int64(0)
		next.SetDeletionTimestamp(&now)
		if q.res.Resource == "namespaces" {
			_ = unstructured.SetNestedField(next.Object, "Terminating", "status", "phase")
		} else {
			next.SetDeletionGracePeriodSeconds(&none)
		}
		if q.res.counted {
			next.SetGeneration(next.GetGeneration() + 1)
		}
	}
	if reflect.DeepEqual(next.Object, old.Object) || q.dryRun() {
		return http.StatusOK, next, nil
	}
	return http.StatusOK, c.commit(q, next), nil
}

func gone(q *request, old Object) metav1.Status {
	return metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status: metav1.StatusSuccess, Details: &metav1.StatusDetails{Name: q.name, Group: q.res.Group,
			Kind: q.res.Resource, UID: old.GetUID()}}
}

// finalizers are those that an object has once it is to be deleted: what becomes of what it owns
// holds it. Where the call does not say, those that it has do, and a Job leaves all behind.
// https://kubernetes.io/docs/concepts/architecture/garbage-collection/
func finalizers(r *resource, o Object, options deleteOptions) (all []string) {
	var policy metav1.DeletionPropagation
	switch {
	case options.OrphanDependents != nil && *options.OrphanDependents:
		policy = metav1.DeletePropagationOrphan
	case options.OrphanDependents != nil:
		policy = metav1.DeletePropagationBackground
	case options.PropagationPolicy != nil:
		policy = *options.PropagationPolicy
	case has(o, metav1.FinalizerOrphanDependents):
		policy = metav1.DeletePropagationOrphan
	case has(o, metav1.FinalizerDeleteDependents):
		policy = metav1.DeletePropagationForeground
	case r.Resource == "jobs":
		policy = metav1.DeletePropagationOrphan
	}
	for _, f := range o.GetFinalizers() {
		if f != metav1.FinalizerOrphanDependents && f != metav1.FinalizerDeleteDependents {
			all = append(all, f)
		}
	}
	switch policy {
	case metav1.DeletePropagationOrphan:
		all = append(all, metav1.FinalizerOrphanDependents)
	case metav1.DeletePropagationForeground:
		all = append(all, metav1.FinalizerDeleteDependents)
	}
	return all
}

func has(o Object, finalizer string) bool {
	for _, f := range o.GetFinalizers() {
		if f == finalizer {
			return true
		}
	}
	return false
}

// deleteAll deletes what a list finds, one after the other, and answers with it.
func (c *Cluster) deleteAll(q *request) (int, any, error) {
	matches, err := q.filter()
	if err != nil {
		return 0, nil, err
	}
	items := []any{}
	for _, o := range c.list(q.res) {
		if !matches(o) {
			continue
		}
		one := *q
		one.verb, one.name, one.namespace = "delete", o.GetName(), o.GetNamespace()
		if _, _, err := c.delete(&one); err != nil && !apierrors.IsNotFound(err) {
			return 0, nil, err
		}
		items = append(items, bare(o))
	}
	return http.StatusOK, q.listOf(strconv.FormatUint(c.version, 10), "", items), nil
}
