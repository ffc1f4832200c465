// Package oncall serves, on loopback, what PagerDuty and Opsgenie tell of who is on call.
package oncall

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/internal/inquire"
	"github.com/pullgrant/pullgrant/internal/oncall"
)

// Token is the one that both services take.
const Token = "secret-of-the-service"

// Server is both services. Without a fault it says of those in OnCall that they are on call by
// whatever is asked.
type Server struct {
	*httptest.Server

	mu    sync.Mutex
	on    []string
	later []string
	fault http.HandlerFunc
	asked []string
}

// Start serves until the test is over.
func Start(t testing.TB) *Server {
	s := &Server{}
	s.Server = httptest.NewTLSServer(s)
	t.Cleanup(s.Close)
	return s
}

// Roots are the certificates that the server's is to be believed by.
func (s *Server) Roots() *x509.CertPool {
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return roots
}

// Config is how both services are asked here.
func (s *Server) Config(clock func() time.Time) oncall.Config {
	one := oncall.Service{URL: s.URL, Token: Token}
	return oncall.Config{PagerDuty: one, Opsgenie: one, Roots: s.Roots(), Clock: clock}
}

// Answerer asks both.
func (s *Server) Answerer(clock func() time.Time) (inquire.Answerer, error) {
	return oncall.New(s.Config(clock))
}

// OnCall has these users on call from now on, and nobody else.
func (s *Server) OnCall(users ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.on = users
}

// Later has these users told from now on only when others do not answer: they are on call by an escalation
// that tells them after a while, and on the second level of escalation policies.
func (s *Server) Later(users ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.later = users
}

// Fault answers every call from now on; nil: no more.
func (s *Server) Fault(answer http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = answer
}

// Asked are the calls so far.
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	on, later, fault := s.on, s.later, s.fault
	s.asked = append(s.asked, r.URL.RequestURI())
	s.mu.Unlock()
	schedule, isOpsgenie := strings.CutPrefix(r.URL.Path, "/v2/schedules/")
	want := "Token token=" + Token
	if isOpsgenie {
		want = "GenieKey " + Token
	}
	switch {
	case fault != nil:
		fault(w, r)
	case r.Header.Get("Authorization") != want:
		http.Error(w, "no "+r.Header.Get("Authorization"), http.StatusUnauthorized)
	case isOpsgenie:
		opsgenie(w, strings.TrimSuffix(schedule, "/on-calls"), on, later)
	case r.URL.Path == "/oncalls":
		pagerDuty(w, r, on, later)
	default:
		http.NotFound(w, r)
	}
}

func opsgenie(w http.ResponseWriter, schedule string, on, later []string) {
	var all, told []any
	for _, id := range on {
		all = append(all, User(id))
	}
	for _, id := range later {
		one := User(id)
		one["escalationTime"] = 5
		told = append(told, one)
	}
	if told != nil {
		all = append(all, map[string]any{"id": "escalation", "type": "escalation", "onCallParticipants": told})
	}
	Write(w, Schedule(schedule, all...))
}

// Schedule is what Opsgenie tells of one that is in use: who is on call by it.
func Schedule(id string, who ...any) any {
	return map[string]any{"data": map[string]any{"_parent": map[string]any{"id": id, "name": "a schedule",
		"enabled": true}, "onCallParticipants": who}}
}

// User is one whom Opsgenie tells at once.
func User(id string) map[string]any {
	return map[string]any{"id": id, "name": id + "@example.com", "type": "user"}
}

// pagerDuty tells of those asked about, page by page. A schedule has nobody who is told later.
func pagerDuty(w http.ResponseWriter, r *http.Request, on, later []string) {
	q := r.URL.Query()
	schedule := strings.Join(q["schedule_ids[]"], "")
	policy := strings.Join(q["escalation_policy_ids[]"], "")
	entries := []map[string]any{}
	add := func(level int, users []string) {
		for _, id := range users {
			if slices.Contains(q["user_ids[]"], id) {
				one := Entry(id, schedule, policy)
				one["escalation_level"] = level
				entries = append(entries, one)
			}
		}
	}
	if add(1, on); policy != "" {
		add(2, later)
	}
	limit, _ := strconv.Atoi(q.Get("limit"))
	offset, _ := strconv.Atoi(q.Get("offset"))
	page := entries[min(offset, len(entries)):min(offset+limit, len(entries))]
	Write(w, map[string]any{"oncalls": page, "limit": limit, "offset": offset,
		"more": offset+limit < len(entries)})
}

// Entry is one of PagerDuty's: somebody who is always on call, told at once.
func Entry(user, schedule, policy string) map[string]any {
	return map[string]any{"user": map[string]any{"id": user, "summary": "Somebody"},
		"schedule": map[string]any{"id": schedule}, "escalation_policy": map[string]any{"id": policy},
		"escalation_level": 1, "start": nil, "end": nil}
}

// Write answers with a value as JSON.
func Write(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // whoever asked has gone otherwise
}

// Faults are answers that tell nothing, each by the words by which it is told. Whoever believes one of
// them would let someone in whom the server does not name.
func Faults() map[string]http.HandlerFunc {
	raw := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, r.Header.Get("Authorization"), code)
		}
	}
	return map[string]http.HandlerFunc{
		"500 Internal Server Error": status(http.StatusInternalServerError),
		"429 Too Many Requests":     status(http.StatusTooManyRequests),
		"404 Not Found":             status(http.StatusNotFound),
		"refuses the token (401)":   status(http.StatusUnauthorized),
		"refuses the token (403)":   status(http.StatusForbidden),
		"it answers 204":            status(http.StatusNoContent),
		"it redirects": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		},
		"longer than 1048576 bytes": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprint(w, `{"oncalls":[],"data":{},"more":"`+strings.Repeat("x", 10<<20)+`"}`)
		},
		"invalid character '<'":        raw("<html>alice is on call</html>"),
		"unexpected end of JSON input": raw(`{"oncalls": [`),
		"in time": func(_ http.ResponseWriter, r *http.Request) {
			select { // until whoever asks gives up
			case <-r.Context().Done():
			case <-time.After(time.Minute):
			}
		},
		"EOF": func(w http.ResponseWriter, _ *http.Request) {
			if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
				_ = c.Close()
			}
		},
	}
}
