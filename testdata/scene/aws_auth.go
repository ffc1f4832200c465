package scene

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/pullgrant/pullgrant/testdata/kube"
)

const (
	kubeSystem = "kube-system"
	awsAuth    = "aws-auth"
)

// AWS has the scene be one of EKS, with nobody in aws-auth, until the test ends. It returns the
// configuration of what keeps that list, with its rights.
func (s *Scene) AWS() *rest.Config {
	s.Helper()
	cp := kube.ForTest(s.T)
	s.Must(cp.Apply(s.Context(), kube.AWSManifests()))
	s.SetAWSAuth("", "")
	s.Cleanup(func() { // the next test's agent would have these rights too
		ctx := context.WithoutCancel(s.Context())
		_ = s.Admin.RbacV1().RoleBindings(kubeSystem).Delete(ctx, "pullgrant-agent",
			metav1.DeleteOptions{})
		_ = s.Admin.CoreV1().ConfigMaps(kubeSystem).Delete(ctx, awsAuth, metav1.DeleteOptions{})
	})
	config, err := cp.ServiceAccount(s.Context(), "pullgrant-system", "pullgrant-aws")
	s.Must(err)
	config.Wrap(Dated(func() time.Time { return s.Clock().Add(s.ClusterAhead()) }))
	s.Must(cp.AwaitAWSFence(s.Context()))
	return config
}

// SetAWSAuth has an administrator write aws-auth.
func (s *Scene) SetAWSAuth(mapUsers, mapRoles string) {
	s.Helper()
	maps := s.Admin.CoreV1().ConfigMaps(kubeSystem)
	m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: awsAuth},
		Data: map[string]string{"mapUsers": mapUsers, "mapRoles": mapRoles}}
	_, err := maps.Update(s.Context(), m, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		_, err = maps.Create(s.Context(), m, metav1.CreateOptions{})
	}
	s.Must(err)
}

// MapUsers is the list in aws-auth.
func (s *Scene) MapUsers() string {
	s.Helper()
	m, err := s.Admin.CoreV1().ConfigMaps(kubeSystem).Get(s.Context(), awsAuth, metav1.GetOptions{})
	s.Must(err)
	return m.Data["mapUsers"]
}
