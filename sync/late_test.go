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
)

// TestKilledAndBackAfterTheEnd kills the agent before each call with which it grants. What it made ends by its backstop, and
// the agent that comes back later knows from the record alone that there was access.
func TestKilledAndBackAfterTheEnd(t *testing.T) {
	s := newStage(t)
	for call := int32(1); ; call++ {
		begin := s.clock()
		name := s.ask(fmt.Sprintf("kill-%d", call))
		f := newCut(call, true, true)
		_ = s.agent(options{wire: f.wrap}).Once(t.Context())
		made := s.bindings()
		background := metav1.DeletePropagationBackground
		for _, j := range s.jobs() {
			s.must(s.admin.BatchV1().Jobs(s.namespace).Delete(t.Context(), j.Name, metav1.DeleteOptions{PropagationPolicy: &background}))
		}
		s.until("the backstop ended it", func() bool { return len(s.bindings()) == 0 })
		s.setClock(begin.Add(time.Hour))
		s.once(options{})
		status := s.entry(name).Status
		if len(made) > 0 && (status.Cause != requests.CauseExpired || status.GrantedAt == nil) {
			t.Fatalf("call %d: it had %s, the ledger says %s %s", call, made[0].Name, status.Cause, status.Code)
		}
		if !f.struck() {
			break
		}
	}
}

// TestRefusedUntilTheEnd: what the API server refused until the window was over was never granted, and the ledger says so.
func TestRefusedUntilTheEnd(t *testing.T) {
	s := newStage(t)
	const agent = "system:serviceaccount:pullgrant-system:pullgrant-agent"
	_, err := s.admin.RbacV1().Roles(s.namespace).Patch(t.Context(), "pullgrant-agent", types.JSONPatchType,
		[]byte(`[{"op": "remove", "path": "/rules/2"}]`), metav1.PatchOptions{})
	s.must(err)
	s.until("the agent may not bind", func() bool {
		return !s.may(agent, "rbac.authorization.k8s.io", "bind", "clusterroles", "payments-debug")
	})
	name := s.ask("unbindable")
	if err := s.agent(options{}).Once(t.Context()); err == nil || !strings.Contains(err.Error(), "attempting to grant RBAC permissions not currently held") {
		t.Fatalf("error: %v", err)
	}
	s.setClock(noon.Add(time.Hour))
	s.once(options{})
	if r := s.over(name, requests.CauseDenied, "ExpiredBeforeGrant"); r.Status.GrantedAt != nil {
		t.Errorf("the entry: %+v", r.Status)
	}
}

// TestHeldUpUntilTheEnd: a call that would give access is given up when its window is over.
func TestHeldUpUntilTheEnd(t *testing.T) {
	s := newStage(t)
	s.ask("held")
	s.setClock(noon.Add(time.Hour - time.Second))
	agent := s.agent(options{wire: func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/rolebindings") {
				if deadline, ok := r.Context().Deadline(); !ok || time.Until(deadline) > time.Second {
					t.Errorf("the call has until %s", deadline)
				}
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			return next.RoundTrip(r)
		})
	}})
	if err := agent.Once(t.Context()); !errors.Is(err, context.DeadlineExceeded) || len(s.bindings()) != 0 {
		t.Errorf("bindings %v, error %v", s.bindings(), err)
	}
}
