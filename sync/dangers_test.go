package sync

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/forge"
	"github.com/pullgrant/pullgrant/testdata/scene"
)

var makesTokens = []rbac.RoleRule{{APIGroups: []string{""},
	Resources: []string{"serviceaccounts/token"}, Verbs: []string{"create"}}}

// tokens has the API server answer, once it is to, that the role payments-debug makes tokens.
func tokens(now func(r *http.Request) bool) func(http.RoundTripper) http.RoundTripper {
	const answer = `{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
"metadata": {"name": "payments-debug"}, "rules": [
{"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"]}]}`
	return func(next http.RoundTripper) http.RoundTripper {
		return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
			if now(r) && strings.HasSuffix(r.URL.Path, "/clusterroles/payments-debug") {
				return &http.Response{StatusCode: http.StatusOK, Request: r,
					Header: http.Header{"Content-Type": {"application/json"}},
					Body:   io.NopCloser(strings.NewReader(answer))}, nil
			}
			return next.RoundTrip(r)
		})
	}
}

// TestDangerInTheCluster: a role that comes to have a danger which its policy does not name is not
// bound, whenever it does: before the judgement, between that and the first object, or while the
// backstop is armed.
func TestDangerInTheCluster(t *testing.T) {
	t.Run("before", func(t *testing.T) {
		s := newStage(t)
		name := s.ask("before")
		s.once(options{wire: tokens(func(*http.Request) bool { return true })})
		s.over(name, requests.CauseDenied, string(policies.RoleChanged))
	})
	t.Run("after the judgement", func(t *testing.T) {
		s := newStage(t)
		name := s.ask("judged")
		var reads atomic.Int64
		s.once(options{wire: tokens(func(r *http.Request) bool {
			return strings.HasSuffix(r.URL.Path, "/clusterroles/payments-debug") &&
				reads.Add(1) > 1 // the judgement reads it once
		})})
		s.over(name, requests.CauseDenied, string(policies.RoleChanged))
	})
	t.Run("while it is armed", func(t *testing.T) {
		s := newStage(t)
		name := s.ask("armed")
		var made atomic.Bool
		agent := s.agent(options{wire: tokens(func(r *http.Request) bool {
			if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/jobs") {
				made.Store(true)
			}
			return made.Load()
		})})
		if err := agent.Once(t.Context()); err == nil || !strings.Contains(err.Error(),
			"its role is changed in the cluster while access is made") {
			t.Errorf("error: %v", err)
		}
		if b := s.Bindings(); len(b) != 0 {
			t.Errorf("bound: %v", b)
		}
		s.Must(agent.Once(t.Context()))
		s.over(name, requests.CauseRoleChanged, "")
	})
}

// TestDangerOfARole: by the catalogue, as the cluster has it too, the role makes tokens. It is
// bound only where the policy names that.
func TestDangerOfARole(t *testing.T) {
	always := tokens(func(*http.Request) bool { return true })
	for slug, files := range map[string]func(s *stage) map[string]string{
		"unnamed": func(s *stage) map[string]string {
			return s.catalog("payments-debug", false, makesTokens)
		},
		"unknown": func(s *stage) map[string]string {
			return map[string]string{rbac.CatalogPath(s.Cluster, "payments-debug"): forge.Removed}
		},
		"named": func(s *stage) map[string]string {
			files := s.catalog("payments-debug", false, makesTokens)
			files[policies.Path("payments-debug")] = s.naming("tokens")
			return files
		},
		"any": func(s *stage) map[string]string {
			return map[string]string{rbac.CatalogPath(s.Cluster, "payments-debug"): forge.Removed,
				policies.Path("payments-debug"): s.naming(rbac.DangersAt(rbac.InNamespace)...)}
		},
	} {
		t.Run(slug, func(t *testing.T) {
			s := newStage(t)
			s.pushFiles("root", "Change", files(s))
			name := s.ask(slug)
			s.once(options{wire: always})
			if slug == "named" || slug == "any" {
				s.allowed(true) // the answer above is only the agent's
				return
			}
			s.over(name, requests.CauseDenied, string(policies.RoleNotAllowed))
		})
	}
}
