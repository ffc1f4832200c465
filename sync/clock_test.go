package sync

import (
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// TestClocksApart: with a clock that nobody can trust nothing is granted and nothing refused for good; when the clocks
// agree again it goes on (R54).
func TestClocksApart(t *testing.T) {
	for name, which := range map[string]func(*stage) *time.Duration{
		"cluster": func(s *stage) *time.Duration { return &s.apiAhead },
		"github":  func(s *stage) *time.Duration { return &s.hubAhead },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			request := s.request("one")
			agent := s.agent(githubOnly)
			for _, apart := range []time.Duration{31 * time.Second, -32 * time.Second, 2 * time.Hour} {
				s.setAhead(which(s), apart)
				if err := agent.Once(t.Context()); err == nil || !strings.Contains(err.Error(), "apart, more than 30s") && !strings.Contains(err.Error(), "tried again") {
					t.Errorf("%s: error %v", apart, err)
				}
				if len(s.bindings()) != 0 || len(s.records()) != 0 {
					t.Errorf("%s: bindings %v, records %v", apart, s.bindings(), s.records())
				}
				s.pause()
			}
			s.setAhead(which(s), 29*time.Second)
			s.must(agent.Once(t.Context()))
			s.granted(request)
			for _, told := range []string{"nothing is granted, and access ends by the later clock", "the clocks agree again"} {
				if n := strings.Count(s.log.String(), told); n != 1 {
					t.Errorf("%d times in the log: %s", n, told)
				}
			}
		})
	}
}

// TestLaterClockEnds: when the clocks are apart, access ends by the one that is ahead.
func TestLaterClockEnds(t *testing.T) {
	for name, which := range map[string]func(*stage) *time.Duration{
		"cluster": func(s *stage) *time.Duration { return &s.apiAhead },
		"github":  func(s *stage) *time.Duration { return &s.hubAhead },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			request := s.request("one")
			agent := s.agent(githubOnly)
			s.must(agent.Once(t.Context()))
			s.setClock(noon.Add(58 * time.Minute))
			s.setAhead(which(s), 29*time.Second)
			s.must(agent.github.ReadClock(t.Context()))
			s.must(agent.Once(t.Context()))
			s.granted(request)
			s.setAhead(which(s), 2*time.Minute)
			s.must(agent.github.ReadClock(t.Context())) // else it speaks to GitHub only when there is something to ask
			s.must(agent.Once(t.Context()))
			s.must(agent.Once(t.Context())) // the API server tells its time with the answers of the first
			s.over(request, requests.CauseExpired, "")
		})
	}
}

// TestOwnClockAhead: the own clock is the later one, and still nothing is granted by it or refused for good.
func TestOwnClockAhead(t *testing.T) {
	s := newStage(t)
	request := s.request("one")
	s.setAhead(&s.apiAhead, -2*time.Hour)
	s.setAhead(&s.hubAhead, -2*time.Hour)
	s.setClock(noon.Add(2 * time.Hour)) // noon it is elsewhere
	agent := s.agent(githubOnly)
	if err := agent.Once(t.Context()); err == nil {
		t.Error("no error")
	}
	if len(s.bindings()) != 0 || len(s.records()) != 0 {
		t.Errorf("bindings %v, records %v", s.bindings(), s.records())
	}
	s.setAhead(&s.apiAhead, 0)
	s.setAhead(&s.hubAhead, 0)
	s.setClock(noon.Add(time.Minute)) // it was set right
	s.once(githubOnly)
	s.granted(request)
}
