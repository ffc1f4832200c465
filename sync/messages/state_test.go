package messages

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/internal/notify"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/monitor"
)

func asks(channel string, events ...string) policies.Notification {
	return policies.Notification{Channel: channel, Events: events}
}

const path = "requests/prod-eu/debug/20261123-alice-one.yaml"

// TestToldOnce: a mark is set once, and forgotten two days after nothing is known of it any more,
// also over restarts, but not before everything was looked at once.
func TestToldOnce(t *testing.T) {
	s, empty, err := unpack(nil, noon)
	if !empty || err != nil || !s.Begun.Equal(noon) {
		t.Fatal(s, empty, err)
	}
	if !s.tell(path, "Granted", noon) || s.tell(path, "Granted", noon) || !s.tell(path, "Ended", noon) {
		t.Errorf("%+v", s.Told[path])
	}
	s.see([]string{path}, noon.Add(100*time.Hour))
	s.see(nil, noon.Add(100*time.Hour+keepMarks))
	if s.Told[path] == nil {
		t.Error("forgotten too early")
	}
	restarted, empty, err := unpack(kube.Pack(s), noon.Add(1000*time.Hour))
	if empty || err != nil || !restarted.Begun.Equal(noon) {
		t.Fatal(restarted, empty, err)
	}
	restarted.see(nil, noon.Add(1000*time.Hour+settle))
	if restarted.tell(path, "Granted", noon.Add(1000*time.Hour)) {
		t.Error("forgotten right after the restart")
	}
	s.see(nil, noon.Add(100*time.Hour+keepMarks+1))
	if s.Told[path] != nil {
		t.Error("never forgotten")
	}
}

// TestBrokenState: what somebody broke is begun anew, whatever is wrong with it.
func TestBrokenState(t *testing.T) {
	for _, packed := range [][]byte{{}, []byte("x"), kube.Pack("x"), kube.Pack(map[string]any{}),
		kube.Pack(map[string]any{"Told": map[string]any{}, "Asked": map[string]any{}, "Queue": []any{nil}})} {
		s, empty, err := unpack(packed, noon)
		if err == nil || !empty || s.Told == nil || s.Asked == nil || len(s.Queue) > 0 {
			t.Errorf("%q: %+v, %t, %v", packed, s, empty, err)
		}
	}
	s, _, err := unpack(kube.Pack(map[string]any{"Told": map[string]any{path: nil},
		"Asked": map[string]any{}}), noon)
	if err != nil || !s.tell(path, "Granted", noon) {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestLearn: a policy counts as it stands, one that is gone as it stood last while there is something
// of it left to be told.
func TestLearn(t *testing.T) {
	s, _, _ := unpack(nil, noon)
	is := func(changed, want bool, channel string) {
		t.Helper()
		got := ""
		for _, n := range s.Asked["debug"] {
			got += n.Channel
		}
		if changed != want || got != channel {
			t.Errorf("changed %t, asked %v", changed, s.Asked)
		}
	}
	with := func(all ...policies.Notification) map[string][]policies.Notification {
		return map[string][]policies.Notification{"debug": all}
	}
	is(s.learn(with(asks("ops", "Ended"))), true, "ops")
	is(s.learn(with(asks("ops", "Ended"))), false, "ops")
	is(s.learn(with(asks("sre", "Ended"))), true, "sre")
	s.tell(path, "Granted", noon)
	is(s.learn(nil), false, "sre")
	is(s.learn(with()), true, "")
	is(s.learn(with(asks("ops", "Ended"))), true, "ops")
	delete(s.Told, path)
	is(s.learn(nil), true, "")
}

// TestRoute: what happened goes to each channel that asks for it, once it is known which do.
func TestRoute(t *testing.T) {
	s, _, _ := unpack(nil, noon)
	s.Asked["debug"] = []policies.Notification{asks("a", "Granted", "Ended"), asks("b", "Ended"),
		asks("c", "Granted")}
	for _, m := range []struct{ policy, event, channel string }{{"debug", "Ended", ""},
		{"unread", "Ended", ""}, {"debug", "Refused", ""}, {"debug", "Ending", "b"}} {
		s.Queue = append(s.Queue, &message{Channel: m.channel, Since: noon,
			Content: notify.Message{Policy: m.policy, Event: m.event}})
	}
	show := func() string {
		var all []string
		for _, m := range s.Queue {
			all = append(all, m.Channel+":"+m.Content.Policy+":"+m.Content.Event)
		}
		return strings.Join(all, " ")
	}
	if changed := s.route(false); !changed || show() != "a:debug:Ended b:debug:Ended :unread:Ended b:debug:Ending" {
		t.Error(changed, show())
	}
	if changed := s.route(false); changed {
		t.Error("it changed again")
	}
	if changed := s.route(true); !changed || show() != "a:debug:Ended b:debug:Ended b:debug:Ending" {
		t.Error(changed, show())
	}
}

// TestBound: an hour old is old, and a channel that fails takes no room of another's.
func TestBound(t *testing.T) {
	s, _, _ := unpack(nil, noon)
	add := func(channel string, n int, since time.Time) {
		for i := range n {
			s.Queue = append(s.Queue, &message{Channel: channel, Since: since,
				Content: notify.Message{Request: fmt.Sprint(i)}})
		}
	}
	add("old", 1, noon.Add(-tellFor))
	add("fails", maxChannel+5, noon)
	add("works", 3, noon.Add(-tellFor+1))
	lost := s.bound(noon)
	if len(lost) != 6 || lost[0].Channel != "old" || lost[1].Content.Request != fmt.Sprint(maxChannel) ||
		len(s.Queue) != maxChannel+3 {
		t.Errorf("%d lost, %d wait", len(lost), len(s.Queue))
	}
	s.Queue = nil
	for i := range 7 {
		add(fmt.Sprint("c", i), maxChannel, noon)
	}
	if lost := s.bound(noon); len(lost) != 7*maxChannel-maxQueue || len(s.Queue) != maxQueue {
		t.Errorf("%d lost, %d wait", len(lost), len(s.Queue))
	}
	for _, m := range s.Queue { // at its fullest it fits into a ConfigMap
		m.Content.Reason, m.Content.Happened = randomText(500), randomText(300)
		m.Content.Next, m.Content.URL = randomText(200), "https://github.example/acme/access/pull/1"
	}
	for i := range 5000 {
		s.Told[fmt.Sprint("requests/prod-eu/policy/20261123-somebody-with-a-name-", i)] =
			&told{[]string{"Approved", "Granted", "Ending ops"}, noon}
	}
	if n := len(kube.Pack(s)); n > 1<<20 {
		t.Errorf("%d bytes", n)
	}
}

// randomText does not compress well.
func randomText(n int) string {
	var b strings.Builder
	for b.Len() < n {
		seed = seed*6364136223846793005 + 1442695040888963407
		b.WriteByte("abcdefghijklmnopqrstuvwxyz 0123456789"[seed>>33%37])
	}
	return b.String()
}

var seed uint64 = 1

// TestDue: one at a time for each channel, the one that waits longest, and what was tried waits its
// turn, unless the clock was set back.
func TestDue(t *testing.T) {
	s, _, _ := unpack(nil, noon)
	add := func(channel, request string, next time.Time) {
		s.Queue = append(s.Queue, &message{Channel: channel, next: next,
			Content: notify.Message{Request: request}})
	}
	add("", "0", time.Time{})
	add("a", "1", noon.Add(time.Second))
	add("a", "2", time.Time{})
	add("a", "3", time.Time{})
	add("b", "4", noon)
	add("busy", "5", time.Time{})
	add("c", "6", noon.Add(time.Second))
	add("d", "7", noon.Add(longPause+time.Second))
	var got []string
	for _, m := range s.due(map[string]bool{"busy": true}, noon) {
		got = append(got, m.Content.Request)
	}
	if !slices.Equal(got, []string{"2", "4", "7"}) {
		t.Error(got)
	}
	s.Queue = nil
	add("a", "one", noon.Add(time.Second))
	add("a", "one", time.Time{})
	if got := s.due(nil, noon); len(got) != 0 {
		t.Errorf("what came later is told first: %+v", got[0])
	}
	s.Queue[0].Content.Event = policies.NotifyEnding
	s.outdate("two")
	s.outdate("one")
	if got := s.due(nil, noon); len(got) != 1 || got[0].Content.Event != "" {
		t.Errorf("%v", got)
	}
}

// TestDelivered: what its channel took is told, also when it took it for some of its recipients alone, who
// are not to have it twice; what it did not take is tried again.
func TestDelivered(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		wait int
	}{
		"taken":     {nil, 0},
		"partly":    {fmt.Errorf("tell it: %w", notify.ErrPartly), 0},
		"not taken": {errors.New("no answer"), 1},
	} {
		m := &message{Channel: "mail"}
		k := &Keeper{now: func() time.Time { return noon }, state: &state{Queue: []*message{m}},
			busy: map[string]bool{"mail": true}, metrics: monitor.NewMetrics("prod-eu", "1", time.Now)}
		if k.delivered(claim{message: m}, test.err); len(k.state.Queue) != test.wait || k.busy["mail"] {
			t.Errorf("%s: %d wait, busy: %v", name, len(k.state.Queue), k.busy)
		}
	}
}

// TestStateFits: what waits for a channel that fails fits into a ConfigMap, whatever it tells of, such as the
// longest commands.
func TestStateFits(t *testing.T) {
	s, _, _ := unpack(nil, noon)
	k := &Keeper{cluster: &kube.Cluster{Name: "prod-eu"}, now: func() time.Time { return noon }, state: s,
		page: func(int) string { return "https://github.com/acme/access/pull/7" }}
	for i := range maxChannel {
		var long strings.Builder
		for long.Len() < requests.MaxArguments*500 {
			long.WriteString(rand.Text())
		}
		k.tell(subject{path: strings.Replace(path, "one", fmt.Sprint("one-", i), 1), pullRequest: 7,
			channel: "ops", requester: "alice", reason: long.String()}, news{event: policies.NotifyGranted,
			at: noon, happened: long.String(), next: "to give it back earlier, kubectl pullgrant drop x"}, true)
	}
	const most = 1 << 20 // of a ConfigMap
	if n := len(kube.Pack(s)); len(s.Queue) != maxChannel || n > most/2 {
		t.Errorf("%d messages take %d KiB", len(s.Queue), n>>10)
	}
}
