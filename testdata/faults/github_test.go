package faults

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// across breaks GitHub for the replica while one grant ends and another request waits, and has it
// heal. Nothing of that keeps access, and nothing is granted meanwhile. done tells that the replica
// has met the fault.
func (s *stage) across(r *replica, f fault, met func() bool) (late time.Duration) {
	s.Helper()
	a := s.live("live", 8*time.Second)
	r.hub.harm(f)
	waits := s.ask("waits", window)
	s.gone(a)
	s.until("the replica has met the fault", met)
	s.ungranted(waits)
	healed := time.Now()
	r.hub.heal()
	s.granted(waits)
	if came := s.bindings.of(waits.name)[0].came; came.Before(healed) {
		s.Errorf("%s was granted %s before the fault was over", waits.name, healed.Sub(came))
	}
	s.withdraw(waits)
	s.finish(r, byAgent, a, waits)
	s.caused(a, requests.CauseExpired)
	return s.late(a)
}

// said tells whether any replica logged that text.
func (s *stage) said(text string) func() bool {
	return func() bool { return s.log.has(text) }
}

const acrossObserved = "ended %s after its end; the other one granted only afterwards, the " +
	"record in the ledger"

func TestGitDown(t *testing.T) {
	t.Parallel()
	s := newStage(t, "branch", nil)
	late := s.across(s.startReplica(), broken,
		s.said("nothing is granted or recorded, expiry goes on"))
	s.row("Git server down", "every connection breaks across the end of a grant and while "+
		"another request waits", fmt.Sprintf(acrossObserved, late))
}

func TestGitSlow(t *testing.T) {
	t.Parallel()
	s := newStage(t, "branch", nil)
	r := s.startReplica()
	late := s.across(r, r.hub.slow, func() bool { return true })
	s.row("Git server slow", "one byte a second across the end of a grant and while another "+
		"request waits", fmt.Sprintf(acrossObserved, late))
}

// TestGitHubRefuses has every call of GitHub's API, while git works, be answered in each of these
// ways.
func TestGitHubRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, said string
		fault      fault
	}{
		{"500", "GitHub is in trouble", refusing(http.StatusInternalServerError)},
		{"502", "GitHub is in trouble", refusing(http.StatusBadGateway)},
		{"403", "lacks a permission", refusing(http.StatusForbidden)},
		{"403 with its rate limit used up", "GitHub's rate limit is used up", limited},
		{"429 with Retry-After", "GitHub asks to be called less often",
			refusing(http.StatusTooManyRequests, "Retry-After", "60")},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "github", nil)
			late := s.across(s.startReplica(), c.fault, s.said(c.said))
			s.row("GitHub's API says "+c.name, "to every call across the end of a grant and "+
				"while another request waits", fmt.Sprintf(acrossObserved, late))
		})
	}
}
