package messages

import (
	"errors"
	"slices"
	"time"

	"github.com/pullgrant/pullgrant/internal/notify"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
)

const (
	tellFor    = time.Hour // how long something is news, and how long it is tried to tell it
	maxQueue   = 1000      // messages that wait
	maxChannel = 200       // of them, for one channel
	// keepMarks is how long it is remembered what was told of a request of which nothing is known
	// any more. Those that were closed unmerged are looked at for a day.
	keepMarks = 48 * time.Hour
	// settle is how long after a start marks stay in any case: not everything was looked at then.
	settle = time.Hour
)

// state is what outlasts a process.
type state struct {
	Begun time.Time // when it was first written; what came about before is not told
	// Told has, by path of the request, what was told of it or was none of the news.
	Told map[string]*told
	// Asked has, by policy, what it asks to be told, as it was proven last.
	Asked map[string][]policies.Notification
	Queue []*message // oldest first
}

type told struct {
	Marks []string
	Seen  time.Time // when something was known of it last
}

// message is one that waits to be sent.
type message struct {
	Channel string    // empty: it is not known yet which ones its policy asks for
	Since   time.Time // it waits
	Content notify.Message
	// Unsure: it was sent, or was about to be, and may have arrived. It is noted before each try.
	Unsure bool

	next  time.Time // of the next try
	pause time.Duration
}

// due tells whether it is to be tried now. A try that is farther away than any pause says that the
// clock was set back.
func (m *message) due(now time.Time) bool {
	return !m.next.After(now) || m.next.Sub(now) > longPause
}

// unpack reads the state; nothing, where nothing was written yet, is an empty one that begins now.
func unpack(packed []byte, now time.Time) (s *state, empty bool, err error) {
	s = &state{Begun: now.Truncate(time.Second), Told: map[string]*told{}, Asked: map[string][]policies.Notification{}}
	if packed == nil {
		return s, true, nil
	}
	read := &state{}
	if err := kube.Unpack(packed, read); err != nil {
		return s, true, err
	}
	if read.Told == nil || read.Asked == nil || slices.Contains(read.Queue, nil) {
		return s, true, errors.New("it is not what an agent wrote")
	}
	for path, t := range read.Told {
		if t == nil {
			delete(read.Told, path)
			continue
		}
		if oldest := now.Add(settle - keepMarks); t.Seen.Before(oldest) {
			t.Seen = oldest
		}
	}
	return read, false, nil
}

// tell marks a thing as told, and tells whether it was not.
func (s *state) tell(path, mark string, now time.Time) bool {
	t := s.Told[path]
	if t == nil {
		t = &told{}
		s.Told[path] = t
	}
	t.Seen = now
	if slices.Contains(t.Marks, mark) {
		return false
	}
	t.Marks = append(t.Marks, mark)
	return true
}

// see notes what something is still known of, and forgets what nothing was known of for long.
func (s *state) see(paths []string, now time.Time) {
	for _, path := range paths {
		if t := s.Told[path]; t != nil {
			t.Seen = now
		}
	}
	for path, t := range s.Told {
		if now.Sub(t.Seen) > keepMarks {
			delete(s.Told, path)
		}
	}
}

// learn takes over what policies ask for now. One that is not there any more asks for what it did
// last, as long as something is remembered of its requests: their end is told.
func (s *state) learn(now map[string][]policies.Notification) (changed bool) {
	needed := map[string]bool{}
	for path := range s.Told {
		place, _ := requests.SplitPath(path)
		needed[place.Policy] = true
	}
	for policy, asked := range now {
		if len(asked) > 0 && !slices.EqualFunc(asked, s.Asked[policy], same) {
			s.Asked[policy], changed = asked, true
		}
	}
	for policy := range s.Asked {
		if asked, there := now[policy]; there && len(asked) == 0 || !there && !needed[policy] {
			delete(s.Asked, policy)
			changed = true
		}
	}
	return changed
}

func same(a, b policies.Notification) bool {
	return a.Channel == b.Channel && a.EndingBefore == b.EndingBefore &&
		slices.Equal(a.Events, b.Events)
}

// route finds the channels of what waits for that. What a policy does not ask for is dropped; known
// says that all policies were read, so that one of which nothing is known asks for nothing.
func (s *state) route(known bool) (changed bool) {
	var queue []*message
	for _, m := range s.Queue {
		asked, asks := s.Asked[m.Content.Policy]
		if m.Channel != "" || !asks && !known {
			queue = append(queue, m)
			continue
		}
		changed = true
		for _, n := range asked {
			if slices.Contains(n.Events, m.Content.Event) {
				queue = append(queue, &message{Channel: n.Channel, Since: m.Since, Content: m.Content})
			}
		}
	}
	s.Queue = queue
	return changed
}

// bound takes out what is of no use to anybody any more, and what there is no room for: of a channel
// the newest, so that one that fails takes no other's room.
func (s *state) bound(now time.Time) (lost []*message) {
	waiting := map[string]int{}
	var queue []*message
	for _, m := range s.Queue {
		waiting[m.Channel]++
		old := now.Sub(m.Since) >= tellFor
		if old || waiting[m.Channel] > maxChannel || len(queue) >= maxQueue {
			lost = append(lost, m)
			continue
		}
		queue = append(queue, m)
	}
	s.Queue = queue
	return lost
}

// due are those whose turn it is: of each channel that is not busy the one that has been due
// longest, and of a request none before what was to be told earlier.
func (s *state) due(busy map[string]bool, now time.Time) (all []*message) {
	first, before := map[string]*message{}, map[[2]string]bool{}
	for _, m := range s.Queue {
		about := [2]string{m.Channel, m.Content.Request}
		if m.Channel == "" || busy[m.Channel] || before[about] {
			continue
		}
		before[about] = true
		if f := first[m.Channel]; m.due(now) && (f == nil || m.next.Before(f.next)) {
			first[m.Channel] = m
		}
	}
	for _, m := range s.Queue { // in their order
		if first[m.Channel] == m {
			all = append(all, m)
		}
	}
	return all
}

// outdate drops what waits and is of no use once a request is over.
func (s *state) outdate(request string) {
	s.Queue = slices.DeleteFunc(s.Queue, func(m *message) bool {
		return m.Content.Request == request && (m.Content.Event == policies.NotifyEnding ||
			m.Content.Event == policies.NotifyWaiting)
	})
}
