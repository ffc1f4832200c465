package sync

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/internal/inquire"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/webhook"
)

// checked is an agent under a policy that asks a check alone, which decides as it is told to.
func (s *stage) checked(decide webhook.Decide) *Agent {
	s.Helper()
	handler, err := webhook.Handler(webhook.Secret, decide)
	s.Must(err)
	return s.asking(webhook.Ask(s.T, handler))
}

// asking is an agent under a policy that asks at the address alone. The check goes by the machine's clock, and the
// agent by the stage's.
func (s *stage) asking(url string, answerers inquire.Answerers) *Agent {
	s.Helper()
	s.edit(policies.Path("payments-debug"), "challenges: [{kind: CodeOwnerReview, count: 1}]",
		fmt.Sprintf("challenges: [{kind: Webhook, url: %q}]\n  allowWithoutReview: true", url+"/access"))
	return s.agent(options{github: true, root: s.git("rev-parse", "main"), answerers: answerers})
}

// TestWebhookAllows: what a check allows, the agent merges and grants, and the ledger has what the check
// said.
func TestWebhookAllows(t *testing.T) {
	s := newStage(t)
	var asked atomic.Int32
	agent := s.checked(func(q policies.WebhookRequest) (string, string) {
		asked.Add(1)
		if q.Requester.GitHub != "alice" || q.Repository != "acme/access" || q.Cluster != s.Cluster {
			return "denied", "not known here"
		}
		return "allowed", "she leads the incident"
	})
	name := s.alone(agent, "checked")
	if n := asked.Load(); n < 2 { // once to merge and once to grant
		t.Errorf("the check was asked %d times", n)
	}
	s.SetClock(s.Clock().Add(time.Hour + time.Minute))
	s.Must(agent.Once(t.Context()))
	told := s.entry(name).Status.Challenges
	if len(told) != 1 || !told[0].Met || len(told[0].Replies) != 1 || !strings.HasSuffix(told[0].Replies[0],
		"yes (she leads the incident)") {
		t.Errorf("the ledger has %+v", told)
	}
}

// TestWebhookContradictsItself: a check that says yes to the Action and no to the agent has access given
// to nobody, whoever merges.
func TestWebhookContradictsItself(t *testing.T) {
	s := newStage(t)
	decision := atomic.Pointer[string]{}
	set := func(word string) { decision.Store(&word) }
	agent := s.checked(func(policies.WebhookRequest) (string, string) { return *decision.Load(), "" })
	s.Must(agent.Once(t.Context()))
	set("allowed")
	name, number := s.green("alice", "checked")
	// as the Action judges
	facts, err := agent.prover.github.Facts(t.Context(), number, s.Clock())
	s.Must(err)
	agent.prover.answerers.Fill(t.Context(), &facts, s.Clock)
	if d := policies.Evaluate(facts.Base, facts, s.Clock()); d.Outcome != policies.Allowed {
		t.Fatalf("the Action was to allow it: %+v", d)
	}
	set("denied")
	s.Must(agent.Once(t.Context()))
	if state := s.pullState(number); state != "open" {
		t.Fatalf("it is %s", state)
	}
	if !strings.Contains(s.Log.String(), string(policies.WebhookDenied)) {
		t.Errorf("nothing says %s:\n%s", policies.WebhookDenied, s.Log)
	}
	_, err = s.Merge("root", number)
	s.Must(err)
	s.Must(agent.Once(t.Context()))
	s.over(name, requests.CauseDenied, string(policies.WebhookDenied))
	set("allowed") // which comes too late
	s.outlast(agent)
	s.Must(agent.Once(t.Context()))
	if names := s.Names(); len(names) > 0 {
		t.Errorf("bindings %v", names)
	}
}

// TestWebhookDown: while the check does not answer, nothing is granted and the agent says so; when it is
// back, access is given.
func TestWebhookDown(t *testing.T) {
	s := newStage(t)
	decide := func(policies.WebhookRequest) (string, string) { return "allowed", "" }
	handler, err := webhook.Handler(webhook.Secret, decide)
	s.Must(err)
	down := atomic.Bool{}
	down.Store(true)
	agent := s.asking(webhook.Ask(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			panic(http.ErrAbortHandler)
		}
		handler.ServeHTTP(w, r)
	})))
	s.Must(agent.Once(t.Context()))
	name, path, content := s.requestFile("checked")
	number := s.pull("checked", false, map[string]string{path: content})
	err = agent.Once(t.Context())
	if err == nil || !strings.Contains(err.Error(), "EOF") {
		t.Errorf("it says %v of #%d", err, number)
	}
	if names := s.Names(); len(names) > 0 {
		t.Fatalf("bindings %v", names)
	}
	down.Store(false)
	s.outlast(agent)
	s.Must(agent.Once(t.Context()))
	s.granted(name)
}
