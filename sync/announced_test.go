package sync

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"path"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/scene"
)

// isSave tells the change of the record of a grant from other calls.
func isSave(r *http.Request, name string) bool {
	return r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/configmaps/") &&
		path.Base(r.URL.Path) == requests.ObjectName(name, 0)
}

// unbind deletes the binding of a grant by hand.
func (s *stage) unbind(name string) {
	s.Helper()
	s.Must(s.Admin.RbacV1().RoleBindings(s.Namespace).Delete(s.Context(),
		requests.ObjectName(name, 0), metav1.DeleteOptions{}))
}

// TestReliedOnAnAnnouncement: one replica announces a binding and sleeps, another relies on that,
// makes the binding and dies; the first one wakes when the window is over. What it announced was
// made, so the ledger says that there was access.
func TestReliedOnAnAnnouncement(t *testing.T) {
	s := newStage(t)
	s.once(options{})
	name := s.ask("relied")
	var made, slept atomic.Bool
	dies := s.agent(options{wire: func(next http.RoundTripper) http.RoundTripper {
		return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
			if made.Load() && isSave(r, name) {
				return nil, errors.New("it is dead")
			}
			if isCreate(r, "rolebindings") {
				made.Store(true)
			}
			return next.RoundTrip(r)
		})
	}})
	sleeps := s.agent(options{wire: func(next http.RoundTripper) http.RoundTripper {
		return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
			answer, err := next.RoundTrip(r)
			if isSave(r, name) && slept.CompareAndSwap(false, true) {
				if dies.Once(t.Context()) == nil || len(s.Bindings()) != 1 {
					t.Error("the other one made nothing, or lives")
				}
				s.SetClock(noon.Add(time.Hour))
				s.unbind(name)
			}
			return answer, err
		})
	}})
	if err := sleeps.Once(t.Context()); err == nil || !slept.Load() ||
		!strings.Contains(err.Error(), "the object has been modified") {
		t.Errorf("error: %v", err)
	}
	s.once(options{})
	s.over(name, requests.CauseExpired, "")
	if r := s.entry(name); r.Status.GrantedAt == nil {
		t.Errorf("the entry says that there was no access: %+v", r.Status)
	}
}

// TestGoneWhileItIsRefused: the call of an earlier try arrives late, and the binding is deleted by
// hand just when the cluster refuses the last try. It was access, and somebody ended it.
func TestGoneWhileItIsRefused(t *testing.T) {
	s := newStage(t)
	lift := s.quota("count/rolebindings.rbac.authorization.k8s.io")
	name := s.ask("gone")
	const refusal = `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 403,
		"reason": "Forbidden", "message": "rolebindings.rbac.authorization.k8s.io is forbidden: no"}`
	var lose, arrive bool
	var late []byte
	var agent *Agent
	agent = s.agent(options{wire: func(next http.RoundTripper) http.RoundTripper {
		return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
			if !isCreate(r, "rolebindings") || !lose && !arrive {
				return next.RoundTrip(r)
			}
			body, err := io.ReadAll(r.Body)
			s.Must(err)
			if lose {
				late = body
				return nil, errors.New("the line is broken")
			}
			r.Body = io.NopCloser(bytes.NewReader(late))
			answer, err := next.RoundTrip(r)
			s.Must(err)
			answer.Body.Close()
			s.unbind(name)
			s.Until("the expirer saw it go",
				func() bool { return len(agent.expirer.Gone()) == 1 })
			return &http.Response{StatusCode: http.StatusForbidden, Request: r,
				Header: http.Header{"Content-Type": {"application/json"}},
				Body:   io.NopCloser(strings.NewReader(refusal))}, nil
		})
	}})
	go func() { _ = agent.expirer.Run(t.Context()) }()
	if err := agent.Once(t.Context()); err == nil {
		t.Fatal("not refused")
	}
	lift()
	s.SetClock(noon.Add(time.Minute))
	lose = true
	if err := agent.Once(t.Context()); err == nil || late == nil {
		t.Fatalf("no answer was lost: %v", err)
	}
	s.SetClock(noon.Add(refusedFor + time.Minute))
	lose, arrive = false, true
	if err := agent.Once(t.Context()); err == nil || !strings.Contains(err.Error(),
		"a binding of it is gone that an earlier try made") {
		t.Fatalf("error: %v", err)
	}
	arrive = false
	s.Must(agent.Once(t.Context()))
	s.over(name, requests.CauseBindingDeleted, "")
	if r := s.entry(name); r.Status.GrantedAt == nil {
		t.Errorf("the entry says that there was no access: %+v", r.Status)
	}
}
