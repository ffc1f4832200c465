// Package simulation runs the whole agent in virtual time: replicas of the real sync.Agent, the
// loopback GitHub with git and a Kubernetes in memory, all in one testing/synctest bubble without a
// socket. One seed decides what people do, how long each call takes and what breaks, so that a run
// can be had again. What happened is a history, and rules say of a history what is wrong.
package simulation

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/klog/v2"

	"github.com/pullgrant/pullgrant/testdata/forge"
)

// clusterName is the cluster that there always is.
const clusterName = "prod-eu"

// begin is when people begin to ask.
var begin = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

// options of a run.
type options struct {
	seed   uint64
	length time.Duration  // of people's doings; then all is left alone until nothing may be left
	every  time.Duration  // between two of them, about
	faults map[string]int // of 100,000 occasions, how many a fault takes; nil: none
	under  string         // how policies begin under which people ask; empty: all
	inTurn bool           // people do nothing but ask for each thing once, one after the other, and all is approved
	// only are the faults and doings that happen, by name, of those that chance chooses; nil: all
	only map[string]bool
	// meddle changes an agent's calls, as an agent with a defect would make them; nil: none
	meddle meddle
}

// world is one run.
type world struct {
	chance
	options
	forge   *forge.Forge
	trusted bool // main is the evidence
	hub     *hub
	outside outside
	sites   []*site

	mu      sync.Mutex
	counts  map[string]count // of calls of one name
	trace   []string
	history history
	met     []string        // faults and doings that happened, by name
	down    map[string]bool // systems that answer nobody
	lasting map[string]bool // faults that last, and have not ended
	calm    bool            // no fault begins any more
	ended   bool            // nothing belongs to the history any more
	watches map[*watch]bool // under way
	asked   []*request
	busy    sync.WaitGroup // what people began, and faults that last

	changing sync.Mutex        // held while people change files that decide
	edited   map[string]string // edits that have begun, and of which file
	first    map[string]string // files that decide, as they were first, by path
	count    int               // of branches for changes
}

// run is a run of the world. The history is in the order of time.
func run(t *testing.T, o options) (w *world) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		klog.SetLogger(logr.Discard())
		utilruntime.ErrorHandlers = nil // they pause by a time that they share with other bubbles
		time.Sleep(time.Until(begin.Add(-time.Minute)))
		chance(o.seed).drawn("first")
		w = &world{chance: chance(o.seed), options: o, counts: map[string]count{},
			down: map[string]bool{}, lasting: map[string]bool{}, watches: map[*watch]bool{}}
		f, err := forge.Start(dir, forge.Options{PageSize: w.pageSize(), InProcess: true})
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		w.forge = f
		w.hub = newHub(w)
		w.outside.says = map[string]string{}
		if err := w.furnish(); err != nil {
			t.Fatal(err)
		}
		defer func() {
			for _, s := range w.sites {
				s.Close()
			}
		}()
		time.Sleep(time.Until(begin))
		w.live(t)
	})
	return w
}

// live is everything that happens.
func (w *world) live(t *testing.T) {
	stop := make(chan struct{})
	var alive sync.WaitGroup
	for _, s := range w.sites {
		s.deploy()
		for _, p := range s.replicas {
			alive.Go(func() { p.keep(t, stop) })
		}
	}
	w.act()
	w.setCalm()
	time.Sleep(time.Until(w.latest().Add(24 * time.Minute))) // which its record takes
	w.note("all must be over")
	w.add(event{quiet: true})
	time.Sleep(30 * time.Minute)
	w.add(event{end: true, main: w.hub.files()})
	w.over()
	close(stop)
	alive.Wait()
}

// latest is when all that was asked for is over, and all else that could come of it: whatever people
// put on main begins anew where main is the evidence. Agents that slept until after that find hours of
// requests, of which some wait for others to be decided, and ask again every five minutes.
func (w *world) latest() time.Time {
	latest := begin.Add(w.length + 66*time.Minute)
	for _, r := range w.asked {
		if at := r.latest(); at.After(latest) {
			latest = at
		}
	}
	if time.Now().After(latest) {
		return time.Now().Add(12 * time.Minute)
	}
	return latest
}

// over ends the history.
func (w *world) over() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
}

// note adds a line to the trace.
func (w *world) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trace = append(w.trace, time.Now().UTC().Format("02T15:04:05.000000000 ")+
		fmt.Sprintf(format, args...))
}

// add adds to the history what happens now.
func (w *world) add(e event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.at = time.Now().UTC(); !w.ended {
		w.history = append(w.history, e)
	}
}

// calls are the trace but for what processes log: which of two errors comes first that have the same
// reason at the same time, nobody decides.
func (w *world) calls() []string {
	return slices.DeleteFunc(w.lines(), func(line string) bool { return strings.Contains(line, logs) })
}

// lines are the trace; what happened at one time is in the order of the alphabet.
func (w *world) lines() []string { return slices.Sorted(slices.Values(w.trace)) }
