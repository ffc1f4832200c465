package render

import (
	"fmt"
	"maps"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/pullgrant/pullgrant/requests"
)

// Grace is how long after the end of a window the backstop acts. The agent is that much faster
// while it lives.
const Grace = 10 * time.Second

// AnnotationBackstop is NoBackstop on a binding that no Job owns; bindings with a Job do not have
// it.
const (
	AnnotationBackstop = "pullgrant.dev/backstop"
	NoBackstop         = "none"
)

// Lead is how long before the start of a window its backstop may be made, so that what gives access
// can come on the second. The fence lets a Job outlive its window by 300 seconds, which is the
// bound of Grace and Lead together.
const Lead = 25 * time.Second

// Backstop gives the Job that ends a grant in one of its namespaces when no agent is left to (G3).
// It runs no pod and is complete at once; when its TTL is over, Kubernetes' TTL controller deletes
// it, and the garbage collector the bindings that it owns
// (https://kubernetes.io/docs/concepts/workloads/controllers/ttlafterfinished/). The TTL is what is
// left of the window at now, rounded up to a second, and Grace; of a request that is not merged
// yet, its whole duration.
//
// An error means that the grant is not one that may exist, or that its window is neither open
// nor about to be.
func Backstop(g requests.Grant, namespace string, now time.Time) (batchv1.Job, error) {
	job := batchv1.Job{
		TypeMeta: metav1.TypeMeta{APIVersion: batchv1.SchemeGroupVersion.String(), Kind: KindJob},
		ObjectMeta: metav1.ObjectMeta{Name: requests.ObjectName(g.Name, 0), Namespace: namespace,
			Labels: labels(g), Annotations: annotations(g)},
		Spec: batchv1.JobSpec{
			Completions: new(int32), Parallelism: new(int32), BackoffLimit: new(int32),
			Template: noPod(),
		},
	}
	if err := check(g); err != nil {
		return job, fmt.Errorf("render the backstop of grant %s: %w", requests.Quote(g.Name), err)
	}
	w := g.From(now)
	left := w.End.Sub(w.Start.Time)
	if g.Window != (requests.Window{}) {
		if left = g.Window.End.Sub(now); !g.Window.Open(now) && !g.Window.Open(now.Add(Lead)) {
			return job, fmt.Errorf("render the backstop of grant %s: its window from %s to %s "+
				"is not open at %s", g.Name, g.Window.Start, g.Window.End, requests.At(now))
		}
	}
	// Durations have four digits of hours at most.
	ttl := int32((left + Grace + time.Second - 1) / time.Second) //nolint:gosec
	job.Spec.TTLSecondsAfterFinished = &ttl
	return job, nil
}

// noPod is a template that is never used. It asks for nothing that a policy engine in the namespace
// could object to.
func noPod() corev1.PodTemplateSpec {
	no, yes := false, true
	none := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1m"),
		corev1.ResourceMemory: resource.MustParse("1Mi")}
	return corev1.PodTemplateSpec{Spec: corev1.PodSpec{
		RestartPolicy:                corev1.RestartPolicyNever,
		AutomountServiceAccountToken: &no,
		SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: &yes,
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
		Containers: []corev1.Container{{Name: "none", Image: "none.invalid/none:none",
			Resources: corev1.ResourceRequirements{Requests: none, Limits: none},
			SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: &no,
				ReadOnlyRootFilesystem: &yes,
				Capabilities:           &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}}}},
	}}
}

// Own has an object end with its backstop, the Job of that name and UID; without a UID the object
// says that nothing but the agent ends it. What is in the whole cluster cannot be owned.
func Own(o Object, job, uid string) {
	if o.GetNamespace() == "" {
		return
	}
	if uid == "" {
		annotations := map[string]string{AnnotationBackstop: NoBackstop}
		maps.Copy(annotations, o.GetAnnotations())
		o.SetAnnotations(annotations)
		return
	}
	o.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: batchv1.SchemeGroupVersion.String(),
		Kind: KindJob,
		Name: job, UID: types.UID(uid)}})
}
