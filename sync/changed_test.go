package sync

import (
	"errors"
	"net/http"
	"testing"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/scene"
)

// TestChangedAndNoAnswer: the cluster changes a binding as it is made, and the answer to that is lost. It was
// access: it is taken back in the same pass, made no second time, and in the ledger.
func TestChangedAndNoAnswer(t *testing.T) {
	s := newStage(t)
	s.mutate("rbac.authorization.k8s.io", "rolebindings", `[JSONPatch{op: "add", path: `+
		`"/metadata/annotations/pullgrant.dev~1expires-at", value: "2026-11-23T12:30:00Z"}]`)
	s.settled("")
	name := s.ask("unanswered")
	made := 0
	agent := s.agent(options{wire: func(next http.RoundTripper) http.RoundTripper {
		return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
			if !isCreate(r, "rolebindings") {
				return next.RoundTrip(r)
			}
			made++
			answer, err := next.RoundTrip(r)
			s.Must(err)
			answer.Body.Close()
			return nil, errors.New("the line is broken")
		})
	}})
	if err := agent.Once(t.Context()); err == nil || made != 1 {
		t.Fatalf("%d bindings were made: %v", made, err)
	}
	s.allowed(false)
	s.Must(agent.Once(t.Context()))
	s.over(name, requests.CauseDenied, string(policies.ChangedByCluster))
	if r := s.entry(name); made != 1 || r.Status.GrantedAt == nil {
		t.Errorf("%d bindings were made, and the entry says that there was no access: %+v", made, r.Status)
	}
}
