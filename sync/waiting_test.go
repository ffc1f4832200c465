package sync

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/testdata/forge"
	"github.com/pullgrant/pullgrant/testdata/scene"
)

// unjudged has a request merged that cannot be judged, until the forge heals, and returns its name and
// the number of its pull request.
func (s *stage) unjudged() (name string, number int) {
	name, path, content := s.requestFile("unjudged")
	number = s.pull("unjudged", true, map[string]string{path: content})
	s.Fail(http.MethodGet, fmt.Sprintf("/repos/acme/access/pulls/%d/reviews", number), -1,
		http.StatusInternalServerError, "{}")
	return name, number
}

// TestWaitingIsTold: whoever merged a request that cannot be judged is told why after a minute,
// once, and what came of it in the same place.
func TestWaitingIsTold(t *testing.T) {
	s := newStage(t)
	name, number := s.unjudged()
	agent := s.agent(githubOnly)
	for range 2 {
		if agent.Once(t.Context()) == nil {
			t.Fatal("no error")
		}
	}
	if said := s.said(number); said != "" {
		t.Errorf("told at once: %s", said)
	}
	s.pause()
	if agent.Once(t.Context()) == nil {
		t.Fatal("no error")
	}
	s.says(number, "### Merged, not granted yet", "it waits ([EvaluationError](")
	s.Heal()
	s.SetClock(s.Clock().Add(longPause))
	s.Must(agent.Once(t.Context()))
	s.granted(name)
	s.says(number, "### Access until")
	if said := s.said(number); strings.Contains(said, "not granted yet") {
		t.Errorf("told in two places: %s", said)
	}
}

// TestAllowedIsTriedSoon: a request that could not be judged for long, and then could be, is tried again
// at once where one call of the grant is lost.
func TestAllowedIsTriedSoon(t *testing.T) {
	s := newStage(t)
	name, _ := s.unjudged()
	lost := false
	agent := s.agent(options{github: true, wire: func(next http.RoundTripper) http.RoundTripper {
		return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/jobs") && !lost &&
				r.URL.Query().Get("dryRun") == "" {
				lost = true
				return nil, errors.New("the connection broke")
			}
			return next.RoundTrip(r)
		})
	}})
	for range 4 {
		_ = agent.Once(t.Context())
		s.SetClock(s.Clock().Add(time.Minute))
	}
	s.Heal()
	s.SetClock(s.Clock().Add(longPause))
	if err := agent.Once(t.Context()); err == nil || !lost {
		t.Fatalf("%v; a call was lost: %t", err, lost)
	}
	s.SetClock(s.Clock().Add(2 * firstPause))
	s.Must(agent.Once(t.Context()))
	s.granted(name)
}

// TestStopIsTold: while nothing is granted, whoever merged a request is told at once.
func TestStopIsTold(t *testing.T) {
	s := newStage(t)
	s.Protect(forge.Rules{Off: true})
	name, path, content := s.requestFile("stopped")
	number := s.pull("stopped", true, map[string]string{path: content})
	agent := s.agent(githubOnly)
	if err := agent.Once(t.Context()); err == nil {
		t.Fatal("no error")
	}
	s.says(number, "### Merged, not granted yet", "it waits ([RulesetWeakened](")
	if s.entered(name) || len(s.Bindings()) != 0 {
		t.Error("granted or refused")
	}
}
