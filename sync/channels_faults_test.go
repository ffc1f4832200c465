package sync

import (
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/internal/notify"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/testdata/scene"
)

// TestKilledWhileItTells ends the agent before every single call that changes something, and wants
// whoever comes after to tell what is left: nothing is lost, and what comes a second time says so.
func TestKilledWhileItTells(t *testing.T) {
	s, l, o := newListening(t)
	o.github = false
	s.once(o)
	for call := int32(1); ; call++ {
		begin, tells := s.Clock(), "Approved Granted"
		name := s.ask("kill")
		if call > 1 {
			name = s.ask("kill-" + strings.Repeat("x", int(call)))
		}
		struck := false
		for _, after := range []time.Duration{0, time.Hour} {
			s.SetClock(begin.Add(after))
			f := newCut(call, true, true)
			dies := o
			dies.wire = f.wrap
			_ = s.agent(dies).Once(t.Context())
			struck = struck || f.struck()
			s.once(o)
			if after > 0 {
				tells += " Ended"
				l.onceEach("sre", name, "Ended")
			}
			l.onceEach("ops", name, tells)
		}
		if t.Failed() {
			t.Fatalf("call %d", call)
		}
		if !struck {
			if call < 10 {
				t.Errorf("only %d calls", call-1)
			}
			break
		}
	}
}

// onceEach wants a channel to have heard each event, and again only as what may be a repeat.
func (l *listeners) onceEach(channel, request, events string) {
	l.Helper()
	got := strings.Fields(l.events(channel, request))
	for event := range strings.FieldsSeq(events) {
		plain, again := 0, 0
		for _, g := range got {
			if g == event {
				plain++
			}
			if g == event+"?" {
				again++
			}
		}
		if plain > 1 || plain+again < 1 || again > 1 {
			l.Errorf("%s heard %v of %s, want each once: %s", channel, got, request, events)
		}
	}
}

// TestChannelFails: what a channel refuses is tried again by whoever comes, for an hour, and is told;
// another channel has it at once.
func TestChannelFails(t *testing.T) {
	s, l, o := newListening(t)
	o.github = false
	s.once(o)
	name := s.ask("fails")
	s.once(o)
	l.answers("ops", http.StatusInternalServerError)
	s.SetClock(noon.Add(time.Hour))
	agent := s.agent(o)
	s.Must(agent.Once(t.Context()))
	s.over(name, requests.CauseExpired, "")
	l.heard("sre", name, "Ended")
	l.heard("ops", name, "Approved Granted")
	s.shows(agent, "messages_total", `result="failed"`, "1")
	s.shows(agent, "messages_waiting", "", "1")
	if text := s.Log.String(); !strings.Contains(text, "it could not be told; trying again for an hour") ||
		!strings.Contains(text, "answered 500") {
		t.Error("the log does not say what the channel answered")
	}
	s.SetClock(s.Clock().Add(59 * time.Minute))
	l.answers("ops", 0)
	s.once(o)
	l.heard("ops", name, "Approved Granted Ended?") // what failed may have arrived
	two := s.ask("lost")
	l.answers("ops", http.StatusForbidden)
	s.once(o)
	s.SetClock(s.Clock().Add(time.Hour - time.Second))
	s.once(o)
	if before := l.tried("ops"); before < 5 {
		t.Errorf("%d tries", before)
	}
	s.SetClock(s.Clock().Add(time.Second))
	agent = s.agent(o)
	s.Must(agent.Once(t.Context()))
	s.shows(agent, "messages_total", `result="lost"`, "2")
	l.answers("ops", 0)
	s.pause()
	s.once(o)
	l.heard("ops", two, "Ended?")
	l.heard("sre", two, "Ended")
	s.quiet()
}

// TestChannelUnknown: a channel without an address is told in the log, and no other one waits for it.
func TestChannelUnknown(t *testing.T) {
	s := newStage(t)
	s.notifications()
	s.edit(policies.Path("payments-debug"), "channel: sre", "channel: nowhere")
	l := s.listen()
	o := s.telling(l)
	o.github = false
	s.once(o)
	name := s.ask("nowhere")
	s.once(o)
	s.SetClock(noon.Add(time.Hour))
	agent := s.agent(o)
	s.Must(agent.Once(t.Context()))
	s.over(name, requests.CauseExpired, "")
	l.heard("ops", name, "Approved Granted Ended")
	s.shows(agent, "messages_total", `result="failed"`, "1")
	if !strings.Contains(s.Log.String(), "tell the channel") ||
		!strings.Contains(s.Log.String(), notify.ErrUnknown.Error()) {
		t.Error("the log does not tell which channel has no address")
	}
}

// TestChannelHangs: one channel that falls silent holds up nothing, not even another one; whoever
// leads next tells it, and that it may have heard it.
func TestChannelHangs(t *testing.T) {
	s, l, o := newListening(t)
	o.github = false
	stop := s.run(o)
	s.Until("the state is noted", func() bool { return s.messages() })
	l.hold("sre")
	one := s.ask("one")
	s.allowed(true)
	s.Until("it is told", func() bool { return l.events("ops", one) == "Approved Granted" })
	s.SetClock(noon.Add(time.Hour))
	s.allowed(false)
	s.Until("it is in the ledger", func() bool { return s.entered(one) && len(s.Records()) == 0 })
	if r := s.entry(one); !r.Status.RevokedAt.Equal(noon.Add(time.Hour)) {
		t.Errorf("it ended at %s", r.Status.RevokedAt)
	}
	s.Until("the silent channel is asked", func() bool { return l.tried("sre") == 1 })
	two := s.ask("two") // while it is
	s.allowed(true)
	if strings.Contains(s.Log.String(), "it could not be told") {
		t.Error("the grant came only once the silent channel was given up")
	}
	s.Until("the other channel hears of both", func() bool {
		return l.events("ops", one) == "Approved Granted Ended" &&
			l.events("ops", two) == "Approved Granted"
	})
	if n := l.tried("sre"); n != 1 {
		t.Errorf("%d at once", n)
	}
	began := time.Now()
	stop()
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("it took %s to stop", took)
	}
	l.free()
	s.run(o)
	s.Until("it is told again", func() bool { return strings.Contains(l.events("sre", one), "Ended?") })
	l.onceEach("sre", one, "Ended")
	l.heard("ops", one, "Approved Granted Ended")
	l.heard("ops", two, "Approved Granted")
}

// messages tells whether what was told is noted in the cluster.
func (s *stage) messages() bool {
	_, err := s.Admin.CoreV1().ConfigMaps(kube.Namespace).Get(s.Context(), kube.MessagesName,
		metav1.GetOptions{})
	return err == nil
}

// TestReplicaTakesOverTelling: of two replicas one tells, and the other one goes on where it was.
func TestReplicaTakesOverTelling(t *testing.T) {
	s, l, o := newListening(t)
	o.github = false
	stop := s.run(o)
	s.Until("there is a leader", func() bool { return s.leader() != "" && s.messages() })
	s.run(o)
	first := s.leader()
	one := s.ask("one")
	s.Until("it is told", func() bool { return l.events("ops", one) == "Approved Granted" })
	stop()
	s.Until("another one leads", func() bool { return s.leader() != "" && s.leader() != first })
	two := s.ask("two")
	s.Until("it is told", func() bool { return l.events("ops", two) == "Approved Granted" })
	s.SetClock(noon.Add(time.Hour))
	s.Until("the ends are told", func() bool {
		return l.events("sre", one) != "" && l.events("sre", two) != "" &&
			strings.Contains(l.events("ops", one), "Ended") && strings.Contains(l.events("ops", two), "Ended")
	})
	for _, name := range []string{one, two} {
		l.heard("ops", name, "Approved Granted Ended")
		l.heard("sre", name, "Ended")
	}
}

// TestNoOldNews: what was there when channels were turned on, or when what was told is lost, is not
// told; what comes then is.
func TestNoOldNews(t *testing.T) {
	for name, lose := range map[string]func(*stage){
		"turned on": nil,
		"lost": func(s *stage) {
			s.Must(s.Admin.CoreV1().ConfigMaps(kube.Namespace).Delete(s.Context(), kube.MessagesName,
				metav1.DeleteOptions{}))
		},
		"broken": func(s *stage) {
			m, err := s.Admin.CoreV1().ConfigMaps(kube.Namespace).Get(s.Context(), kube.MessagesName,
				metav1.GetOptions{})
			s.Must(err)
			m.BinaryData["messages"] = []byte("x")
			_, err = s.Admin.CoreV1().ConfigMaps(kube.Namespace).Update(s.Context(), m, metav1.UpdateOptions{})
			s.Must(err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.notifications()
			l := s.listen()
			o := s.telling(l)
			o.github = false
			before := o
			if before.channels = nil; lose != nil {
				before = o
			}
			old := s.ask("old")
			s.once(before)
			heard := l.events("ops", old)
			if lose != nil {
				lose(s)
			}
			s.SetClock(noon.Add(50 * time.Minute)) // it ends soon by now, which is no news either
			s.once(o)
			young := s.ask("young")
			s.once(o)
			l.heard("ops", young, "Approved Granted")
			l.heard("ops", old, heard)
			s.SetClock(noon.Add(time.Hour))
			s.once(o)
			l.heard("ops", old, strings.TrimSpace(heard+" Ended"))
		})
	}
}

// TestStateThatCannotBeWritten: nothing is told that is not noted before, nothing waits for it, and
// what was to be told is, once that works.
func TestStateThatCannotBeWritten(t *testing.T) {
	s, l, o := newListening(t)
	o.github = false
	s.once(o)
	name := s.ask("mute")
	broken := o
	broken.wire = func(next http.RoundTripper) http.RoundTripper {
		return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/configmaps/"+kube.MessagesName) &&
				r.Method != http.MethodGet {
				return nil, errCut
			}
			return next.RoundTrip(r)
		})
	}
	s.once(broken)
	s.granted(name)
	l.heard("ops", name, "")
	s.once(o)
	l.heard("ops", name, "Approved Granted")
	s.SetClock(noon.Add(time.Hour))
	s.once(broken)
	s.over(name, requests.CauseExpired, "") // the record is not kept for a message
	l.heard("ops", name, "Approved Granted")
}

// TestPolicyThatIsGone: the end of what a policy gave is told as it asked for last, when it is taken
// away, and when somebody pushes it without anybody's approval.
func TestPolicyThatIsGone(t *testing.T) {
	for name, c := range map[string]struct {
		change func(s *stage)
		cause  string
	}{
		"removed": {func(s *stage) {
			s.change("away", "root", removed(policies.Path("payments-debug")))
		}, "its policy does not allow it any more"},
		"pushed": {func(s *stage) {
			s.edit(policies.Path("payments-debug"), "    - {channel: sre, events: [Ended]}\n", "")
		}, "its time was over"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.notifications()
			l := s.listen()
			o := s.telling(l)
			s.once(o)
			request, path, content := s.requestFile("gone")
			s.pull("gone", true, map[string]string{path: content})
			s.once(o)
			l.heard("ops", request, "Approved Granted")
			c.change(s)
			s.outlast(s.agent(o))
			s.once(o)
			s.SetClock(noon.Add(time.Hour))
			s.once(o)
			l.heard("sre", request, "Ended")
			l.says("sre", request, c.cause)
		})
	}
}

// TestExtendedInChannels: who has more time is not told that access ends, but how it goes on.
func TestExtendedInChannels(t *testing.T) {
	s, l, o := newListening(t)
	first, path, content := s.requestFile("first")
	s.pull("first", true, map[string]string{path: content})
	s.once(o)
	second, _, _ := s.extended("second", first, "")
	s.SetClock(noon.Add(50 * time.Minute))
	s.once(o)
	s.SetClock(noon.Add(time.Hour))
	s.once(o)
	l.heard("ops", first, "Approved Granted Ended")
	l.says("ops", first, "its time was over. It goes on as "+second)
	s.SetClock(noon.Add(time.Hour + 50*time.Minute))
	s.once(o)
	l.heard("ops", second, "Approved Granted Ending")
}
