package sync

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/testdata/forge"
)

// TestWaitingIsTold: whoever merged a request that cannot be judged is told why after a minute,
// once, and what came of it in the same place.
func TestWaitingIsTold(t *testing.T) {
	s := newStage(t)
	name, path, content := s.requestFile("unjudged")
	number := s.pull("unjudged", true, map[string]string{path: content})
	s.Fail(http.MethodGet, fmt.Sprintf("/repos/acme/access/pulls/%d/reviews", number), -1,
		http.StatusInternalServerError, "{}")
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
