package sync

import (
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/requests"
)

func TestDeletedByHandNeverComesBack(t *testing.T) {
	s := newStage(t)
	name := s.ask("hand")
	agent := s.agent(options{})
	s.Must(agent.Once(t.Context()))
	s.allowed(true)
	s.Must(s.Admin.RbacV1().RoleBindings(s.Namespace).Delete(t.Context(),
		requests.ObjectName(name, 0), metav1.DeleteOptions{}))
	s.Must(agent.Once(t.Context()))
	s.over(name, requests.CauseBindingDeleted, "")
	s.once(options{})
	s.over(name, requests.CauseBindingDeleted, "")
}

func TestEditedBinding(t *testing.T) {
	for slug, patch := range map[string]string{
		"subject":   `{"subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"User","name":"eve@example.com"}]}`,
		"expiry":    `{"metadata":{"annotations":{"pullgrant.dev/expires-at":"2027-01-01T00:00:00Z"}}}`,
		"unlabeled": `{"metadata":{"labels":{"app.kubernetes.io/managed-by":null}}}`,
	} {
		t.Run(slug, func(t *testing.T) {
			s := newStage(t)
			name := s.ask(slug)
			s.once(options{})
			s.allowed(true)
			_, err := s.Admin.RbacV1().RoleBindings(s.Namespace).Patch(t.Context(),
				requests.ObjectName(name, 0),
				"application/merge-patch+json", []byte(patch), metav1.PatchOptions{})
			s.Must(err)
			s.once(options{})
			s.over(name, requests.CauseRevoked, "")
			if left, err := s.Admin.RbacV1().RoleBindings(s.Namespace).List(
				t.Context(), metav1.ListOptions{}); err != nil || len(left.Items) != 1 {
				t.Errorf("only the agent's own binding should be left: %v %v", left.Items, err)
			}
		})
	}
}

// TestFinalizerIsNoWayToKeepAccess: a binding with a finalizer outlives its deletion, so the grant
// is not over.
func TestFinalizerIsNoWayToKeepAccess(t *testing.T) {
	s := newStage(t)
	name := s.ask("keep")
	s.once(options{})
	patch := func(finalizers string) {
		_, err := s.Admin.RbacV1().RoleBindings(s.Namespace).Patch(t.Context(),
			requests.ObjectName(name, 0),
			"application/merge-patch+json", []byte(`{"metadata":{"finalizers":`+finalizers+`}}`),
			metav1.PatchOptions{})
		s.Must(err)
	}
	patch(`["example.com/keep"]`)
	if err := s.agent(options{}).Once(t.Context()); err == nil || !strings.Contains(err.Error(),
		`its finalizers "example.com/keep" keep it alive`) {
		t.Errorf("error: %v", err)
	}
	s.allowed(true)
	patch("null")
	s.once(options{})
	s.over(name, requests.CauseRevoked, "")
}

// TestFinalizerKeepsNothingElse: what a binding gives that a finalizer keeps alive goes with its Role;
// their Job stays, for it ends the binding by itself.
func TestFinalizerKeepsNothingElse(t *testing.T) {
	g := matching(t, "pods", "pod-reader")
	g.pods([]string{"nginx-1"})
	name := g.asked()
	g.once(options{github: true})
	read := fmt.Sprintf("GET /api/v1/namespaces/%s/pods/nginx-1 200", g.Namespace)
	g.expect(name, read, false)
	patch := func(finalizers string) {
		_, err := g.Admin.RbacV1().RoleBindings(g.Namespace).Patch(t.Context(), requests.ObjectName(name, 0),
			"application/merge-patch+json", []byte(`{"metadata":{"finalizers":`+finalizers+`}}`),
			metav1.PatchOptions{})
		g.Must(err)
	}
	patch(`["example.com/keep"]`)
	if err := g.agent(options{github: true}).Once(t.Context()); err == nil || !strings.Contains(err.Error(),
		`its finalizers "example.com/keep" keep it alive`) {
		t.Errorf("error: %v", err)
	}
	g.expect(name, read, true)
	_, err := g.Admin.BatchV1().Jobs(g.Namespace).Get(t.Context(), requests.ObjectName(name, 0), metav1.GetOptions{})
	g.Must(err)
	patch("null")
	g.once(options{github: true})
	g.over(name, requests.CauseRevoked, "")
}

func TestConflictIsNotAdopted(t *testing.T) {
	s := newStage(t)
	name := s.ask("taken")
	foreign := s.Foreign(requests.ObjectName(name, 0))
	s.once(options{})
	s.over(name, requests.CauseDenied, "BindingConflict")
	left, err := s.Admin.RbacV1().RoleBindings(s.Namespace).Get(t.Context(),
		requests.ObjectName(name, 0), metav1.GetOptions{})
	if err != nil || left.UID != foreign.UID {
		t.Errorf("the other binding is not as it was: %v %v", left, err)
	}
}

func TestStraySwept(t *testing.T) {
	s := newStage(t)
	stray := s.Foreign("pullgrant-stray")
	stray.Labels = map[string]string{"app.kubernetes.io/managed-by": "pullgrant",
		"pullgrant.dev/cluster": s.Cluster}
	_, err := s.Admin.RbacV1().RoleBindings(s.Namespace).Update(t.Context(), stray,
		metav1.UpdateOptions{})
	s.Must(err)
	s.once(options{})
	if len(s.Bindings()) != 0 {
		t.Errorf("left: %v", s.Bindings())
	}
}

func TestNamespaceReplaced(t *testing.T) {
	s := newStage(t)
	name := s.ask("new-ns")
	s.once(options{})
	s.Must(s.Admin.CoreV1().Namespaces().Delete(t.Context(), s.Namespace, metav1.DeleteOptions{}))
	s.Until("the namespace is gone", func() bool {
		_, err := s.Admin.CoreV1().Namespaces().Get(t.Context(), s.Namespace, metav1.GetOptions{})
		return err != nil
	})
	s.MakeNamespace()
	s.once(options{})
	s.over(name, requests.CauseNamespaceReplaced, "")
}
