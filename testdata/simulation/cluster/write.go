package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// create makes an object, by the steps of the API server in their order.
func (c *Cluster) create(q *request) (int, any, error) {
	o, err := q.decode(q.body)
	if err != nil {
		return 0, nil, err
	}
	if q.res.global {
		o.SetNamespace("")
	} else {
		o.SetNamespace(q.namespace)
	}
	if err := c.lives(q, o); err != nil {
		return 0, nil, err
	}
	if o.GetResourceVersion() != "" {
		return 0, nil, apierrors.NewInternalError(errors.New(
			"resourceVersion should not be set on objects to be created"))
	}
	if c.faults.Mutate != nil {
		c.faults.Mutate(q.user.name, q.res.Resource, o)
	}
	if err := c.escalates(q, o); err != nil {
		return 0, nil, err
	}
	if base := o.GetGenerateName(); o.GetName() == "" && base != "" {
		c.generated++
		o.SetName(fmt.Sprintf("%.58s%05d", base, c.generated))
	}
	o.SetUID(c.newUID())
	o.SetCreationTimestamp(metav1.NewTime(c.now()))
	o.SetDeletionTimestamp(nil)
	o.SetSelfLink("")
	if q.res.counted {
		o.SetGeneration(1)
	}
	if q.res.status {
		o.Object["status"] = map[string]any{}
	}
	fill(q.res, o)
	if err := invalid(q.res, o, nil); err != nil {
		return 0, nil, err
	}
	q.name = o.GetName()
	if err := c.admit(q, "CREATE", o, nil); err != nil {
		return 0, nil, err
	}
	if c.faults.Quota != nil && c.faults.Quota(q.res.Resource, q.namespace) {
		return 0, nil, apierrors.NewForbidden(q.groupResource(), q.name, fmt.Errorf(
			"exceeded quota: quota, requested: count/%s=1, used: count/%[1]s=0, limited: count/%[1]s=0",
			q.groupResource()))
	}
	if c.get(q.place()) != nil {
		return 0, nil, apierrors.NewAlreadyExists(q.groupResource(), q.name)
	}
	if q.dryRun() {
		return http.StatusCreated, o, nil
	}
	return http.StatusCreated, c.commit(q, o), nil
}

// lives holds that the namespace is there, and not on its way out.
func (c *Cluster) lives(q *request, o Object) error {
	if q.res.global {
		return nil
	}
	namespaces := byName("", "namespaces")
	in := c.get(place{res: namespaces, name: q.namespace})
	switch {
	case in == nil:
		return apierrors.NewNotFound(namespaces.GroupResource(), q.namespace)
	case in.GetDeletionTimestamp() != nil:
		err := apierrors.NewForbidden(q.groupResource(), o.GetName(), fmt.Errorf("unable to create "+
			"new content in namespace %s because it is being terminated", q.namespace))
		err.ErrStatus.Details.Causes = append(err.ErrStatus.Details.Causes, metav1.StatusCause{
			Type: corev1.NamespaceTerminatingCause, Field: "metadata.namespace",
			Message: "namespace " + q.namespace + " is being terminated"})
		return err
	}
	return nil
}

// update changes an object, or its status only.
func (c *Cluster) update(q *request) (int, any, error) {
	old := c.get(q.place())
	if old == nil && q.verb == "update" && q.res.put && q.sub == "" {
		return c.create(q)
	}
	if old == nil {
		return 0, nil, apierrors.NewNotFound(q.groupResource(), q.name)
	}
	body, err := q.patched(old)
	if err != nil {
		return 0, nil, err
	}
	o, err := q.decode(body)
	if err != nil {
		return 0, nil, err
	}
	if o.GetName() != q.name {
		return 0, nil, apierrors.NewBadRequest(fmt.Sprintf("the name of the object (%s) does not "+
			"match the name on the URL (%s)", o.GetName(), q.name))
	}
	if err := c.conflicts(q, o, old); err != nil {
		return 0, nil, err
	}
	keep(q, o, old)
	if c.faults.Mutate != nil {
		c.faults.Mutate(q.user.name, q.res.Resource, o)
	}
	if err := c.escalates(q, o); err != nil {
		return 0, nil, err
	}
	fill(q.res, o)
	if err := invalid(q.res, o, old); err != nil {
		return 0, nil, err
	}
	if err := c.admit(q, "UPDATE", o, old); err != nil {
		return 0, nil, err
	}
	o.SetResourceVersion(old.GetResourceVersion())
	if reflect.DeepEqual(o.Object, old.Object) || q.dryRun() {
		return http.StatusOK, o, nil // what changes nothing is no new version
	}
	if o.GetDeletionTimestamp() != nil && len(o.GetFinalizers()) == 0 && !pinned(o) {
		c.commit(q, nil)
		return http.StatusOK, o, nil
	}
	return http.StatusOK, c.commit(q, o), nil
}

// conflicts holds that an update is of the object and the version that it names.
func (c *Cluster) conflicts(q *request, o, old Object) error {
	if uid := o.GetUID(); uid != "" && uid != old.GetUID() {
		return apierrors.NewConflict(q.groupResource(), q.name, errors.New("Precondition failed: "+
			fmt.Sprintf("UID in precondition: %s, UID in object meta: %s", uid, old.GetUID())))
	}
	switch version := o.GetResourceVersion(); {
	case version == "" && q.res.versioned:
		return apierrors.NewInvalid(schema.GroupKind{Group: q.res.Group, Kind: q.res.Resource}, q.name,
			field.ErrorList{field.Invalid(
				field.NewPath("metadata", "resourceVersion"), 0, "must be specified for an update")})
	case version != "" && version != old.GetResourceVersion():
		return apierrors.NewConflict(q.groupResource(), q.name, errors.New("the object has been "+
			"modified; please apply your changes to the latest version and try again"))
	}
	return nil
}

// keep has an update leave what it cannot change.
func keep(q *request, o, old Object) {
	o.SetNamespace(old.GetNamespace())
	o.SetUID(old.GetUID())
	o.SetCreationTimestamp(old.GetCreationTimestamp())
	o.SetDeletionTimestamp(old.GetDeletionTimestamp())
	o.SetDeletionGracePeriodSeconds(old.GetDeletionGracePeriodSeconds())
	o.SetGeneration(old.GetGeneration())
	if o.GetGenerateName() == "" {
		o.SetGenerateName(old.GetGenerateName())
	}
	take := func(name string) {
		if value, there := old.Object[name]; there {
			o.Object[name] = runtime.DeepCopyJSONValue(value)
		} else {
			delete(o.Object, name)
		}
	}
	switch {
	case q.sub == "status":
		for name := range old.Object {
			if name != "metadata" && name != "status" {
				take(name)
			}
		}
		return
	case q.res.status:
		take("status")
	}
	if q.res.Resource == "namespaces" {
		take("spec")
	}
}

// patched is the body of an update: that of the call, or the object with a patch laid on it.
func (q *request) patched(old Object) ([]byte, error) {
	if q.verb != "patch" {
		return q.body, nil
	}
	var patch map[string]any
	if err := json.Unmarshal(q.body, &patch); err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	return json.Marshal(merge(runtime.DeepCopyJSON(old.Object), patch))
}

// merge lays a patch on an object: https://www.rfc-editor.org/rfc/rfc7396
func merge(into, patch map[string]any) map[string]any {
	for key, value := range patch {
		inner, is := value.(map[string]any)
		switch there, _ := into[key].(map[string]any); {
		case value == nil:
			delete(into, key)
		case is && there != nil:
			into[key] = merge(there, inner)
		case is:
			into[key] = merge(map[string]any{}, inner)
		default:
			into[key] = value
		}
	}
	return into
}

// pinned tells a namespace that is not emptied yet.
func pinned(o Object) bool {
	left, _, _ := unstructured.NestedSlice(o.Object, "spec", "finalizers")
	return o.GetKind() == "Namespace" && len(left) > 0
}
