package sync

import (
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
	controlplane "github.com/pullgrant/pullgrant/testdata/kube"
)

// TestPause: what is asked for waits, what was given still ends on time and is recorded, and
// nothing is lost.
func TestPause(t *testing.T) {
	s := newStage(t)
	before := s.ask("before")
	s.once(options{})
	s.allowed(true)
	admin := controlplane.ForTest(t).Admin()
	s.Must(kube.Pause(t.Context(), admin, "INC-9: looking into it"))
	s.SetClock(noon.Add(30 * time.Minute))
	while := s.ask("while")
	agent := s.agent(options{})
	if err := agent.Once(t.Context()); err == nil || !strings.Contains(err.Error(),
		"waits: somebody paused the agent") {
		t.Errorf("error: %v", err)
	}
	if len(s.Bindings()) != 1 || len(agent.gate.stops()) != 1 ||
		agent.gate.stops()[0].Code != policies.Paused ||
		!strings.Contains(agent.gate.stops()[0].Message,
			`"INC-9: looking into it"; pullgrant resume`) {
		t.Errorf("bindings %v, stops %v", s.Bindings(), agent.gate.stops())
	}
	s.SetClock(noon.Add(time.Hour))
	_ = agent.Once(t.Context()) // what waits still does
	s.over(before, requests.CauseExpired, "")
	paused, reason, err := kube.Resume(t.Context(), admin)
	if err != nil || !paused || reason != "INC-9: looking into it" {
		t.Errorf("%q, %v", reason, err)
	}
	s.Must(agent.Once(t.Context()))
	if b := s.Bindings(); len(b) != 1 || b[0].Name != requests.ObjectName(while, 0) {
		t.Errorf("bindings: %v", b)
	}
	if paused, _, err := kube.Resume(t.Context(), admin); err != nil || paused {
		t.Errorf("a second time: %t, %v", paused, err)
	}
}
