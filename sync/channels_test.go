package sync

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	gosync "sync"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/internal/notify"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// listeners are the people in the channels ops and sre, behind webhooks on loopback.
type listeners struct {
	*testing.T
	channels *notify.Channels

	mu     gosync.Mutex
	got    map[string][]told        // by channel, what it took
	status map[string]int           // that it answers; 0: it takes the message
	holds  map[string]chan struct{} // it answers only once that is closed
	tries  map[string]int
}

// told is a message as a webhook is sent it.
type told struct{ Event, Request, Policy, Cluster, URL, Requester, Reason, Happened, Next, Who, Message string }

// listen has both channels there, and the policy name them: ops with all events that the agent tells,
// sre with ends.
func (s *stage) listen() *listeners {
	s.Helper()
	l := &listeners{T: s.T, got: map[string][]told{}, status: map[string]int{},
		holds: map[string]chan struct{}{}, tries: map[string]int{}}
	server := httptest.NewUnstartedServer(l)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	s.Cleanup(func() {
		l.free()
		server.Close()
	})
	host := server.Listener.Addr().String()
	config := notify.Config{Clock: s.Clock, CA: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE",
		Bytes: server.Certificate().Raw})}
	s.Must(config.Hosts.Set(host + "=127.0.0.0/8"))
	var err error
	l.channels, err = notify.Open(map[string]string{"ops": "generic://" + host + "/ops/s3cret-of-ops",
		"sre": "generic://" + host + "/sre/s3cret-of-sre"}, config)
	s.Must(err)
	return l
}

// notifications has the policy tell ops of everything and sre of ends.
func (s *stage) notifications() {
	s.Helper()
	s.edit(policies.Path("payments-debug"), "  target:\n", `  notifications:
    - channel: ops
      events: [Approved, Granted, Ending, Ended, Refused, Waiting, BreakGlass]
      endingBefore: 15m
    - {channel: sre, events: [Ended]}
  target:
`)
}

// telling are the options of an agent that has the channels, and takes the policy of now as given.
func (s *stage) telling(l *listeners) options {
	return options{github: true, root: s.git("rev-parse", "main"), channels: l.channels}
}

// newListening is a stage with channels, of which the policy has two told, and what an agent needs that
// tells them.
func newListening(t *testing.T) (*stage, *listeners, options) {
	t.Helper()
	s := newStage(t)
	s.notifications()
	l := s.listen()
	return s, l, s.telling(l)
}

func (l *listeners) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	channel := strings.Split(r.URL.Path, "/")[1]
	var m told
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
		l.Errorf("%s was sent %v", channel, err)
	}
	l.mu.Lock()
	status, hold := l.status[channel], l.holds[channel]
	l.tries[channel]++
	l.mu.Unlock()
	if hold != nil {
		<-hold
	}
	if status != 0 {
		w.WriteHeader(status)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.got[channel] = append(l.got[channel], m)
}

// answers has a channel answer with a status from now on; 0: it takes messages.
func (l *listeners) answers(channel string, status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status[channel] = status
}

// hold has a channel fall silent.
func (l *listeners) hold(channel string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.holds[channel] = make(chan struct{})
}

// free has all channels answer, and what waits for them too.
func (l *listeners) free() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for channel, hold := range l.holds {
		close(hold)
		delete(l.holds, channel)
	}
}

func (l *listeners) tried(channel string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tries[channel]
}

// took are the messages that a channel has of a request, in their order.
func (l *listeners) took(channel, request string) (all []told) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.got[channel] {
		if m.Request == request {
			all = append(all, m)
		}
	}
	return all
}

// events are those of what a channel has of a request; one that may be a repeat has a question mark.
func (l *listeners) events(channel, request string) string {
	var all []string
	for _, m := range l.took(channel, request) {
		if strings.HasPrefix(m.Happened, "Perhaps a repeat: ") {
			m.Event += "?"
		}
		all = append(all, m.Event)
	}
	return strings.Join(all, " ")
}

// heard wants a channel to have been told just that of a request.
func (l *listeners) heard(channel, request, events string) {
	l.Helper()
	if got := l.events(channel, request); got != events {
		l.Errorf("%s heard %q of %s, want %q", channel, got, request, events)
	}
}

// says wants the last message of a request in a channel to have words.
func (l *listeners) says(channel, request string, words ...string) {
	l.Helper()
	all := l.took(channel, request)
	if len(all) == 0 {
		l.Fatalf("%s heard nothing of %s", channel, request)
	}
	text := fmt.Sprintf("%+v", all[len(all)-1])
	for _, w := range words {
		if !strings.Contains(text, w) {
			l.Errorf("%s heard\n%s\nwithout %q", channel, text, w)
		}
	}
}

// quiet wants no secret of a channel in the agent's log.
func (s *stage) quiet() {
	s.Helper()
	if strings.Contains(s.Log.String(), "s3cret") {
		s.Errorf("the log has the address of a channel:\n%s", s.Log)
	}
}

// TestChannelsAreTold: each thing once, in each channel that asks for it, whichever process finds it.
func TestChannelsAreTold(t *testing.T) {
	s, l, o := newListening(t)
	name, path, content := s.requestFile("told")
	number := s.pull("told", true, map[string]string{path: content})
	s.once(o)
	l.heard("ops", name, "Approved Granted")
	l.heard("sre", name, "")
	l.says("ops", name, "Access until 2026-11-23 13:00:00 UTC, 1h, to ClusterRole payments-debug",
		fmt.Sprintf("/acme/access/pull/%d", number), "Requester:alice", "Reason:INC-123, checkout is slow",
		"kubectl pullgrant drop "+name, "Policy:payments-debug", "Cluster:"+s.Cluster)
	s.once(o)
	s.SetClock(noon.Add(45*time.Minute - time.Second))
	s.once(o)
	l.heard("ops", name, "Approved Granted")
	s.SetClock(noon.Add(45 * time.Minute))
	s.once(o)
	s.once(o)
	l.heard("ops", name, "Approved Granted Ending")
	l.says("ops", name, "Access ends at 2026-11-23 13:00:00 UTC, in 15m0s", "kubectl pullgrant extend "+name)
	s.SetClock(noon.Add(time.Hour))
	agent := s.agent(o)
	s.Must(agent.Once(t.Context()))
	s.once(o)
	s.once(o)
	l.heard("ops", name, "Approved Granted Ending Ended")
	l.heard("sre", name, "Ended")
	l.says("sre", name, "Access ended at 2026-11-23 13:00:00 UTC, its time was over.")
	s.shows(agent, "messages_total", `result="sent"`, "2")
	s.shows(agent, "messages_waiting", "", "0")
	s.quiet()
}

// TestDryRunTellsNobody: nor does it note anything.
func TestDryRunTellsNobody(t *testing.T) {
	s := newStage(t)
	s.notifications()
	l := s.listen()
	name, path, content := s.requestFile("dry")
	s.pull("dry", true, map[string]string{path: content})
	o := s.telling(l)
	if steps, err := s.agent(o).DryRun(t.Context()); err != nil || len(steps) == 0 {
		t.Fatal(steps, err)
	}
	l.heard("ops", name, "")
	s.once(o)
	l.heard("ops", name, "Approved Granted")
}

// TestRefusalsInChannels: with the code and what to do, and nothing of a reason that would be markup.
func TestRefusalsInChannels(t *testing.T) {
	s, l, o := newListening(t)
	hostile := "<b>x</b> [x](https://evil.example) @everyone <!channel> `x` *x*"
	name, path, content := s.requestFile("no")
	s.pull("no", false, map[string]string{path: strings.Replace(content, "INC-123, checkout is slow",
		fmt.Sprintf("%q", hostile), 1)})
	s.once(o)
	s.once(o)
	l.heard("ops", name, "Refused")
	l.says("ops", name, "It was refused at 2026-11-23 12:00:00 UTC, InsufficientApprovals.",
		"docs/refusals.md#insufficientapprovals", "Requester:alice", "Reason:"+hostile)
	for _, m := range l.took("ops", name) {
		if strings.ContainsAny(m.Message, "<>[]@!`*") || strings.Contains(m.Message, "evil.example") ||
			strings.Contains(m.Happened+m.Next, "everyone") {
			t.Errorf("it says %q", m.Message)
		}
	}
	again := s.pull("again", true, map[string]string{path: content}) // the name is used
	s.once(o)
	l.heard("ops", name, "Refused")
	s.says(again, "### Refused: RequestIdReused")
}

// TestWaitingInChannels: what is merged and neither granted nor refused is told after three minutes,
// once, whatever is in the way.
func TestWaitingInChannels(t *testing.T) {
	s, l, o := newListening(t)
	name, path, content := s.requestFile("waits")
	number := s.pull("waits", true, map[string]string{path: content})
	s.Fail(http.MethodGet, fmt.Sprintf("/repos/acme/access/pulls/%d/reviews", number), -1,
		http.StatusInternalServerError, "{}")
	agent := s.agent(o)
	pass := func(after time.Duration, events string) {
		t.Helper()
		s.SetClock(noon.Add(after))
		_ = agent.Once(t.Context()) // the error says that it waits
		l.heard("ops", name, events)
	}
	pass(0, "")
	pass(3*time.Minute-time.Second, "")
	pass(3*time.Minute, "Waiting")
	l.says("ops", name, "neither granted nor refused since 2026-11-23 12:00:00 UTC, EvaluationError.",
		fmt.Sprintf("/pull/%d", number), "Requester:alice")
	pass(4*time.Minute, "Waiting")
	s.Heal()
	pass(10*time.Minute, "Waiting Approved Granted")
}

// TestRefusedMeanwhileInChannels: what another process refuses while it is judged again does not wait.
func TestRefusedMeanwhileInChannels(t *testing.T) {
	s, l, o := newListening(t)
	name, path, content := s.requestFile("meanwhile")
	number := s.pull("meanwhile", false, map[string]string{path: content})
	s.Fail(http.MethodGet, fmt.Sprintf("/repos/acme/access/pulls/%d/reviews", number), -1,
		http.StatusInternalServerError, "{}")
	agent := s.agent(o)
	_ = agent.Once(t.Context()) // the error says that it waits
	s.Heal()
	s.SetClock(noon.Add(4 * time.Minute))
	s.Before(http.MethodGet, fmt.Sprint(".*/pulls/", number), func() { s.once(options{github: true, root: o.root}) })
	_ = agent.Once(t.Context())
	s.over(name, requests.CauseDenied, "InsufficientApprovals")
	l.heard("ops", name, "")
}

// TestBreakGlassInChannels: at once, and once more when nobody has answered for it in time.
func TestBreakGlassInChannels(t *testing.T) {
	s := newStage(t)
	s.notifications()
	l := s.listen()
	s.glass()
	o := s.telling(l)
	agent := s.agent(o)
	name, _ := s.breakGlass("night")
	s.Must(agent.Once(t.Context()))
	s.Must(agent.Once(t.Context()))
	s.granted(name)
	l.heard("ops", name, "Approved Granted BreakGlass")
	l.says("ops", name, "Nobody looked at it before.", "within 24h", "Who:bob",
		"kubectl pullgrant breakglass review "+name)
	s.SetClock(noon.Add(31 * time.Minute))
	s.once(o)
	s.SetClock(noon.Add(25 * time.Hour))
	s.once(o)
	s.once(o)
	s.SetClock(noon.Add(100 * time.Hour))
	s.once(o)
	s.once(o)
	if got := l.events("ops", name); !slices.Contains([]string{"Approved Granted BreakGlass Ended BreakGlass",
		"Approved Granted BreakGlass Ending Ended BreakGlass"}, got) {
		t.Errorf("ops heard %q", got)
	}
	l.says("ops", name, "Nobody has answered for it, and it was due at 2026-11-24 12:00")
}
