package kube

import (
	"context"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/pullgrant/pullgrant/render"
)

// gone waits until an object is not there any more.
func (w *trial) gone(object *unstructured.Unstructured) {
	w.Helper()
	door := w.to("masters", object, w.namespace)
	eventually(w.T, time.Minute, object.GetKind()+" is gone", func(context.Context) (bool, error) {
		return stable(w.T, door, object.GetName()) == nil, nil
	})
}

func TestFencedBackstop(t *testing.T) {
	onBoth(t, func(w *trial) {
		job := w.object("job")
		job.Object = merge(job.Object,
			map[string]any{"spec": map[string]any{"ttlSecondsAfterFinished": int64(2)}})
		w.job = w.make("agent", job).GetUID()
		binding := w.make("agent", w.object("binding"))
		w.gone(binding)
		w.gone(job)
	})
}

func TestFencedNamespaceGoes(t *testing.T) {
	onBoth(t, func(w *trial) {
		binding := w.make("agent", w.object("binding"))
		namespace := fromYAML(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+w.namespace+"}")
		if err := w.to("cluster admin", namespace, "").Delete(w.Context(), w.namespace,
			metav1.DeleteOptions{}); err != nil {
			w.Fatal(err)
		}
		w.gone(binding)
		w.gone(namespace)
	})
}

// TestEmergency is the command of the setup guide, by somebody bound to cluster-admin and not in
// system:masters.
func TestEmergency(t *testing.T) {
	cp := ForTest(t)
	namespace := newNamespace(t, cp, "fence")
	users := raiseFence(t, cp, namespace)
	w := newTrial(t, cp, users, namespace, 1)
	binding := w.make("agent", w.object("binding"))
	w.make("masters", w.object("plain binding"))
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := cp.Kubeconfig(kubeconfig, users["cluster admin"]); err != nil {
		t.Fatal(err)
	}
	kubectl := func(args ...string) (string, error) {
		out, err := exec.CommandContext(t.Context(), cp.Kubectl, append([]string{"--kubeconfig",
			kubeconfig}, args...)...).CombinedOutput()
		return string(out), err
	}
	label := binding.GetLabels()["pullgrant.dev/request"]
	out, err := kubectl("get", "rolebinding", "-A", "-l", "app.kubernetes.io/managed-by=pullgrant",
		"-L", "pullgrant.dev/request")
	if err != nil || label == "" || !strings.Contains(out, " "+label+"\n") {
		t.Errorf("%v: no %q in\n%s", err, label, out)
	}
	out, err = kubectl("delete", "rolebinding", "-A", "-l",
		"app.kubernetes.io/managed-by=pullgrant,pullgrant.dev/request="+label)
	if err != nil || strings.Count(out, "\n") != 1 || !strings.Contains(out, binding.GetName()) {
		t.Errorf("%v\n%s", err, out)
	}
	binding = w.make("agent", w.object("binding"))
	out, err = kubectl("delete", "rolebinding", "-A", "-l",
		"app.kubernetes.io/managed-by=pullgrant")
	if err != nil || !strings.Contains(out, `"`+binding.GetName()+`"`) ||
		strings.Contains(out, "plain") {
		t.Errorf("%v\n%s", err, out)
	}
	if stable(t, w.to("masters", binding, namespace), binding.GetName()) != nil {
		t.Error("the binding is still there")
	}
}

// TestNothingPinsABinding: objects that say they depend on a Job and its binding, and do not go,
// would have the garbage collector put a finalizer on the binding while the Job goes, and it gave
// access for as long as its holder liked. The fence refuses that finalizer, so the agent deletes
// the binding as ever.
func TestNothingPinsABinding(t *testing.T) { onBoth(t, nothingPinsABinding) }

func nothingPinsABinding(w *trial) {
	t := w.T
	job := w.make("agent", w.object("job"))
	w.job = job.GetUID()
	binding := w.make("agent", w.object("binding"))
	dependent := func(name string, owner *unstructured.Unstructured,
		stays bool) *unstructured.Unstructured {
		object := fromYAML(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "+name+"}")
		object.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: owner.GetAPIVersion(),
			Kind: owner.GetKind(), Name: owner.GetName(),
			UID: owner.GetUID(), BlockOwnerDeletion: &stays}})
		if stays {
			object.SetFinalizers([]string{"example.com/hold"})
		}
		return w.make("namespace admin", object)
	}
	dependent("holds-job", job, true)
	dependent("holds-binding", binding, true)
	goes := dependent("goes-with-the-job", job, false)
	missing := fromYAML(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: missing, uid: "+
		"2c6cbb9e-3ca5-4b4f-8d2a-5a4f1a8f9a11}")
	w.gone(dependent("goes-at-once", missing, false)) // and the collector has seen those before it

	foreground := metav1.DeletePropagationForeground
	if err := w.to("editor", job, w.namespace).Delete(t.Context(), job.GetName(),
		metav1.DeleteOptions{PropagationPolicy: &foreground}); err != nil {
		t.Fatal(err)
	}
	w.gone(goes) // and the collector has been at what the Job owns
	if err := w.to("agent", binding, w.namespace).Delete(t.Context(), binding.GetName(),
		metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if left := stable(t, w.to("masters", binding, w.namespace), binding.GetName()); left != nil {
		t.Errorf("still there: %v", left)
	}
}

// TestFenceIsAsRendered: what the API server fills in is filled in already, so the agent can
// compare a live fence with its own; and the API server finds nothing wrong with the expressions
// for any kind they are about.
func TestFenceIsAsRendered(t *testing.T) {
	cp := ForTest(t)
	agentOf(t, cp)
	if err := cp.Apply(t.Context(), AWSManifests()); err != nil {
		t.Fatal(err)
	}
	awsPolicy, awsBinding := render.AWSFence()
	admission := cp.client.AdmissionregistrationV1()
	for _, want := range append(render.FencePolicies(), awsPolicy) {
		eventually(t, 30*time.Second, "the API server has checked "+want.Name,
			func(ctx context.Context) (bool, error) {
				live, err := admission.ValidatingAdmissionPolicies().Get(ctx, want.Name,
					metav1.GetOptions{})
				if err != nil {
					return false, err
				}
				if !reflect.DeepEqual(live.Spec, want.Spec) || !reflect.DeepEqual(live.Labels,
					want.Labels) {
					t.Fatalf("live     %+v\nrendered %+v", live, want)
				}
				if checked := live.Status.TypeChecking; checked != nil {
					for _, w := range checked.ExpressionWarnings {
						t.Errorf("%s %s: %s", want.Name, w.FieldRef, w.Warning)
					}
				}
				return live.Status.ObservedGeneration == live.Generation, nil
			})
	}
	for _, want := range append(render.FenceBindings(), awsBinding) {
		live, err := admission.ValidatingAdmissionPolicyBindings().Get(t.Context(), want.Name,
			metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(live.Spec, want.Spec) {
			t.Errorf("live     %+v\nrendered %+v", live.Spec, want.Spec)
		}
	}
}
