package faults

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// TestKilledAtEveryWrite kills the agent at each call that changes something, from the first to the
// last of a grant's life: one process before its nth is sent, the next one after its nth was done
// and before it learned of it. The third finds the same end.
func TestKilledAtEveryWrite(t *testing.T) {
	t.Parallel()
	s := newStage(t, "branch", nil)
	r := s.newReplica()
	var all []asked
	struck, granted := map[string]int{}, 0
	life := 5 * time.Second
	for n := int32(1); ; n++ {
		a := s.ask(fmt.Sprintf("kill-%d", n), life)
		all = append(all, a)
		hits := 0
		for _, after := range []bool{false, true} {
			if call := s.killedAt(r, n, after, a); call != "" {
				struck[call]++
				hits++
			}
		}
		r.heal()
		r.start()
		s.until("all of "+a.name+" is over", func() bool { return s.entered(a) && s.left() == "" })
		s.restart(r)
		came := len(s.bindings.of(a.name))
		granted += came
		if came == 0 { // on a slow machine three processes need longer to start
			life = min(life+5*time.Second, time.Minute)
		}
		if hits == 0 {
			break
		}
	}
	if granted == 0 {
		t.Error("nothing was ever granted: the machine is too slow for what is to be tested")
	}
	r.start()
	s.finish(r, byAgent, all...)
	kills := 0
	for call, n := range struck {
		kills += n
		t.Logf("%d kills at %s", n, call)
	}
	s.row("Agent killed at a step boundary", "SIGKILL before, and after, each call that writes "+
		"to the API server or git, "+
		fmt.Sprintf("%d times", kills), fmt.Sprintf("%d grants, each with one entry; access "+
		"went at most %s late", len(all), s.latest(all)))
}

// killedAt runs the replica until it is killed at its nth call that writes, and says which that
// was; "" when the request was over before.
func (s *stage) killedAt(r *replica, n int32, after bool, a asked) (call string) {
	s.Helper()
	struck := r.killAt(n, after, writes)
	r.start()
	s.until(fmt.Sprintf("it is killed at write %d, or %s is over", n, a.name), func() bool {
		select {
		case call = <-struck:
			return true
		default:
			return s.entered(a) && s.left() == ""
		}
	})
	s.restart(r)
	return shape(call)
}

// restart kills the replica, if it runs, and frees its Lease.
func (s *stage) restart(r *replica) {
	s.Helper()
	r.kill()
	s.freeLease()
}

// shape is a call without the names in it.
func shape(call string) string {
	if at := strings.Index(call, "/pullgrant-20"); at >= 0 {
		return call[:at] + "/…"
	}
	return call
}

// TestAgentDead: nothing but the control plane is left to end access.
func TestAgentDead(t *testing.T) {
	t.Parallel()
	s := newStage(t, "branch", nil)
	r := s.startReplica()
	a := s.live("dead", 8*time.Second)
	r.kill()
	s.gone(a)
	s.until("alice has no access", func() bool { return !s.may() })
	s.freeLease()
	r.start()
	s.finish(r, byBackstop, a)
	s.caused(a, requests.CauseExpired)
	s.row("Agent dead", "SIGKILL while a grant is live, not started again",
		fmt.Sprintf("the backstop ended it %s after its end; the next agent recorded it",
			s.late(a)))
}

// TestAgentSuspended stops the only agent across the end of a grant, as a hypervisor would.
func TestAgentSuspended(t *testing.T) {
	t.Parallel()
	s := newStage(t, "branch", nil)
	r := s.startReplica()
	a := s.live("live", 8*time.Second)
	r.signal(syscall.SIGSTOP)
	missed := s.ask("missed", 6*time.Second)
	waits := s.ask("waits", window)
	s.gone(a)
	r.signal(syscall.SIGCONT)
	s.granted(waits)
	s.withdraw(waits)
	s.finish(r, byBackstop, a, missed, waits)
	s.ungranted(missed)
	s.row("Agent suspended", "SIGSTOP across the end of a grant, then SIGCONT",
		fmt.Sprintf("the backstop ended it %s after its end; a window that passed meanwhile was "+
			"never granted, an open one was", s.late(a)))
}

// TestLeaderSuspended: the other replica ends access on time and takes over; the one that comes
// back does nothing twice.
func TestLeaderSuspended(t *testing.T) {
	t.Parallel()
	s := newStage(t, "branch", nil)
	leader := s.startReplica()
	s.until("it leads", leader.leads)
	other := s.startReplica()
	a := s.live("live", 8*time.Second)
	leader.signal(syscall.SIGSTOP)
	waits := s.ask("waits", window)
	s.gone(a)
	s.until("the other one leads", other.leads)
	s.granted(waits)
	leader.signal(syscall.SIGCONT)
	s.withdraw(waits)
	s.finish(other, byAgent, a, waits)
	s.row("Leader suspended", "SIGSTOP to the replica that leads across the end of a grant, "+
		"then SIGCONT",
		fmt.Sprintf("the other replica ended it %s after its end, took over and granted what waited",
			s.late(a)))
}

// TestCreateHeldUp keeps the call that gives access on its way until a second after its window: by
// a network that notices that the agent gave it up at the end, and by one that delivers it all the
// same.
func TestCreateHeldUp(t *testing.T) {
	t.Parallel()
	s := newStage(t, "branch", nil)
	r := s.newReplica()
	hold := func(a asked, delivered bool) {
		r.api.harm(func(w http.ResponseWriter, call *http.Request, next http.Handler) {
			if call.Method == http.MethodPost && strings.HasSuffix(call.URL.Path, "/rolebindings") {
				body, err := io.ReadAll(call.Body)
				if err != nil {
					panic(http.ErrAbortHandler)
				}
				s.wait(time.Until(a.end.Add(time.Second)))
				if delivered {
					call = call.WithContext(s.Context())
				}
				call.Body = io.NopCloser(bytes.NewReader(body))
			}
			next.ServeHTTP(w, call)
		})
	}
	given := s.ask("given-up", 6*time.Second)
	hold(given, false)
	r.start()
	s.until("it is in the ledger", func() bool {
		return s.entered(given) &&
			time.Now().After(given.end.Add(2*time.Second))
	})
	delivered := s.ask("delivered", 15*time.Second)
	hold(delivered, true)
	s.gone(delivered)
	r.heal()
	s.finish(r, byAgent, given)
	s.ungranted(given)
	b := s.bindings.of(delivered.name)[0]
	s.row("Create held up", "the call that makes the binding is on its way until 1 s after its window",
		fmt.Sprintf("the agent gives it up at the end, and nothing is granted; where the "+
			"network delivers it all the same, the binding lives %s",
			b.went.Sub(b.came).Round(time.Millisecond)))
}

// TestDiskFull: a process that can write to no file works whole.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	s := newStage(t, "branch", nil)
	r := s.newReplica()
	r.shell = "ulimit -f 0"
	r.start()
	a := s.live("diskless", 8*time.Second)
	s.finish(r, byAgent, a)
	s.caused(a, requests.CauseExpired)
	s.row("Disk full", "every write to a file fails (`ulimit -f 0`)",
		fmt.Sprintf("granted, ended %s after its end and recorded", s.late(a)))
}
