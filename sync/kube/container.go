package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/pullgrant/pullgrant/requests"
)

// defaultContainer is the annotation by which a pod names the container that kubectl takes.
// https://kubernetes.io/docs/reference/labels-annotations-taints/#kubectl-kubernetes-io-default-container
const defaultContainer = "kubectl.kubernetes.io/default-container"

// AmbiguousError says that a pod has several containers, and none that kubectl is told to take.
type AmbiguousError struct {
	Where      string
	Named      string // by the annotation; empty: none is
	Containers []string
}

func (e *AmbiguousError) Error() string {
	why := "and no annotation " + defaultContainer + " that names one"
	if e.Named != "" {
		why = fmt.Sprintf("and its annotation %s names none of them, %s", defaultContainer,
			requests.Quote(e.Named))
	}
	return fmt.Sprintf("%s has the containers %s %s", e.Where, strings.Join(e.Containers, ", "), why)
}

// MissingError says that what has the containers is not there.
type MissingError struct{ Where string }

func (e *MissingError) Error() string {
	return e.Where + " is not there, so its default container is not known"
}

// DefaultContainer is the container in which kubectl runs a command that names none: of its pod, or
// of the pods that its Deployment makes. It is an AmbiguousError where kubectl would take the first
// of several, which nobody has chosen, and a MissingError where there is no such pod or Deployment.
func (c *Cluster) DefaultContainer(ctx context.Context, namespace string, e requests.Exec) (string,
	error) {
	if e.Deployment != "" {
		where := "deployment " + e.Deployment
		var d appsv1.Deployment
		err := c.core.RESTClient().Get().AbsPath("/apis", appsv1.GroupName, "v1", "namespaces",
			namespace, "deployments", e.Deployment).Do(ctx).Into(&d)
		if err != nil {
			return "", notRead(where, err)
		}
		return containerOf(where, d.Spec.Template.Annotations, d.Spec.Template.Spec)
	}
	where := "pod " + e.Pod
	pod, err := c.core.Pods(namespace).Get(ctx, e.Pod, metav1.GetOptions{})
	if err != nil {
		return "", notRead(where, err)
	}
	return containerOf(where, pod.Annotations, pod.Spec)
}

func notRead(where string, err error) error {
	if apierrors.IsNotFound(err) {
		return &MissingError{where}
	}
	return fmt.Errorf("looking for the default container of %s: %w", where, err)
}

// containerOf is kubectl's choice, but for the first of several, which it makes with a warning:
// https://github.com/kubernetes/kubectl/blob/master/pkg/cmd/util/podcmd/podcmd.go
func containerOf(where string, annotations map[string]string, spec corev1.PodSpec) (string, error) {
	var all, beside []string
	for _, container := range spec.Containers {
		all = append(all, container.Name)
	}
	for _, container := range spec.InitContainers {
		beside = append(beside, container.Name)
	}
	for _, container := range spec.EphemeralContainers {
		beside = append(beside, container.Name)
	}
	named := annotations[defaultContainer]
	switch {
	case named != "" && slices.Contains(slices.Concat(all, beside), named):
		return named, nil
	case len(all) == 1:
		return all[0], nil
	}
	return "", &AmbiguousError{where, named, all}
}

// DefaultContainer is that of Cluster.DefaultContainer as whoever asks may read it.
func DefaultContainer(ctx context.Context, config *rest.Config, namespace string,
	e requests.Exec) (string, error) {
	c, err := NewCluster(config, "", CallTimeout, nil)
	if err != nil {
		return "", err
	}
	return c.DefaultContainer(ctx, namespace, e)
}
