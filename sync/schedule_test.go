package sync

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

// scheduled merges an approved request of alice's that is to begin at a time, and has an agent see
// it.
func (s *stage) scheduled(slug string, start time.Time) (a *Agent, name, path string, number int) {
	s.Helper()
	name, path, content := s.requestFile(slug)
	number = s.pull(slug, true, map[string]string{
		path: content + "  notBefore: " + requests.At(start).String() + "\n"})
	a = s.agent(githubOnly)
	s.Must(a.Once(s.Context()))
	s.nothingYet("Scheduled")
	return a, name, path, number
}

// nothingYet is what must be true of a request that is allowed before its window opens: its record,
// and nothing in the namespace.
func (s *stage) nothingYet(phase string) {
	s.Helper()
	if b, j := s.Bindings(), s.Jobs(); len(b)+len(j) > 0 {
		s.Errorf("there are %d bindings and %d Jobs", len(b), len(j))
	}
	if r := s.Records(); len(r) != 1 || r[0].Data["phase"] != phase {
		s.Errorf("records: %+v", r)
	}
}

// TestScheduled is the whole way of a request that names a start: told when it is merged, nothing
// before it, granted at it, and ended by its own end.
func TestScheduled(t *testing.T) {
	s := newStage(t)
	start := noon.Add(3 * time.Hour)
	a, name, _, number := s.scheduled("later", start)
	said := s.said(number)
	for _, words := range []string{"### Approved, access begins at 2026&#45;11&#45;23 15&#58;00",
		"pullgrant drop " + name, "by dismissing their review"} {
		if !strings.Contains(plainText(said), plainText(words)) {
			t.Errorf("%q is not in\n%s", words, said)
		}
	}
	s.SetClock(start.Add(-26 * time.Second))
	tip := s.Branch("main")
	s.Must(a.Once(t.Context()))
	s.nothingYet("Scheduled")
	if s.said(number) != said || s.Branch("main") != tip {
		t.Error("a pass with nothing to do did something")
	}
	s.SetClock(start)
	s.once(options{github: true}) // another process, which knows only the record
	s.allowed(true)
	if b := s.Bindings(); len(b) != 1 ||
		b[0].Annotations["pullgrant.dev/granted-at"] != "2026-11-23T15:00:00Z" ||
		b[0].Annotations["pullgrant.dev/expires-at"] != "2026-11-23T16:00:00Z" {
		t.Fatalf("bindings: %+v", b)
	}
	if said := s.said(number); !strings.Contains(said, "### Access until") {
		t.Errorf("told\n%s", said)
	}
	s.SetClock(start.Add(time.Hour))
	s.once(options{github: true})
	status := s.over(name, requests.CauseExpired, "").Status
	if status.GrantedAt.String() != "2026-11-23T15:00:00Z" ||
		status.ExpiresAt.String() != "2026-11-23T16:00:00Z" {
		t.Errorf("the entry: %+v", status)
	}
}

// plainText is a comment without what GitHub hides.
func plainText(comment string) string {
	return strings.NewReplacer("&#45;", "-", "&#58;", ":", "<code>", "", "</code>", "").
		Replace(comment)
}

// TestScheduledGrantedLate: an agent that was down at the start grants when it is back, until the
// same end; and nothing once that is over.
func TestScheduledGrantedLate(t *testing.T) {
	s := newStage(t)
	start := noon.Add(time.Hour)
	s.scheduled("late", start)
	s.SetClock(start.Add(59 * time.Minute))
	s.once(githubOnly)
	if b := s.Bindings(); len(b) != 1 ||
		b[0].Annotations["pullgrant.dev/expires-at"] != "2026-11-23T14:00:00Z" {
		t.Errorf("bindings: %+v", b)
	}
	s = newStage(t)
	_, name, _, _ := s.scheduled("over", start)
	s.SetClock(start.Add(time.Hour))
	s.once(githubOnly)
	r := s.over(name, requests.CauseDenied, string(policies.ExpiredBeforeGrant))
	if r.Status.GrantedAt != nil {
		t.Errorf("the entry: %+v", r.Status)
	}
}

// TestScheduledIsProvedAgain: whoever takes something back before the start keeps access from
// beginning, and the ledger says that nobody ever had it.
func TestScheduledIsProvedAgain(t *testing.T) {
	for slug, test := range map[string]struct {
		do          func(s *stage, path string, number int)
		cause, code string
	}{
		"requester": {func(s *stage, path string, _ int) {
			s.open("alice", "drop", removed(path))
		}, requests.CauseRelinquished, ""},
		"approver": {func(s *stage, path string, _ int) {
			s.open("bob", "drop", removed(path))
		}, requests.CauseRevoked, ""},
		"removed": {func(s *stage, path string, _ int) {
			number := s.open("root", "drop", removed(path))
			_, err := s.Merge("root", number)
			s.Must(err)
		}, requests.CauseRevoked, ""},
		"dismissed": {func(s *stage, _ string, number int) {
			var reviews []struct{ ID int64 }
			at := fmt.Sprintf("/repos/acme/access/pulls/%d/reviews", number)
			s.Must(s.Do(s.Token("root"), http.MethodGet, at, nil, &reviews))
			s.Must(s.Do(s.Token("root"), http.MethodPut,
				fmt.Sprintf("%s/%d/dismissals", at, reviews[0].ID),
				map[string]string{"message": "no longer"}, nil))
		}, requests.CauseDenied, "InsufficientApprovals"},
		"reader": {func(s *stage, _ string, _ int) {
			s.SetPermission("bob", "read")
		}, requests.CauseDenied, "CodeownersInvalid"},
		"policy": {func(s *stage, _ string, _ int) {
			s.change("policy", "root", map[string]string{policyPath: strings.Replace(
				s.read(policyPath), "ClusterRole, name: payments-debug", "ClusterRole, name: view",
				1)})
		}, requests.CausePolicyChanged, ""},
	} {
		t.Run(slug, func(t *testing.T) {
			s := newStage(t)
			start := noon.Add(time.Hour)
			a, name, path, number := s.scheduled(slug, start)
			s.pause()
			test.do(s, path, number)
			_ = a.Once(t.Context()) // an error says what waits
			s.SetClock(start)
			_ = a.Once(t.Context())
			if r := s.over(name, test.cause, test.code); r.Status.GrantedAt != nil ||
				len(r.Status.GrantRefs) > 0 {
				t.Errorf("the entry: %+v", r.Status)
			}
		})
	}
}

// TestNothingBeginsWhileWithdrawalsAreUnknown: while GitHub does not tell what is open, nothing begins
// that an open withdrawal may keep from beginning; whoever waits is told, and once it tells, all is as
// if it always had.
func TestNothingBeginsWhileWithdrawalsAreUnknown(t *testing.T) {
	for slug, withdrawn := range map[string]bool{"withdrawn": true, "wanted": false} {
		t.Run(slug, func(t *testing.T) {
			s := newStage(t)
			start := noon.Add(3 * time.Hour)
			a, name, path, number := s.scheduled(slug, start)
			if withdrawn {
				s.open("bob", "withdraw", removed(path))
			}
			s.Fail(http.MethodGet, "/repos/acme/access/pulls", -1, http.StatusBadGateway, "{}")
			for _, after := range []time.Duration{-10 * time.Second, 0, time.Minute} {
				s.SetClock(start.Add(after))
				if err := a.Once(t.Context()); err == nil || !strings.Contains(err.Error(),
					path+" waits: whether access is withdrawn is not known") {
					t.Errorf("%s after the start, the pass: %v", after, err)
				}
				s.nothingYet("Scheduled")
				if strings.Contains(s.said(number), "not granted yet") != (after == time.Minute) {
					t.Errorf("%s after the start it says\n%s", after, s.said(number))
				}
			}
			s.says(number, "it waits ([EvaluationError](")
			s.Heal()
			s.Must(a.Once(t.Context()))
			if !withdrawn {
				s.granted(name)
				return
			}
			if r := s.over(name, requests.CauseRevoked, ""); r.Status.GrantedAt != nil {
				t.Errorf("the entry: %+v", r.Status)
			}
		})
	}
}

// ticking has all clocks go on from a time, as long as the test runs, or from another one on after
// a jump to it.
func (s *stage) ticking(from time.Time) (jump func(to time.Time)) {
	s.SetClock(from)
	done, jumps := make(chan struct{}), make(chan time.Time)
	go func() {
		defer close(done)
		for begin := time.Now(); s.Context().Err() == nil; {
			select {
			case from = <-jumps:
				begin = time.Now()
			case <-time.After(time.Millisecond):
			}
			s.SetClock(from.Add(time.Since(begin)))
		}
	}()
	s.Cleanup(func() { <-done })
	return func(to time.Time) { jumps <- to }
}

// TestScheduledOnTheSecond: with a poll that never comes, access begins by itself, and not a moment
// before its time. The Job stands before.
func TestScheduledOnTheSecond(t *testing.T) {
	s := newStage(t)
	_, path, content := s.requestFile("second")
	start := noon.Add(32 * time.Second)
	s.pull("second", true, map[string]string{
		path: content + "  notBefore: " + requests.At(start).String() + "\n"})
	s.ticking(noon.Add(2 * time.Second))
	s.running(s.agent(options{github: true, poll: time.Hour}))
	armed := false
	for deadline := time.Now().Add(time.Minute); ; {
		before := s.Clock()
		if len(s.Bindings()) > 0 {
			if after := s.Clock(); after.Before(start) {
				t.Errorf("there is a binding %s before the start", start.Sub(after))
			}
			t.Logf("there was a binding at most %s after the start", s.Clock().Sub(start))
			break
		}
		armed = armed || before.Before(start) && len(s.Jobs()) > 0
		if time.Now().After(deadline) {
			t.Fatal("it never began")
		}
		time.Sleep(5 * time.Millisecond)
	}
	s.allowed(true)
	if !armed {
		t.Error("no Job was seen before the start")
	}
}

// TestScheduledTakenBackInTheLastSeconds: while the agent waits for the start, with its Job made,
// the request goes off the branch: nothing is given.
func TestScheduledTakenBackInTheLastSeconds(t *testing.T) {
	s := newStage(t)
	start := noon.Add(time.Hour)
	a, name, path, _ := s.scheduled("last", start)
	s.SetClock(start.Add(-3 * time.Second))
	pass := make(chan error)
	go func() { pass <- a.Once(s.Context()) }()
	s.Until("the Job is made", func() bool { return len(s.Jobs()) == 1 })
	_, err := s.Push(forge.Change{User: "root", Message: "Take it back", Files: removed(path)})
	s.Must(err)
	if err := <-pass; err == nil || !strings.Contains(err.Error(), errMovedOn.Error()) {
		t.Errorf("the pass: %v", err)
	}
	if b := s.Bindings(); len(b) > 0 {
		t.Errorf("bindings: %+v", b)
	}
	s.SetClock(start)
	_ = a.Once(t.Context()) // who removed it is asked for until it is known
	s.outlast(a)
	_ = a.Once(t.Context())
	s.over(name, requests.CauseRevoked, "")
}

// TestScheduledKilledInTheLastSeconds: the next process goes on from the Job.
func TestScheduledKilledInTheLastSeconds(t *testing.T) {
	s := newStage(t)
	start := noon.Add(time.Hour)
	a, _, _, _ := s.scheduled("killed", start)
	s.SetClock(start.Add(-4 * time.Second))
	ctx, kill := context.WithCancel(s.Context())
	pass := make(chan error)
	go func() { pass <- a.Once(ctx) }()
	s.Until("the Job is made", func() bool { return len(s.Jobs()) == 1 })
	kill()
	if err := <-pass; err == nil || len(s.Bindings()) > 0 {
		t.Errorf("the pass: %v, %v", err, s.Bindings())
	}
	made := s.Jobs()[0].UID
	s.SetClock(start)
	s.once(githubOnly)
	s.allowed(true)
	if j := s.Jobs(); len(j) != 1 || j[0].UID != made {
		t.Errorf("Jobs: %+v", j)
	}
}
