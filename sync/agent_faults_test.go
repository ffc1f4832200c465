package sync

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/testdata/scene"
)

// TestKilledAnywhere ends the agent before every single call that changes something, while it
// grants and while it expires, and wants the same end from the agents that come after.
func TestKilledAnywhere(t *testing.T) {
	s := newStage(t)
	for call := int32(1); ; call++ {
		begin := s.Clock()
		name := s.ask(fmt.Sprintf("kill-%d", call))
		granting, expiring := newCut(call, true, true), newCut(call, true, true)
		for _, f := range []*cut{granting, expiring} {
			err := s.agent(options{wire: f.wrap}).Once(t.Context())
			if f.struck() != (err != nil) {
				t.Fatalf("call %d: error %v", call, err)
			}
			s.once(options{})
			if f == granting {
				if b := s.Bindings(); len(b) != 1 || b[0].Name != requests.ObjectName(name, 0) {
					t.Fatalf("call %d: bindings %v", call, b)
				}
				s.SetClock(begin.Add(time.Hour))
			}
		}
		s.sameEnd(name, begin)
		if !granting.struck() && !expiring.struck() {
			if call < 5 {
				t.Errorf("a pass made only %d calls", call-1)
			}
			break
		}
	}
}

// TestKilledWhileItEnds ends the agent before every single call with which it ends a grant, and
// wants the cause it had from the agent that comes after.
func TestKilledWhileItEnds(t *testing.T) {
	s := newStage(t)
	for call := int32(1); ; call++ {
		name := s.ask(fmt.Sprintf("kill-%d", call))
		s.once(options{})
		b := s.Bindings()[0]
		b.Subjects[0].Name = "mallory@example.com"
		_, err := s.Admin.RbacV1().RoleBindings(s.Namespace).Update(t.Context(), &b,
			metav1.UpdateOptions{})
		s.Must(err)
		f := newCut(call, true, true)
		_ = s.agent(options{wire: f.wrap}).Once(t.Context())
		s.once(options{})
		s.over(name, requests.CauseRevoked, "") // BindingDeleted, when somebody else had taken it away
		if !f.struck() {
			break
		}
	}
}

// TestEveryCallFailsOnce has the same agent go on after every single call failed once, of those
// that read as well: what cannot be read is never taken for absent.
func TestEveryCallFailsOnce(t *testing.T) {
	s := newStage(t)
	for call := int32(1); ; call++ {
		begin := s.Clock()
		name := s.ask(fmt.Sprintf("fail-%d", call))
		granting, expiring := newCut(call, false, false), newCut(call, false, false)
		agent := s.agent(options{wire: granting.wrap})
		told := s.complains(agent) // some calls are tried again at once
		struck := granting.spare()
		if struck && len(s.Bindings()) == 0 && !strings.Contains(told, errCut.Error()) {
			t.Errorf("call %d failed, nothing is granted, and nobody is told", call)
		}
		s.SetClock(begin.Add(time.Minute))
		s.Must(agent.Once(t.Context()))
		if b := s.Bindings(); len(b) != 1 || b[0].Name != requests.ObjectName(name, 0) {
			t.Fatalf("call %d: bindings %v", call, b)
		}
		s.SetClock(begin.Add(time.Hour))
		agent = s.agent(options{wire: expiring.wrap})
		told = s.complains(agent)
		if expiring.spare() {
			struck = true
			if len(s.Records()) > 0 && !strings.Contains(told, errCut.Error()) {
				t.Errorf("call %d of the end failed, it is not recorded, and nobody is told", call)
			}
		}
		s.Must(agent.Once(t.Context()))
		s.sameEnd(name, begin)
		if !struck {
			if call < 15 {
				t.Errorf("a pass made only %d calls", call-1)
			}
			break
		}
	}
}

// complains is what a pass says of what did not work, as an error or in its log.
func (s *stage) complains(a *Agent) string {
	s.Helper()
	before := len(s.Log.String())
	err := a.Once(s.Context())
	return fmt.Sprint(err) + s.Log.String()[before:]
}

func (s *stage) sameEnd(name string, begin time.Time) {
	s.Helper()
	r := s.over(name, requests.CauseExpired, "")
	if r.Status.RevokedAt.Time != begin.Add(time.Hour) ||
		len(r.Status.GrantRefs) != 2 || s.Failed() {
		s.Fatalf("%s: %+v", name, r.Status)
	}
}

// TestDownAtExpiry: the first thing a new agent does is to take back what is due, git or no git.
func TestDownAtExpiry(t *testing.T) {
	s := newStage(t)
	name := s.ask("down")
	s.once(options{})
	s.allowed(true)
	s.SetClock(noon.Add(3 * time.Hour))
	gitDown := func(next http.RoundTripper) http.RoundTripper {
		return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
			if strings.HasPrefix(r.URL.String(), s.URL) {
				return nil, errors.New("git is down")
			}
			return next.RoundTrip(r)
		})
	}
	err := s.agent(options{wire: gitDown}).Once(t.Context())
	if err == nil || !strings.Contains(err.Error(),
		"nothing is granted or recorded, expiry goes on") {
		t.Errorf("error: %v", err)
	}
	s.allowed(false)
	s.SetClock(noon.Add(4 * time.Hour))
	s.once(options{})
	if r := s.over(name, requests.CauseExpired,
		""); r.Status.RevokedAt.String() != "2026-11-23T15:00:00Z" {
		t.Errorf("revoked at %s", r.Status.RevokedAt)
	}
}

// TestPushRace: somebody pushes between the agent's fetch and its push. Access is gone already, the
// other commit survives, and the entry lands on top of it.
func TestPushRace(t *testing.T) {
	s := newStage(t)
	name := s.ask("race")
	s.once(options{})
	s.SetClock(noon.Add(time.Hour))
	var other string
	s.BeforeReceive(func() {
		if b := s.Bindings(); len(b) != 0 {
			t.Errorf("recorded before it was deleted: %v", b)
		}
		other = s.pushFiles("root", "Meanwhile", map[string]string{"README.md": "hello\n"})
	})
	s.once(options{})
	s.over(name, requests.CauseExpired, "")
	if parent := s.git("rev-parse", "main^"); other == "" || parent != other {
		t.Errorf("the entry stands on %s, want %s", parent, other)
	}
}

// TestTwoAgentsOneLedger: two agents of the same cluster end up with one entry.
func TestTwoAgentsOneLedger(t *testing.T) {
	s := newStage(t)
	name := s.ask("two")
	s.once(options{})
	s.SetClock(noon.Add(time.Hour))
	done := make(chan error, 2)
	for range 2 {
		agent := s.agent(options{})
		go func() { done <- agent.Once(t.Context()) }()
	}
	first, second := <-done, <-done
	if first != nil && second != nil {
		t.Errorf("both say so: %v; %v", first, second)
	}
	s.once(options{})
	s.over(name, requests.CauseExpired, "")
}

// TestBatch: what ended together is entered together, and git reads the trailers of all.
func TestBatch(t *testing.T) {
	s := newStage(t)
	names := []string{s.ask("one"), s.ask("two"), s.ask("three")}
	s.once(options{})
	if b := s.Bindings(); len(b) != 3 {
		t.Fatalf("bindings: %v", b)
	}
	before := s.Branch("main")
	s.SetClock(noon.Add(time.Hour))
	s.once(options{})
	for _, name := range names {
		s.over(name, requests.CauseExpired, "")
	}
	if n := s.git("rev-list", "--count", before+"..main"); n != "1" {
		t.Errorf("%s commits", n)
	}
	if read := strings.Count(
		s.git("log", "-1", "--format=%(trailers:only)", "main"),
		"Pullgrant-Event: revoked"); read != 3 {
		t.Errorf("git reads %d events", read)
	}
}

// TestRun is the whole agent with its loops: grant, expiry by the timer while git is down, and the
// record once it is back.
func TestRun(t *testing.T) {
	s := newStage(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	agent := s.agent(options{})
	go func() { ended <- agent.Run(ctx) }()
	defer func() {
		cancel()
		s.Must(<-ended)
	}()
	name := s.ask("run")
	s.allowed(true)
	s.Fail("POST", "/acme/access.git/git-upload-pack", -1, 500, "down")
	s.SetClock(noon.Add(time.Hour))
	s.allowed(false)
	s.Until("the agent says so", func() bool {
		return strings.Contains(s.Log.String(), `"msg":"ended"`)
	})
	s.SetClock(noon.Add(time.Hour + time.Minute))
	s.Heal()
	s.Until("the entry is on main", func() bool {
		return strings.Contains(s.git("ls-tree", "-r", "--name-only", "main"),
			requests.RevocationPath(s.Cluster, name))
	})
	s.Until("the record is gone", func() bool { return len(s.Records()) == 0 })
	if r := s.over(name, requests.CauseExpired,
		""); r.Status.RevokedAt.String() != "2026-11-23T13:00:00Z" {
		t.Errorf("revoked at %s", r.Status.RevokedAt)
	}
}

// TestRunRecordsAtOnce: what disappears is recorded without waiting for the next poll, with the
// time it was seen to go.
func TestRunRecordsAtOnce(t *testing.T) {
	s := newStage(t)
	name := s.ask("nudge")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.agent(options{poll: time.Hour}).Run(ctx) }()
	defer func() {
		cancel()
		s.Must(<-ended)
	}()
	s.Until("the binding is there", func() bool { return len(s.Bindings()) == 1 })
	s.SetClock(noon.Add(time.Hour))
	s.Until("the entry is on main", func() bool {
		return strings.Contains(s.git("ls-tree", "-r", "--name-only", "main"),
			requests.RevocationPath(s.Cluster, name))
	})
	s.Until("the record is gone", func() bool { return len(s.Records()) == 0 })
	s.over(name, requests.CauseExpired, "")
}

// TestNotARequest: files that stand where requests stand and are none are left alone, and hold
// nothing up.
func TestNotARequest(t *testing.T) {
	s := newStage(t)
	s.pushFiles("alice", "Odd files", map[string]string{
		"requests/" + s.Cluster + "/README.md":                   "hello\n",
		"requests/" + s.Cluster + "/payments-debug/Alice.yaml":   "kind: AccessRequest\n",
		"requests/" + s.Cluster + "/payments-debug/a/b/c/d.yaml": "kind: AccessRequest\n",
	})
	s.ask("good")
	tip := s.Branch("main")
	s.once(options{})
	if changed := s.git("diff", "--name-only", tip, "main"); len(s.Bindings()) != 1 || changed != "" {
		t.Errorf("bindings %v, changed %s", s.Bindings(), changed)
	}
	if n := strings.Count(s.Log.String(), "left alone, and grants nothing"); n != 3 {
		t.Errorf("%d files reported:\n%s", n, s.Log.String())
	}
}

// TestNamespaceMissing: what cannot be granted is tried again, ever more seldom, and refused when
// its window is over.
func TestNamespaceMissing(t *testing.T) {
	s := newStage(t)
	s.Must(s.Admin.CoreV1().Namespaces().Delete(t.Context(), s.Namespace, metav1.DeleteOptions{}))
	s.Until("the namespace is gone", func() bool {
		_, err := s.Admin.CoreV1().Namespaces().Get(t.Context(), s.Namespace, metav1.GetOptions{})
		return err != nil
	})
	name := s.ask("nowhere")
	agent := s.agent(options{})
	if err := agent.Once(t.Context()); err == nil || !strings.Contains(err.Error(), `namespaces "`+
		s.Namespace+`" not found`) {
		t.Errorf("error: %v", err)
	}
	if err := agent.Once(t.Context()); err == nil || !strings.Contains(err.Error(),
		"it is tried again at 2026-11-23T12:00:05Z") {
		t.Errorf("error: %v", err)
	}
	s.SetClock(noon.Add(time.Hour))
	s.Must(agent.Once(t.Context()))
	s.over(name, requests.CauseDenied, "ExpiredBeforeGrant")
}

// TestUnreadableRecord: state that somebody broke takes its bindings with it and grants nothing.
func TestUnreadableRecord(t *testing.T) {
	s := newStage(t)
	s.ask("broken")
	s.once(options{})
	record := s.Records()[0]
	record.Data["grant"] = `{"name":"other"}`
	_, err := s.Admin.CoreV1().ConfigMaps(kube.Namespace).Update(t.Context(), &record,
		metav1.UpdateOptions{})
	s.Must(err)
	if err := s.agent(options{}).Once(t.Context()); err == nil {
		t.Error("no error")
	}
	s.allowed(false)
	if len(s.Bindings()) != 0 || !strings.Contains(s.Log.String(), "the grant is another one's") {
		t.Errorf("bindings %v\n%s", s.Bindings(), s.Log.String())
	}
}

// TestSignedLedger: the agent's key signs, and a reader can tell.
func TestSignedLedger(t *testing.T) {
	s := newStage(t)
	name := s.ask("signed")
	signer := newSigner(t)
	s.once(options{signer: signer})
	s.SetClock(noon.Add(time.Hour))
	s.once(options{signer: signer})
	s.over(name, requests.CauseExpired, "")
	raw := s.git("cat-file", "commit", "main") + "\n"
	s.Must(git.VerifyCommit([]byte(raw), signersOf(t, signer.AllowedSigner(s.Cluster)), s.Cluster))
}
