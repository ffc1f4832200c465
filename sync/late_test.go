package sync

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/scene"
)

// TestKilledAndBackAfterTheEnd kills the agent before each call with which it grants. What it made
// ends by its backstop, and the agent that comes back later knows from the record alone that there
// was access.
func TestKilledAndBackAfterTheEnd(t *testing.T) {
	s := newStage(t)
	for call := int32(1); ; call++ {
		begin := s.Clock()
		name := s.ask(fmt.Sprintf("kill-%d", call))
		f := newCut(call, true, true)
		_ = s.agent(options{wire: f.wrap}).Once(t.Context())
		made := s.Bindings()
		background := metav1.DeletePropagationBackground
		for _, j := range s.Jobs() {
			s.Must(s.Admin.BatchV1().Jobs(s.Namespace).Delete(t.Context(), j.Name,
				metav1.DeleteOptions{PropagationPolicy: &background}))
		}
		s.Until("the backstop ended it", func() bool { return len(s.Bindings()) == 0 })
		s.SetClock(begin.Add(time.Hour))
		s.once(options{})
		status := s.entry(name).Status
		if len(made) > 0 && (status.Cause != requests.CauseExpired || status.GrantedAt == nil) {
			t.Fatalf("call %d: it had %s, the ledger says %s %s", call, made[0].Name,
				status.Cause, status.Code)
		}
		if !f.struck() {
			break
		}
	}
}

// TestRefusedUntilTheEnd: what the API server refused until the window was over was never granted,
// and the ledger says so.
func TestRefusedUntilTheEnd(t *testing.T) {
	s := newStage(t)
	const agent = "system:serviceaccount:pullgrant-system:pullgrant-agent"
	_, err := s.Admin.RbacV1().Roles(s.Namespace).Patch(t.Context(), "pullgrant-agent",
		types.JSONPatchType,
		[]byte(`[{"op": "remove", "path": "/rules/2"}]`), metav1.PatchOptions{})
	s.Must(err)
	s.Until("the agent may not bind", func() bool {
		return !s.May(agent, "rbac.authorization.k8s.io", "bind", "clusterroles", "payments-debug")
	})
	name := s.ask("unbindable")
	if err := s.agent(options{}).Once(t.Context()); err == nil || !strings.Contains(err.Error(),
		"attempting to grant RBAC permissions not currently held") {
		t.Fatalf("error: %v", err)
	}
	s.SetClock(noon.Add(time.Hour))
	s.once(options{})
	if r := s.over(name, requests.CauseDenied, "ExpiredBeforeGrant"); r.Status.GrantedAt != nil {
		t.Errorf("the entry: %+v", r.Status)
	}
}

// TestHeldUpUntilTheEnd: a call that would give access is given up when its window is over.
func TestHeldUpUntilTheEnd(t *testing.T) {
	s := newStage(t)
	s.ask("held")
	s.SetClock(noon.Add(time.Hour - time.Second))
	agent := s.agent(options{wire: func(next http.RoundTripper) http.RoundTripper {
		return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/rolebindings") {
				if deadline, ok := r.Context().Deadline(); !ok ||
					time.Until(deadline) > time.Second {
					t.Errorf("the call has until %s", deadline)
				}
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			return next.RoundTrip(r)
		})
	}})
	if err := agent.Once(t.Context()); !errors.Is(err, context.DeadlineExceeded) ||
		len(s.Bindings()) != 0 {
		t.Errorf("bindings %v, error %v", s.Bindings(), err)
	}
}
