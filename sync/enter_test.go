package sync

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/forge"
	"github.com/pullgrant/pullgrant/testdata/scene"
)

// TestPushRefused: a push that a rule refuses is no lost race. It is tried once a pass, with
// growing pauses; nothing is granted that could not be recorded; and whoever looks is told what to
// do.
func TestPushRefused(t *testing.T) {
	for name, refuse := range map[string]func(*stage) (mend func()){
		"by a hook": func(s *stage) func() {
			hook := filepath.Join(s.GitDir(), "hooks", "pre-receive")
			s.Must(os.MkdirAll(filepath.Dir(hook), 0o755))
			s.Must(os.WriteFile(hook, []byte("#!/bin/sh\necho 'GH013: Repository rule "+
				"violations' >&2\nexit 1\n"), 0o755))
			return func() { s.Must(os.Remove(hook)) }
		},
		"by a permission": func(s *stage) func() {
			s.Fail("POST", "/acme/access.git/git-receive-pack", -1, 403,
				"GH013: Repository rule violations")
			return s.Heal
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			pushes := counted("/git-receive-pack")
			one, two := s.request("one"), s.request("two")
			agent := s.agent(options{github: true, wire: pushes.wrap})
			s.Must(agent.Once(t.Context()))
			s.granted(one)
			s.granted(two)
			pushes.count.Store(0)
			mend := refuse(s)
			begin := noon.Add(2 * time.Hour)
			s.SetClock(begin)
			next := s.request("next")
			if err := agent.Once(t.Context()); err == nil || !strings.Contains(err.Error(),
				"the push is refused") {
				t.Errorf("error %v", err)
			}
			for range 3 {
				if err := agent.Once(t.Context()); err == nil || !strings.Contains(err.Error(),
					"tried again at") {
					t.Errorf("error %v", err)
				}
			}
			if n := pushes.count.Load(); n != 1 {
				t.Errorf("%d pushes in four passes, want one", n)
			}
			s.shows(agent, "granting_stopped", `reason="PushRefused"`, "1")
			if log := s.Log.String(); !strings.Contains(log,
				"bypass actor of the branch's ruleset") {
				t.Errorf("the log does not say what to do:\n%s", log)
			}
			if names := s.Names(); len(names) != 0 {
				t.Errorf("bindings %v: what ended is there, or something was granted", names)
			}
			for s.Clock().Before(begin.Add(10 * time.Minute)) {
				s.SetClock(s.Clock().Add(10 * time.Second))
				_ = agent.Once(t.Context())
			}
			if n := pushes.count.Load(); n < 4 || n > 9 {
				t.Errorf("%d pushes in ten minutes", n)
			}
			mend()
			s.SetClock(s.Clock().Add(10 * time.Minute))
			s.Must(agent.Once(t.Context()))
			s.Must(agent.Once(t.Context()))
			for _, name := range []string{one, two} {
				if r := s.entry(name); r.Status.Cause != requests.CauseExpired {
					t.Errorf("%s ended by %s", name, r.Status.Cause)
				}
			}
			s.granted(next)
			s.shows(agent, "granting_stopped", `reason="PushRefused"`, "0")
		})
	}
}

// TestOneEntryFails: what stands where an entry of the ledger is to be, or one of its folders,
// holds up nothing but those entries, and they are entered once it is gone.
func TestOneEntryFails(t *testing.T) {
	for name, test := range map[string]struct {
		path string // below revocations/; %s: the entry's
		all  bool   // no entry of the day can be
	}{
		"the ledger":        {"", true},
		"its cluster":       {"/CLUSTER", true},
		"its day":           {"/CLUSTER/20261123", true},
		"a folder of files": {"/CLUSTER/20261123/NAME.yaml/x", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			pushes := counted("/git-receive-pack")
			names := []string{s.request("one"), s.request("two"), s.request("three")}
			agent := s.agent(options{github: true, wire: pushes.wrap})
			s.Must(agent.Once(t.Context()))
			path := requests.RevocationsFolder + strings.NewReplacer("CLUSTER", s.Cluster, "NAME",
				names[1]).Replace(test.path)
			s.pushFiles("root", "Stand in the way", map[string]string{path: "x"})
			s.SetClock(noon.Add(2 * time.Hour))
			next := s.request("next")
			err := agent.Once(t.Context())
			if err == nil || !strings.Contains(err.Error(), "the change cannot be made") {
				t.Errorf("error %v", err)
			}
			s.granted(next)
			for i, name := range names {
				entered := strings.Contains(s.git("ls-tree", "main",
					requests.RevocationPath(s.Cluster,
						name)), " blob ")
				if want := !test.all && i != 1; entered != want {
					t.Errorf("%s is in the ledger: %t, want %t", name, !want, want)
				}
			}
			for agent.tell.comments.write(t.Context()) {
			}
			s.says(2, "not recorded yet", "the change cannot be made")
			before := s.git("rev-parse", "main")
			if err := agent.Once(t.Context()); err == nil || !strings.Contains(err.Error(),
				"tried again at") {
				t.Errorf("error %v", err)
			}
			if after := s.git("rev-parse", "main"); after != before {
				t.Errorf("main moved")
			}
			s.shows(agent, "outbox_depth", "", map[bool]string{true: "3", false: "1"}[test.all])
			s.pushFiles("root", "Go away", map[string]string{path: forge.Removed})
			s.pause()
			s.Must(agent.Once(t.Context()))
			for i, name := range names {
				if i == 1 && !test.all { // whose path others wrote to as well
					continue
				}
				if r := s.entry(name); r.Status.Cause != requests.CauseExpired {
					t.Errorf("%s ended by %s", name, r.Status.Cause)
				}
			}
			for agent.tell.comments.write(t.Context()) {
			}
			s.says(2, "Access ended: Expired")
		})
	}
}

// TestEnteredByAnotherMeanwhile: of two that end together, one is entered by another process while this one
// pushes both. That commit is not the one that this process makes, of which it says so.
func TestEnteredByAnotherMeanwhile(t *testing.T) {
	s := newStage(t)
	_, path, content := s.requestFile("first")
	first := s.pull("first", true, map[string]string{path: content})
	another, otherPath, content := s.requestFile("second")
	second := s.pull("second", true, map[string]string{otherPath: content})
	pushes := 0
	agent := s.agent(options{github: true, wire: func(next http.RoundTripper) http.RoundTripper {
		return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/git-receive-pack") {
				if pushes++; pushes == 2 { // the first tells that they began
					s.pushFiles("root", "Enter it", map[string]string{otherPath: forge.Removed,
						requests.RevocationPath(s.Cluster, another): "{}"})
				}
			}
			return next.RoundTrip(r)
		})
	}})
	s.Must(agent.Once(t.Context()))
	s.says(first, "### Access until")
	s.SetClock(s.Clock().Add(time.Hour))
	s.Must(agent.Once(t.Context()))
	s.says(first, "### Access ended: Expired", ", commit "+s.Branch("main")+".")
	s.says(second, "### Access ended: Expired", "The ledger has it in")
	if said := s.said(second); strings.Contains(said, ", commit ") {
		t.Errorf("it says\n%s", said)
	}
}
