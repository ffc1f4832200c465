package sync

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
)

// TestWithoutRights: that the agent may not make a Job is no objection of the cluster to backstops.
// Nothing is granted without one, though the policy would let that be, and nobody is refused.
func TestWithoutRights(t *testing.T) {
	s := newStage(t)
	s.edit(policies.Path("payments-debug"), "  target:\n", "  target:\n    backstop: optional\n")
	first := s.ask("first")
	agent := s.agent(options{})
	s.Must(agent.Once(t.Context())) // and the fence was tried in the namespace
	_, err := s.Admin.RbacV1().Roles(s.Namespace).Patch(t.Context(), render.Agent,
		"application/json-patch+json", s.withoutJobs(), metav1.PatchOptions{})
	s.Must(err)
	s.Until("the agent may make no Jobs", func() bool {
		return !s.May("system:serviceaccount:pullgrant-system:pullgrant-agent", "batch", "create",
			"jobs")
	})
	s.ask("second")
	if err := agent.Once(t.Context()); err == nil || !strings.Contains(err.Error(),
		"cannot create resource \"jobs\"") {
		t.Errorf("error: %v", err)
	}
	if names := s.Names(); len(names) != 1 || names[0] != requests.ObjectName(first, 0) {
		t.Errorf("bindings %v", names)
	}
}

// withoutJobs is a patch that takes the rules about Jobs from the agent's Role.
func (s *stage) withoutJobs() []byte {
	s.Helper()
	role, err := s.Admin.RbacV1().Roles(s.Namespace).Get(s.Context(), render.Agent,
		metav1.GetOptions{})
	s.Must(err)
	for i, rule := range role.Rules {
		if strings.Join(rule.Resources, " ") == "jobs" {
			return []byte(`[{"op": "remove", "path": "/rules/` + string(rune('0'+i)) + `"}]`)
		}
	}
	s.Fatalf("no rule about Jobs: %v", role.Rules)
	return nil
}
