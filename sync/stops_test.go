package sync

import (
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

// TestRulesetWeakened: while the rules on GitHub do not protect the branch nothing is granted or
// refused for good, and what is live ends; put right, it goes on.
func TestRulesetWeakened(t *testing.T) {
	for name, test := range map[string]struct {
		weaken func(*stage)
		words  string
	}{
		"off": {func(s *stage) { s.Protect(forge.Rules{Off: true}) },
			"changes need no pull request; turn on"},
		"no approvals": {func(s *stage) { r := s.protection(); r.Approvals = 0; s.Protect(r) },
			"set 'Required approvals' to 1 or more"},
		"any App": {func(s *stage) { r := s.protection(); r.CheckApp = ""; s.Protect(r) },
			"require it, with the App with number 7001 as its source"},
		"another App": {func(s *stage) { r := s.protection(); r.CheckApp = "agent"; s.Protect(r) },
			"require it, with the App with number 7001 as its source"},
		"unknown": {func(s *stage) {
			s.Fail("GET", ".*/rules/branches/main", -1, 403,
				`{"message": "Resource not accessible by integration"}`)
		}, "read the rules of the branch main"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			live := s.request("live")
			s.once(githubOnly)
			s.granted(live)
			test.weaken(s)
			good := s.request("good")
			bad, path, content := s.requestFile("bad")
			s.pull("bad", false, map[string]string{path: content})
			agent := s.agent(githubOnly)
			for range 2 {
				if err := agent.Once(t.Context()); err == nil || !strings.Contains(err.Error(),
					test.words) && !strings.Contains(err.Error(), "tried again at") {
					t.Errorf("error %v", err)
				}
				if names := s.Names(); len(names) != 1 || names[0] != requests.ObjectName(live,
					0) || len(s.Records()) != 1 {
					t.Errorf("bindings %v, records %v", names, s.Records())
				}
				s.pause()
			}
			if n := strings.Count(
				s.Log.String(), `"msg":"nothing is granted","event":"stop","cluster":"`+s.Cluster+
					`","code":"RulesetWeakened"`); n != 1 {
				t.Errorf("it is logged %d times", n)
			}
			s.SetClock(noon.Add(time.Hour))
			if err := agent.Once(t.Context()); err == nil {
				t.Error("no error")
			}
			if r := s.entry(live); r.Status.Cause != requests.CauseExpired {
				t.Errorf("it ended by %s", r.Status.Cause)
			}
			s.Heal()
			s.Protect(s.protection())
			s.SetClock(noon.Add(time.Hour + 30*time.Minute))
			last := s.request("last")
			s.Must(agent.Once(t.Context()))
			s.granted(last)
			s.toldBeforeIt()
			s.refused(bad, "InsufficientApprovals")
			s.refused(good, "ExpiredBeforeGrant")
		})
	}
}

// toldBeforeIt tests that the agent told that nothing keeps it from granting any more before it
// granted last.
func (s *stage) toldBeforeIt() {
	s.Helper()
	log := s.Log.String()
	if over := strings.Index(log, `"msg":"no longer a reason not to grant"`); over < 0 ||
		over > strings.LastIndex(log, `"msg":"created"`) {
		s.Error("it grants, and then tells that nothing keeps it from that any more")
	}
}

// TestRulesetIsReadEveryHour, and not at every pass.
func TestRulesetIsReadEveryHour(t *testing.T) {
	s := newStage(t)
	agent := s.agent(githubOnly)
	reads := func() (n int) {
		for _, r := range s.Requests() {
			if strings.HasSuffix(r.Path, "/rules/branches/main") {
				n++
			}
		}
		return n
	}
	per := 0
	for _, test := range []struct {
		at   time.Duration
		want int
	}{{0, 1}, {time.Minute, 1}, {59 * time.Minute, 1}, {time.Hour, 2}, {90 * time.Minute, 2},
		{2 * time.Hour, 3}, {-24 * time.Hour, 4}} {
		s.SetClock(noon.Add(test.at))
		s.Must(agent.Once(t.Context()))
		if per == 0 {
			per = reads() // pages
		}
		if got := reads(); per == 0 || got != test.want*per {
			t.Errorf("%s after noon: read %d times, want %d", test.at, got/max(per, 1), test.want)
		}
	}
	s.Protect(forge.Rules{Off: true})
	s.SetClock(noon.Add(-23 * time.Hour))
	s.Must(agent.Once(t.Context()))
	if stops := agent.gate.stops(); len(stops) != 1 || stops[0].Code != "RulesetWeakened" {
		t.Errorf("stops %v", stops)
	}
}

// TestGrantingIsNotResumedUnderWeakRules: what another process began waits until the rules are
// known.
func TestGrantingIsNotResumedUnderWeakRules(t *testing.T) {
	s := newStage(t)
	name := s.request("begun")
	killed := newCut(4, true, true) // the record is there, the binding is not
	if err := s.agent(options{github: true, wire: killed.wrap}).Once(t.Context()); err == nil ||
		len(s.Records()) != 1 || len(s.Bindings()) != 0 {
		t.Fatalf("error %v, records %v, bindings %v", err, s.Records(), s.Bindings())
	}
	s.Protect(forge.Rules{Off: true})
	agent := s.agent(githubOnly)
	if err := agent.Once(t.Context()); err == nil || !strings.Contains(err.Error(),
		"changes need no pull request") || len(s.Bindings()) != 0 {
		t.Errorf("error %v, bindings %v", err, s.Bindings())
	}
	s.Protect(s.protection())
	s.pause()
	s.Must(agent.Once(t.Context()))
	s.granted(name)
}
