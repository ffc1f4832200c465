package faults

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	stdlog "log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// ears are two channels behind webhooks on loopback: ops takes what it is sent, after a while, and
// mute never answers.
type ears struct {
	*httptest.Server
	over chan struct{} // closed: mute hangs up

	mu    sync.Mutex
	heard map[string]map[string]int // by request and event, which has a question mark when it may be a repeat
	mutes int                       // messages that mute was sent
}

// listen starts the ears, and has replicas know their addresses.
func (s *stage) listen() *ears {
	s.Helper()
	e := &ears{over: make(chan struct{}), heard: map[string]map[string]int{}}
	e.Server = httptest.NewUnstartedServer(e)
	e.Config.ErrorLog = stdlog.New(io.Discard, "", 0)
	e.StartTLS()
	s.Cleanup(func() {
		close(e.over)
		e.Close()
	})
	host, dir := e.Listener.Addr().String(), filepath.Join(s.dir, "channels")
	s.must(os.Mkdir(dir, 0o700))
	for _, name := range []string{"ops", "mute"} {
		s.must(os.WriteFile(filepath.Join(dir, name), []byte("generic://"+host+"/"+name), 0o600))
	}
	ca := filepath.Join(s.dir, "channels.pem")
	s.must(os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE",
		Bytes: e.Certificate().Raw}), 0o600))
	s.flags = []string{"--channels-dir", dir, "--webhook-host", host + "=127.0.0.0/8", "--webhook-ca-file", ca}
	return e
}

func (e *ears) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var m struct{ Event, Request, Happened string }
	if json.NewDecoder(r.Body).Decode(&m) != nil {
		return // of a process that was killed
	}
	if r.URL.Path == "/mute" {
		e.mu.Lock()
		e.mutes++
		e.mu.Unlock()
		select {
		case <-e.over:
		case <-r.Context().Done():
		}
		panic(http.ErrAbortHandler) // else it says 200 to who is just about to hang up
	}
	time.Sleep(50 * time.Millisecond)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.heard[m.Request] == nil {
		e.heard[m.Request] = map[string]int{}
	}
	if strings.HasPrefix(m.Happened, "Perhaps a repeat: ") {
		m.Event += "?"
	}
	e.heard[m.Request][m.Event]++
}

// of tells how often an event of a request was heard as news, and as what may be a repeat.
func (e *ears) of(a asked, event string) (news, repeats int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.heard[a.name][event], e.heard[a.name][event+"?"]
}

// ended tells whether the end of a request was heard, or that it was never granted.
func (e *ears) ended(a asked) bool {
	total := 0
	for _, event := range []string{"Ended", "Refused"} {
		news, repeats := e.of(a, event)
		total += news + repeats
	}
	return total > 0
}

// notifying is the access repository with a policy that has ends told to a channel which takes them and
// to one which does not.
func notifying(t *testing.T) map[string]string {
	t.Helper()
	const path = "policies/" + policy + ".yaml"
	text, err := os.ReadFile("testdata/accessrepo/" + path)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{path: strings.Replace(string(text), "  target:\n", `  notifications:
    - {channel: mute, events: [Approved, Granted, Ended, Refused]}
    - {channel: ops, events: [Approved, Granted, Ended, Refused]}
  target:
`, 1)}
}

// TestChannelSilent: a channel that never answers holds up no grant, no end, no record and no other
// channel, and an agent that is killed at random moments tells each thing, and twice only what it says
// may be a repeat.
func TestChannelSilent(t *testing.T) {
	t.Parallel()
	const kills = 40
	s := newStage(t, "branch", notifying(t))
	e := s.listen()
	r := s.startReplica()
	s.until("it notes what it tells", func() bool { return s.left() == "" && s.leader() != "" })
	calm := s.live("calm", 8*time.Second)
	s.over(calm)
	s.until("its end is told", func() bool { return e.ended(calm) })
	s.check(calm, byAgent)
	late := s.late(calm)
	all := []asked{calm}
	random := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	for n := range kills {
		if n%4 == 0 {
			all = append(all, s.ask(fmt.Sprintf("told-%d", n), time.Duration(6+random.IntN(10))*time.Second))
		}
		s.wait(time.Duration(100+random.IntN(2500)) * time.Millisecond)
		s.restart(r)
		r.start()
	}
	for _, a := range all {
		s.until("the end of "+a.name+" is told", func() bool { return e.ended(a) })
	}
	s.finish(r, byBackstop, all...)
	again := 0
	for _, a := range all {
		for _, event := range []string{"Approved", "Granted", "Ended", "Refused"} {
			news, repeats := e.of(a, event)
			if again += repeats; news > 1 {
				t.Errorf("%s of %s was told as news %d times", event, a.name, news)
			}
		}
	}
	e.mu.Lock()
	mutes := e.mutes
	e.mu.Unlock()
	if mutes == 0 {
		t.Error("the silent channel was never called")
	}
	s.row("Channel silent, agent killed", fmt.Sprintf("one of two channels of the policy never answers; "+
		"%d SIGKILLs at random moments over %d grants", kills, len(all)),
		fmt.Sprintf("before the first kill access went %s after its end; every end reached the other "+
			"channel, %d messages twice, which said so", late, again))
}
