package sync

import (
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/internal/inquire"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	services "github.com/pullgrant/pullgrant/testdata/oncall"
)

// onCallHour is an agent under a policy that gives alice an hour while PagerDuty says that she is on
// call, with nobody's review.
func (s *stage) onCallHour() (*Agent, *services.Server) {
	s.Helper()
	s.edit(policies.IdentitiesPath, "kubernetes: {username: alice@example.com}",
		"kubernetes: {username: alice@example.com}, onCall: {pagerDuty: PALICE}")
	s.edit(policies.Path("payments-debug"), "challenges: [{kind: CodeOwnerReview, count: 1}]",
		"challenges: [{kind: OnCall, pagerDutySchedule: PI7DH85}]\n  allowWithoutReview: true")
	s.edit(policies.Path("payments-debug"), "maxDuration: 2h", "maxDuration: 1h")
	service := services.Start(s.T)
	answerer, err := service.Answerer(s.Clock)
	s.Must(err)
	return s.agent(options{github: true, root: s.git("rev-parse", "main"),
		answerers: inquire.Answerers{policies.OnCall: answerer}}), service
}

// TestOnCallHour: whoever is on call has the access for an hour with nobody's review; the agent asks,
// merges, grants and ends it.
func TestOnCallHour(t *testing.T) {
	s := newStage(t)
	agent, service := s.onCallHour()
	service.OnCall("PALICE")
	name := s.alone(agent, "night")
	s.allowed(true)
	service.OnCall() // her shift ends: the hour she was given stays
	s.SetClock(s.Clock().Add(50 * time.Minute))
	s.Must(agent.Once(t.Context()))
	s.granted(name)
	s.SetClock(s.Clock().Add(11 * time.Minute))
	s.Must(agent.Once(t.Context()))
	r := s.over(name, requests.CauseExpired, "")
	if hour := r.Status.ExpiresAt.Sub(r.Status.GrantedAt.Time); hour > time.Hour || len(r.Status.Approvers) > 0 {
		t.Errorf("it lasted %s, approved by %v", hour, r.Status.Approvers)
	}
	if len(service.Asked()) < 2 {
		t.Errorf("it was asked only %v: before the merge, and when it was granted", service.Asked())
	}
	if strings.Contains(s.Log.String(), services.Token) {
		t.Error("the token is in the log")
	}
}

// TestExtendedOnCall: what goes on from such an hour is decided while that lasts, so that there is no gap,
// though nobody is asked about the hour again.
func TestExtendedOnCall(t *testing.T) {
	s := newStage(t)
	agent, service := s.onCallHour()
	service.OnCall("PALICE")
	first := s.alone(agent, "night")
	s.allowed(true)
	end, err := time.Parse(time.RFC3339, s.Bindings()[0].Annotations["pullgrant.dev/expires-at"])
	s.Must(err)
	s.SetClock(s.Clock().Add(30 * time.Minute))
	second, _, _ := s.extended("more", first, "")
	s.Must(agent.Once(t.Context()))
	s.SetClock(end.Add(-time.Second))
	s.Must(agent.Once(t.Context()))
	if b := s.Bindings(); len(b) != 2 || b[0].Annotations["pullgrant.dev/granted-at"] != requests.At(end).String() {
		t.Errorf("bindings just before the first one ends: %+v", b)
	}
	s.SetClock(end.Add(time.Second))
	s.Must(agent.Once(t.Context()))
	if r := s.entry(first); r.Status.Cause != requests.CauseExpired {
		t.Errorf("the first ended as %s", r.Status.Cause)
	}
	s.granted(second)
}

// TestNotOnCall: the Action's green check is no evidence; what the agent is told itself decides,
// before it merges and, merged by somebody else, when it would grant.
func TestNotOnCall(t *testing.T) {
	faults := services.Faults()
	for name, try := range map[string]struct {
		answer func(*services.Server)
		logged string
		code   policies.Code // when it was merged all the same
	}{
		"somebody else is": {func(s *services.Server) { s.OnCall("PBOB") }, "NotOnCall", policies.NotOnCall},
		"down": {func(s *services.Server) {
			s.OnCall("PALICE")
			s.Fault(faults["500 Internal Server Error"])
		}, "answers 500", policies.EvaluationError},
		"redirects": {func(s *services.Server) {
			s.OnCall("PALICE")
			s.Fault(faults["it redirects"])
		}, "it redirects", policies.EvaluationError},
		"garbage": {func(s *services.Server) {
			s.OnCall("PALICE")
			s.Fault(faults["invalid character '<'"])
		}, "invalid character", policies.EvaluationError},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			s := newStage(t)
			agent, service := s.onCallHour()
			s.Must(agent.Once(t.Context()))
			request, number := s.green("alice", "night") // as if the Action had been told yes
			try.answer(service)
			_ = agent.Once(t.Context()) // no answer is told as an error
			if state := s.pullState(number); state != "open" || !strings.Contains(s.Log.String(), try.logged) {
				t.Fatalf("it is %s; want it open, with %q told:\n%s", state, try.logged, s.Log)
			}
			_, err := s.Merge("root", number)
			s.Must(err)
			_ = agent.Once(t.Context())
			if names := s.Names(); len(names) > 0 {
				t.Fatalf("bindings %v", names)
			}
			if try.code != policies.NotOnCall {
				if !strings.Contains(s.Log.String(), string(try.code)) {
					t.Errorf("nothing says %s:\n%s", try.code, s.Log)
				}
				return
			}
			if r := s.entry(request); r.Status.Code != string(try.code) {
				t.Errorf("the entry says %s", r.Status.Code)
			}
		})
	}
}
