package sync

import (
	"fmt"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

// TestTipIsTooLarge: on a server without filters, what is too large on the branch itself refuses
// that tip and not the agent: what is live ends, nothing is granted, and it is told; with the next
// tip what ended is recorded and what waited is granted.
func TestTipIsTooLarge(t *testing.T) {
	s := newStage(t)
	s.git("config", "uploadpack.allowFilter", "false")
	live := s.request("live")
	before := debug.SetMemoryLimit(64 << 20)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
	agent := s.agent(githubOnly)
	debug.SetMemoryLimit(before)
	s.Must(agent.Once(t.Context()))
	s.granted(live)
	if log := s.Log.String(); !strings.Contains(log, "the git server offers no filters") {
		t.Errorf("that there are no filters is not logged:\n%s", log)
	}

	junk, gone := map[string]string{}, map[string]string{}
	for i := range 40 {
		path := fmt.Sprint("junk/", i)
		junk[path], gone[path] = strings.Repeat(fmt.Sprintf("%09d\n", i), 50_000), forge.Removed
	}
	s.pushFiles("root", "Too much", junk)
	s.SetClock(noon.Add(30 * time.Minute))
	next := s.request("next")
	for range 2 {
		err := agent.Once(t.Context())
		if err == nil || !strings.Contains(err.Error(), "nothing is granted") ||
			!strings.Contains(err.Error(), "annotate --overwrite lease") {
			t.Errorf("error %v", err)
		}
	}
	s.granted(live)
	s.SetClock(noon.Add(time.Hour))
	if err := agent.Once(t.Context()); err == nil {
		t.Error("no error")
	}
	if names := s.Names(); len(names) != 0 {
		t.Errorf("bindings %v: what was live is there, or something was granted", names)
	}
	if r := s.Records(); len(r) != 1 {
		t.Errorf("records %v, want that of what ended", r)
	}

	s.pushFiles("root", "Less", gone)
	s.Must(agent.Once(t.Context()))
	if r := s.entry(live); r.Status.Cause != requests.CauseExpired {
		t.Errorf("%s ended by %s", live, r.Status.Cause)
	}
	s.granted(next)
}
