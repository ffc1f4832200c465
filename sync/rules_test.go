package sync

import (
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

var freezePath = policies.RulePath("freeze")

// freeze is a rule as a change to push.
func freeze(deny, more string) map[string]string {
	return map[string]string{freezePath: "apiVersion: pullgrant.dev/v1alpha1\nkind: AccessRule\n" +
		"metadata: {name: freeze}\nspec:\n  deny: {" + deny + "}\n  reason: Nothing moves for now\n" + more}
}

// TestRuleRefuses: the agent gives nothing that a rule denies, by the branch or by GitHub (R70).
func TestRuleRefuses(t *testing.T) {
	for _, o := range []options{{}, githubOnly} {
		s := newStage(t)
		s.change("freeze", "root", freeze(`namespaces: [`+s.Namespace+`]`, ""))
		name := s.request("frozen")
		s.once(o)
		s.refused(name, "AccessDenied")
		s.allowed(false)
		if !strings.Contains(s.Log.String(), "Nothing moves for now") {
			t.Error("the log does not tell why")
		}
	}
}

// TestRuleTakenAway: what was merged while a rule stood that does not deny it is granted after that
// rule was taken away; what it denied then stays refused, and what comes after is granted.
func TestRuleTakenAway(t *testing.T) {
	s := newStage(t)
	s.change("freeze", "root", freeze(`clusters: [`+s.Cluster+`], subjects: [{kind: User, name: bob}]`, ""))
	agent := s.agent(githubOnly)
	s.Must(agent.Once(t.Context()))
	before := s.request("before")
	s.pause()
	s.change("thaw", "root", map[string]string{freezePath: forge.Removed})
	s.Must(agent.Once(t.Context()))
	s.granted(before)
	s.pause()
	s.change("again", "root", freeze(`roles: [payments-debug]`, ""))
	denied := s.request("denied")
	s.pause()
	s.change("over", "root", map[string]string{freezePath: forge.Removed})
	s.Must(agent.Once(t.Context()))
	s.refused(denied, "AccessDenied")
}

// TestRuleTakenAwayByPush: who can push can take a rule away, and has nothing granted by it; so has
// whoever narrows it.
func TestRuleTakenAwayByPush(t *testing.T) {
	for _, files := range []map[string]string{{freezePath: forge.Removed},
		freeze(`clusters: [elsewhere]`, "")} {
		s := newStage(t)
		s.change("freeze", "root", freeze(`roles: [payments-debug]`, ""))
		s.pushFiles("bob", "Thaw", files)
		s.pause()
		name := s.request("thawed")
		s.outlast(s.agent(githubOnly))
		s.once(githubOnly)
		s.refused(name, "PolicyUnproven")
	}
}

// TestRuleEndsLive: a rule is told of access that was given before, once, and ends it when it says
// so and its window has begun; the ledger names who added it.
func TestRuleEndsLive(t *testing.T) {
	s := newStage(t)
	name := s.request("live")
	agent := s.agent(githubOnly)
	s.Must(agent.Once(t.Context()))
	s.granted(name)
	begin := requests.At(s.Clock().Add(10 * time.Minute)).String()
	s.change("freeze", "root", freeze(`clusters: ["*"], from: `+begin, ""))
	const told = "live access is denied by a rule"
	for range 2 {
		s.Must(agent.Once(t.Context()))
	}
	s.granted(name)
	if n := strings.Count(s.Log.String(), told); n != 1 {
		t.Errorf("told %d times", n)
	}
	number := s.change("ends", "root", freeze(`clusters: ["*"], from: `+begin, "  endsLive: true\n"))
	s.Must(agent.Once(t.Context()))
	s.granted(name)
	s.SetClock(s.Clock().Add(10 * time.Minute))
	s.Must(agent.Once(t.Context()))
	s.endedBy(s.over(name, requests.CausePolicyChanged, ""), "alice", number)
	s.shows(agent, "bindings_ended_total", `cause="PolicyChanged"`, "1") // not once more when it is known by whom
}
