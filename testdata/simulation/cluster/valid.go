package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	kjson "sigs.k8s.io/json"
)

// decode reads an object as its type has it: other fields are left out or, where the call asks for
// that, an error.
func (q *request) decode(body []byte) (Object, error) {
	as := fmt.Sprintf("%s in version %q cannot be handled as a %s: ", q.res.kind, q.res.Version, q.res.kind)
	typed := q.res.fresh()
	strict, err := kjson.UnmarshalStrict(body, typed)
	if err != nil {
		return nil, apierrors.NewBadRequest(as + err.Error())
	}
	if len(strict) > 0 && q.option("fieldValidation") == metav1.FieldValidationStrict {
		return nil, apierrors.NewBadRequest(as + "strict decoding error: " + errors.Join(strict...).Error())
	}
	o := &unstructured.Unstructured{}
	data, err := json.Marshal(typed)
	if err == nil {
		err = utiljson.Unmarshal(data, &o.Object)
	}
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	if kind, version := o.GetKind(), o.GetAPIVersion(); kind != "" && kind != q.res.kind ||
		version != "" && version != q.res.apiVersion() {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("the API version in the data (%s) or its kind "+
			"(%s) does not match the expected %s, %s", version, kind, q.res.apiVersion(), q.res.kind))
	}
	o.SetKind(q.res.kind)
	o.SetAPIVersion(q.res.apiVersion())
	o.SetManagedFields(nil)
	if in := o.GetNamespace(); in != "" && !q.res.global && in != q.namespace {
		return nil, apierrors.NewBadRequest("the namespace of the provided object does not match the " +
			"namespace sent on the request")
	}
	return o, nil
}

// fill sets the fields that the API server fills in where they are missing, as far as somebody here
// looks at them.
func fill(r *resource, o Object) {
	missing := func(value any, path ...string) {
		if there, _, _ := unstructured.NestedFieldNoCopy(o.Object, path...); there == nil || there == "" {
			_ = unstructured.SetNestedField(o.Object, value, path...)
		}
	}
	switch r.Resource {
	case "namespaces":
		if o.GetDeletionTimestamp() == nil {
			missing([]any{"kubernetes"}, "spec", "finalizers")
			missing("Active", "status", "phase")
		}
		labels := o.GetLabels()
		if labels == nil {
			labels = map[string]string{}
		}
		labels["kubernetes.io/metadata.name"] = o.GetName()
		o.SetLabels(labels)
	case "jobs":
		_, counts, _ := unstructured.NestedFieldNoCopy(o.Object, "spec", "completions")
		_, beside, _ := unstructured.NestedFieldNoCopy(o.Object, "spec", "parallelism")
		if !counts && !beside {
			missing(int64(1), "spec", "completions")
		}
		missing(int64(1), "spec", "parallelism")
		missing(int64(6), "spec", "backoffLimit")
		missing("NonIndexed", "spec", "completionMode")
		missing(false, "spec", "suspend")
		missing("TerminatingOrFailed", "spec", "podReplacementPolicy")
		fillSelector(o)
	case "rolebindings", "clusterrolebindings":
		subjects, _, _ := unstructured.NestedSlice(o.Object, "subjects")
		for _, s := range subjects {
			subject, _ := s.(map[string]any)
			if kind := subject["kind"]; subject["apiGroup"] == nil && (kind == rbacv1.UserKind ||
				kind == rbacv1.GroupKind) {
				subject["apiGroup"] = rbacv1.GroupName
			}
		}
		if subjects != nil {
			o.Object["subjects"] = subjects
		}
		missing(rbacv1.GroupName, "roleRef", "apiGroup")
	case "secrets":
		missing("Opaque", "type")
	case "deployments", "replicasets":
		missing(int64(1), "spec", "replicas")
	}
}

// fillSelector has a Job find its pods by its own UID.
func fillSelector(o Object) {
	if manual, _, _ := unstructured.NestedBool(o.Object, "spec", "manualSelector"); manual {
		return
	}
	uid := string(o.GetUID())
	_ = unstructured.SetNestedStringMap(o.Object, map[string]string{
		batchv1.ControllerUidLabel: uid}, "spec", "selector", "matchLabels")
	labels, _, _ := unstructured.NestedStringMap(o.Object, "spec", "template", "metadata", "labels")
	if labels == nil {
		labels = map[string]string{}
	}
	for _, name := range []string{"controller-uid", batchv1.ControllerUidLabel} {
		labels[name] = uid
	}
	for _, name := range []string{"job-name", batchv1.JobNameLabel} {
		labels[name] = o.GetName()
	}
	_ = unstructured.SetNestedStringMap(o.Object, labels, "spec", "template", "metadata", "labels")
	_ = unstructured.SetNestedField(o.Object, false, "spec", "manualSelector")
	if len(o.GetLabels()) == 0 {
		o.SetLabels(labels)
	}
}

// invalid holds an object to the rules of its type; old is nil where it is new.
func invalid(r *resource, o, old Object) error {
	meta := metaOf(o)
	at := field.NewPath("metadata")
	var errs field.ErrorList
	if old == nil {
		errs = apivalidation.ValidateObjectMeta(meta, !r.global, r.names, at)
	} else {
		before := metaOf(old)
		if meta.ResourceVersion == "" {
			meta.ResourceVersion = before.ResourceVersion
		}
		errs = apivalidation.ValidateObjectMetaUpdate(meta, before, at)
		for _, name := range r.kept {
			parts := strings.Split(name, ".")
			now, _, _ := unstructured.NestedFieldNoCopy(o.Object, parts...)
			then, _, _ := unstructured.NestedFieldNoCopy(old.Object, parts...)
			if !reflect.DeepEqual(now, then) {
				why := apivalidation.FieldImmutableErrorMsg
				if name == "roleRef" {
					why = "cannot change roleRef"
				}
				errs = append(errs, field.Invalid(field.NewPath(parts[0], parts[1:]...), now, why))
			}
		}
		if r.counted && !reflect.DeepEqual(o.Object["spec"], old.Object["spec"]) {
			o.SetGeneration(old.GetGeneration() + 1)
		}
	}
	if errs = append(errs, ofKind(r, o)...); len(errs) > 0 {
		return apierrors.NewInvalid(r.groupKind(), o.GetName(), errs)
	}
	return nil
}

// metaOf is the metadata of an object as its type has it.
func metaOf(o Object) *metav1.ObjectMeta {
	var typed metav1.ObjectMeta
	metadata, _ := o.Object["metadata"].(map[string]any)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(metadata, &typed); err != nil {
		panic(err) // it was decoded by its type
	}
	return &typed
}

// convert reads an object into a type that has all of its fields that matter.
func convert(o Object, into any) {
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, into); err != nil {
		panic(err) // it was decoded by its type
	}
}

// ofKind are the rules of single types that what we write could break.
func ofKind(r *resource, o Object) (errs field.ErrorList) {
	switch r.Resource {
	case "rolebindings", "clusterrolebindings":
		var b rbacv1.RoleBinding
		convert(o, &b)
		at := field.NewPath("roleRef")
		if b.RoleRef.APIGroup != rbacv1.GroupName {
			errs = append(errs, field.NotSupported(at.Child("apiGroup"), b.RoleRef.APIGroup,
				[]string{rbacv1.GroupName}))
		}
		if kind := b.RoleRef.Kind; kind != "ClusterRole" && (kind != "Role" || r.global) {
			errs = append(errs, field.NotSupported(at.Child("kind"), kind, []string{"ClusterRole"}))
		}
		if b.RoleRef.Name == "" {
			errs = append(errs, field.Required(at.Child("name"), ""))
		}
		for i, s := range b.Subjects {
			at := field.NewPath("subjects").Index(i)
			if s.Name == "" {
				errs = append(errs, field.Required(at.Child("name"), ""))
			}
			if s.Kind == rbacv1.ServiceAccountKind && s.Namespace == "" {
				errs = append(errs, field.Required(at.Child("namespace"), ""))
			}
			if s.Kind != rbacv1.UserKind && s.Kind != rbacv1.GroupKind &&
				s.Kind != rbacv1.ServiceAccountKind {
				errs = append(errs, field.NotSupported(at.Child("kind"), s.Kind, []string{
					rbacv1.ServiceAccountKind, rbacv1.UserKind, rbacv1.GroupKind}))
			}
		}
	case "roles", "clusterroles":
		var role rbacv1.ClusterRole
		convert(o, &role)
		for i, rule := range role.Rules {
			at := field.NewPath("rules").Index(i)
			if len(rule.Verbs) == 0 {
				errs = append(errs, field.Required(at.Child("verbs"),
					"verbs must contain at least one value"))
			}
			if len(rule.NonResourceURLs) > 0 && !r.global {
				errs = append(errs, field.Invalid(at.Child("nonResourceURLs"), rule.NonResourceURLs,
					"namespaced rules cannot apply to non-resource URLs"))
			}
			if len(rule.NonResourceURLs) == 0 && len(rule.APIGroups) == 0 {
				errs = append(errs, field.Required(at.Child("apiGroups"),
					"resource rules must supply at least one api group"))
			}
			if len(rule.NonResourceURLs) == 0 && len(rule.Resources) == 0 {
				errs = append(errs, field.Required(at.Child("resources"),
					"resource rules must supply at least one resource"))
			}
		}
	case "jobs":
		var job batchv1.Job
		convert(o, &job)
		at := field.NewPath("spec")
		number := func(name string, n *int32) {
			if n != nil {
				errs = append(errs, apivalidation.ValidateNonnegativeField(int64(*n), at.Child(name))...)
			}
		}
		number("completions", job.Spec.Completions)
		number("parallelism", job.Spec.Parallelism)
		number("ttlSecondsAfterFinished", job.Spec.TTLSecondsAfterFinished)
		if len(job.Spec.Template.Spec.Containers) == 0 {
			errs = append(errs, field.Required(at.Child("template", "spec", "containers"), ""))
		}
	}
	return errs
}
