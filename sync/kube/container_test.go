package kube

import (
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestContainerOf: the container is kubectl's, but for the first of several that nobody chose.
func TestContainerOf(t *testing.T) {
	for _, c := range []struct {
		annotated, containers, beside string
		want                          string // the container, or a part of the error
	}{
		{"", "app", "", "app"},
		{"", "app", "init", "app"},
		{"app", "proxy app", "", "app"},
		{"side", "proxy app", "side", "side"},
		{"gone", "app", "", "app"}, // kubectl goes on to the first, which is the only one
		{"", "proxy app", "", "pod api-1 has the containers proxy, app and no annotation"},
		{"gone", "proxy app", "", `names none of them, "gone"`},
		{"app,proxy", "proxy app", "", `names none of them, "app,proxy"`},
		{"", "", "", "has the containers  and no"},
	} {
		for _, ephemeral := range []bool{false, true} {
			var spec corev1.PodSpec
			for name := range strings.FieldsSeq(c.containers) {
				spec.Containers = append(spec.Containers, corev1.Container{Name: name})
			}
			for name := range strings.FieldsSeq(c.beside) {
				if ephemeral {
					spec.EphemeralContainers = append(spec.EphemeralContainers, corev1.EphemeralContainer{
						EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: name}})
					continue
				}
				spec.InitContainers = append(spec.InitContainers, corev1.Container{Name: name})
			}
			got, err := containerOf("pod api-1", map[string]string{
				"kubectl.kubernetes.io/default-container": c.annotated}, spec)
			if _, is := errors.AsType[*AmbiguousError](err); is {
				got = err.Error()
			}
			if got != c.want && (err == nil || !strings.Contains(got, c.want)) {
				t.Errorf("%+v: %s", c, got)
			}
		}
	}
}
