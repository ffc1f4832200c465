package kube

import (
	"context"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"

	"github.com/pullgrant/pullgrant/render"
)

// WatchExec calls changed, until ctx ends, whenever something changes of what limits which commands
// run: the policy, its binding, or the label of a namespace. ExecProblem tells what came of it.
// What the watch misses is seen by whoever asks that.
func (c *Cluster) WatchExec(ctx context.Context, changed func()) {
	policies := c.admission.ValidatingAdmissionPolicies()
	bindings := c.admission.ValidatingAdmissionPolicyBindings()
	named := metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField,
		render.FenceExec).String()}
	for _, s := range []struct {
		example runtime.Object
		from    cache.ListerWatcher
	}{
		{&admissionv1.ValidatingAdmissionPolicy{}, listWatch(named, policies.List, policies.Watch)},
		{&admissionv1.ValidatingAdmissionPolicyBinding{}, listWatch(named, bindings.List,
			bindings.Watch)},
		{&corev1.Namespace{}, listWatch(metav1.ListOptions{}, c.core.Namespaces().List, c.core.Namespaces().Watch)},
	} {
		informer := cache.NewSharedIndexInformer(s.from, s.example, 0, cache.Indexers{})
		_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			UpdateFunc: func(before, after any) {
				if limits(before) != limits(after) {
					changed()
				}
			},
			DeleteFunc: func(any) { changed() },
		})
		if err == nil { // which is only of an informer that was stopped
			go informer.RunWithContext(ctx)
		}
	}
}

// limits is what of an object decides which commands run.
func limits(object any) string {
	switch o := object.(type) {
	case *corev1.Namespace:
		return o.Labels[render.LabelExec]
	case *admissionv1.ValidatingAdmissionPolicy:
		return encoded(o.Spec)
	case *admissionv1.ValidatingAdmissionPolicyBinding:
		return encoded(o.Spec)
	}
	return ""
}
