package sync

import (
	"runtime/debug"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/gitserver"
)

// TestLargeLedger: a ledger of years stops nobody. An agent with little memory grants, records, and
// knows a name that was used in another cluster.
func TestLargeLedger(t *testing.T) {
	s := newStage(t)
	gitserver.Ledger(t, s.GitDir(), "prod-us", 1_000_000) // more than were listed once
	used, path, content := s.requestFile("used")
	s.pushFiles("root", "Record", map[string]string{requests.RevocationPath("prod-us",
		used): "{}\n"})
	root := s.git("rev-parse", "main")
	before := debug.SetMemoryLimit(64 << 20)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
	agent := s.agent(options{github: true, root: root})
	debug.SetMemoryLimit(before)

	s.pull("used", true, map[string]string{path: content})
	live := s.request("live")
	s.Must(agent.Once(t.Context()))
	s.granted(live)
	if left := s.git("ls-tree", "-r", "--name-only", "main", "requests/"); left !=
		requests.Path(s.Cluster, "payments-debug", live) {
		t.Errorf("on main: %s", left)
	}
	if name, _, _ := s.requestFile("used"); len(s.Names()) != 1 {
		t.Errorf("bindings %v: the name %s was used before", s.Names(), name)
	}
	s.SetClock(noon.Add(time.Hour))
	s.Must(agent.Once(t.Context()))
	if r := s.entry(live); r.Status.Cause != requests.CauseExpired {
		t.Errorf("%s ended by %s", live, r.Status.Cause)
	}
	if n := s.git("ls-tree", "--name-only", "main", "revocations/prod-us/"); len(n) < 1000*9 {
		t.Errorf("the ledger of the other cluster is not what it was: %d bytes of days", len(n))
	}
}
