// Package scene is a namespace in a real cluster, with the rights that an agent has there, and a
// clock that stands until it is set: nothing in the tests that play there waits for a real one.
package scene

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/kube"
)

// Noon is what the clock shows first.
var Noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// Scene is one of them, of a test. Its methods fail the test when the cluster does not do what they
// are for.
type Scene struct {
	*testing.T
	Admin     *kubernetes.Clientset
	Agent     *rest.Config // with the rights of the agent; answers tell the time of the clock
	Expirer   *rest.Config // the same with those of the expirer
	Cluster   string       // in the access repository
	Namespace string       // where the agent may grant the ClusterRole payments-debug
	Log       *Log         // shown when the test fails

	mu    sync.Mutex
	now   time.Time
	ahead time.Duration
}

var scenes atomic.Int32

// New sets one up, without anything that an agent of another test left for all. The test goes on
// beside others, each in a cluster of its own.
func New(t *testing.T) *Scene {
	t.Helper()
	kube.Beside(t)
	cp := kube.ForTest(t)
	n := scenes.Add(1)
	s := &Scene{T: t, now: Noon, Cluster: fmt.Sprintf("prod-%d", n),
		Namespace: fmt.Sprintf("payments-%d", n), Log: &Log{}}
	var err error
	s.Admin, err = kubernetes.NewForConfig(cp.Admin())
	s.Must(err)
	s.MakeNamespace()
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "payments-debug"},
		Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"},
			Verbs: []string{"list"}}}}
	_, err = s.Admin.RbacV1().ClusterRoles().Create(t.Context(), role, metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) {
		s.Must(err)
	}
	s.Must(cp.Apply(t.Context(), kube.AgentManifests([]string{s.Namespace},
		[]string{"payments-debug"})))
	err = s.Admin.CoordinationV1().Leases(requests.AgentNamespace).Delete(t.Context(),
		"pullgrant-agent", metav1.DeleteOptions{})
	if !apierrors.IsNotFound(err) {
		s.Must(err)
	}
	for _, kept := range []string{"pullgrant-trust", "pullgrant-messages"} {
		err = s.Admin.CoreV1().ConfigMaps(requests.AgentNamespace).Delete(t.Context(), kept,
			metav1.DeleteOptions{})
		if !apierrors.IsNotFound(err) {
			s.Must(err)
		}
	}
	s.clear()
	clusterTime := Dated(func() time.Time { return s.Clock().Add(s.ClusterAhead()) })
	for account, config := range map[string]**rest.Config{
		"pullgrant-agent": &s.Agent, "pullgrant-expirer": &s.Expirer} {
		*config, err = cp.ServiceAccount(t.Context(), requests.AgentNamespace, account)
		s.Must(err)
		(*config).Wrap(clusterTime)
	}
	s.Must(cp.AwaitFence(t.Context()))
	s.Until("the agent's rights are in force", func() bool {
		const agent = "system:serviceaccount:pullgrant-system:pullgrant-agent"
		return s.May(agent, "rbac.authorization.k8s.io", "create", "rolebindings") &&
			s.May(agent, "batch", "create", "jobs")
	})
	t.Cleanup(func() { // the next test's agent would have these rights too
		ctx := context.WithoutCancel(t.Context())
		all, err := s.Admin.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
		if err != nil { // of a test that stopped the API server
			all = &corev1.NamespaceList{}
		}
		for _, n := range all.Items { // those of the test are named for its own
			if strings.Contains(n.Name, s.Namespace) || n.Name == requests.GrantsNamespace {
				_ = s.Admin.RbacV1().RoleBindings(n.Name).DeleteCollection(ctx,
					metav1.DeleteOptions{}, metav1.ListOptions{})
			}
		}
		if t.Failed() {
			t.Logf("the agent's log:\n%s", s.Log)
		}
	})
	return s
}

// clear removes what tests before left: an agent takes it for its own, whatever the cluster.
func (s *Scene) clear() {
	s.Helper()
	background := metav1.DeletePropagationBackground
	gone := metav1.DeleteOptions{PropagationPolicy: &background}
	managed := metav1.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=pullgrant"}
	all, err := s.Admin.RbacV1().RoleBindings("").List(s.Context(), managed)
	s.Must(err)
	jobs, err := s.Admin.BatchV1().Jobs("").List(s.Context(), managed)
	s.Must(err)
	namespaces := map[string]bool{}
	for _, b := range all.Items {
		namespaces[b.Namespace] = true
	}
	for _, j := range jobs.Items {
		namespaces[j.Namespace] = true
	}
	for n := range namespaces {
		s.Must(s.Admin.RbacV1().RoleBindings(n).DeleteCollection(s.Context(), gone, managed))
		s.Must(s.Admin.BatchV1().Jobs(n).DeleteCollection(s.Context(), gone, managed))
	}
}

// Must fails the test for an error.
func (s *Scene) Must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// Clock is what all clocks show.
func (s *Scene) Clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// SetClock has them show another time.
func (s *Scene) SetClock(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = at
}

// ClusterAhead is what the API server's clock is ahead of the others.
func (s *Scene) ClusterAhead() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ahead
}

// SetClusterAhead has the API server's clock differ.
func (s *Scene) SetClusterAhead(by time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead = by
}

// patience is how long a test waits for what other processes do: only a test that fails needs it all,
// and a machine with four control planes on two cores needs much of it at times.
const patience = 90 * time.Second

// Until waits for what other processes do.
func (s *Scene) Until(what string, done func() bool) {
	s.Helper()
	for deadline := time.Now().Add(patience); !done(); {
		if time.Now().After(deadline) {
			s.Fatalf("not so after %s: %s", patience, what)
		}
		select {
		case <-s.Context().Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// MakeNamespace makes the namespace, which New does.
func (s *Scene) MakeNamespace() {
	s.Helper()
	_, err := s.Admin.CoreV1().Namespaces().Create(s.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.Namespace}},
		metav1.CreateOptions{})
	s.Must(err)
	s.Until("pods can be made in it", func() bool {
		_, err := s.Admin.CoreV1().ServiceAccounts(s.Namespace).Get(s.Context(), "default",
			metav1.GetOptions{})
		return err == nil
	})
}

// May asks the API server what a user may do in the namespace, with one object of that name where
// one is given.
func (s *Scene) May(user, group, verb, resource string, name ...string) bool {
	s.Helper()
	review, err := s.Admin.AuthorizationV1().SubjectAccessReviews().Create(s.Context(),
		&authorizationv1.SubjectAccessReview{
			Spec: authorizationv1.SubjectAccessReviewSpec{User: user,
				ResourceAttributes: &authorizationv1.ResourceAttributes{
					Namespace: s.Namespace, Group: group, Verb: verb, Resource: resource,
					Name: strings.Join(name, "")}},
		}, metav1.CreateOptions{})
	s.Must(err)
	return review.Status.Allowed
}

// Foreign makes a binding of that name which is not the agent's.
func (s *Scene) Foreign(name string) *rbacv1.RoleBinding {
	s.Helper()
	b, err := s.Admin.RbacV1().RoleBindings(s.Namespace).Create(s.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole",
			Name: "payments-debug"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User",
			Name: "carol@example.com"}},
	}, metav1.CreateOptions{})
	s.Must(err)
	return b
}

// Managed makes one that looks like the agent's and ends at a time, as its annotation says it.
func (s *Scene) Managed(name, expires string) *rbacv1.RoleBinding {
	s.Helper()
	b := s.Foreign(name)
	b.Labels = map[string]string{"app.kubernetes.io/managed-by": "pullgrant",
		"pullgrant.dev/cluster": s.Cluster}
	b.Annotations = map[string]string{"pullgrant.dev/expires-at": expires}
	b, err := s.Admin.RbacV1().RoleBindings(s.Namespace).Update(s.Context(), b,
		metav1.UpdateOptions{})
	s.Must(err)
	return b
}

// Bindings lists what the agent has made.
func (s *Scene) Bindings() []rbacv1.RoleBinding {
	s.Helper()
	list, err := s.Admin.RbacV1().RoleBindings(s.Namespace).List(s.Context(),
		metav1.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=pullgrant"})
	s.Must(err)
	return list.Items
}

// Names are those of Bindings, sorted.
func (s *Scene) Names() (names []string) {
	s.Helper()
	for _, b := range s.Bindings() {
		names = append(names, b.Name)
	}
	slices.Sort(names)
	return names
}

// Jobs lists the backstops that are left, but for those that are being deleted.
func (s *Scene) Jobs() []batchv1.Job {
	s.Helper()
	list, err := s.Admin.BatchV1().Jobs(s.Namespace).List(s.Context(),
		metav1.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=pullgrant"})
	s.Must(err)
	return slices.DeleteFunc(list.Items,
		func(j batchv1.Job) bool { return j.DeletionTimestamp != nil })
}

// Records lists what the agent remembers.
func (s *Scene) Records() []corev1.ConfigMap {
	s.Helper()
	list, err := s.Admin.CoreV1().ConfigMaps(requests.AgentNamespace).List(s.Context(),
		metav1.ListOptions{LabelSelector: "pullgrant.dev/cluster=" + s.Cluster})
	s.Must(err)
	return list.Items
}

// Dated has answers tell the time of a clock.
func Dated(clock func() time.Time) func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper {
		return RoundTripper(func(r *http.Request) (*http.Response, error) {
			response, err := next.RoundTrip(r)
			if err == nil {
				response.Header.Set("Date", clock().UTC().Format(http.TimeFormat))
			}
			return response, err
		})
	}
}

// RoundTripper is a function that is one.
type RoundTripper func(*http.Request) (*http.Response, error)

// RoundTrip calls it.
func (f RoundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Log is text that several goroutines write and read.
type Log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write adds to it.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String is all of it.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
