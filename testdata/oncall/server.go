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
	on, fault := s.on, s.fault
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
		opsgenie(w, strings.TrimSuffix(schedule, "/on-calls"), on)
	case r.URL.Path == "/oncalls":
		pagerDuty(w, r, on)
	default:
		http.NotFound(w, r)
	}
}

func opsgenie(w http.ResponseWriter, schedule string, on []string) {
	var users []map[string]any
	for _, id := range on {
		users = append(users, map[string]any{"id": id, "name": id + "@example.com", "type": "user"})
	}
	Write(w, map[string]any{"data": map[string]any{"_parent": map[string]any{"id": schedule,
		"name": "a schedule", "enabled": true}, "onCallParticipants": users}})
}

// pagerDuty tells of those asked about, page by page.
func pagerDuty(w http.ResponseWriter, r *http.Request, on []string) {
	q := r.URL.Query()
	on = slices.DeleteFunc(slices.Clone(on), func(id string) bool {
		return !slices.Contains(q["user_ids[]"], id)
	})
	entries := []map[string]any{}
	for _, id := range on {
		entries = append(entries, Entry(id, strings.Join(q["schedule_ids[]"], ""),
			strings.Join(q["escalation_policy_ids[]"], "")))
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
