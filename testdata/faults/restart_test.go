package faults

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// kills is how many processes TestKilledAtRandom kills.
const kills = 200

// TestKilledAtRandom runs two replicas, either of which is killed again and again at a random
// moment, while requests come, are withdrawn and expire. What is there in the end is what the plan
// says, whatever happened. FAULTS_SEED repeats a run's choices; the moments are also the machine's.
func TestKilledAtRandom(t *testing.T) {
	t.Parallel()
	seed, err := strconv.ParseUint(os.Getenv("FAULTS_SEED"), 10, 64)
	if err != nil {
		seed = rand.Uint64()
	}
	t.Logf("FAULTS_SEED=%d", seed)
	s := newStage(t, "branch", nil)
	pair := [2]*replica{s.newReplica(), s.newReplica()}
	var killed atomic.Int32
	var running sync.WaitGroup
	for i, r := range pair {
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		running.Go(func() {
			for killed.Add(1) <= kills {
				s.liveAndDie(r, pair[1-i], random)
			}
		})
	}
	work := workload{stage: s, random: rand.New(rand.NewPCG(seed, uint64(len(pair)))),
		withdrawn: map[string]bool{}}
	done := make(chan struct{})
	go func() { running.Wait(); close(done) }()
	for going := true; going; {
		work.step()
		select {
		case <-done:
			going = false
		case <-time.After(time.Duration(work.random.IntN(2000)) * time.Millisecond):
		}
	}
	for _, r := range pair {
		r.heal()
		r.start()
	}
	s.finish(pair[0], byBackstop, work.all...)
	ends := work.check()
	s.row("Restart in the middle of anything", fmt.Sprintf("two replicas, %d SIGKILLs at random "+
		"moments over %d grants that begin, are withdrawn and expire", kills, len(work.all)),
		fmt.Sprintf("the ledger has each once: %v; planning again gives nothing; access went at "+
			"most %s late", ends, s.latest(work.all)))
}

// liveAndDie runs the replica until it is killed: at one of its calls, or at some moment. Mostly a
// leader that died is taken over from at once.
func (s *stage) liveAndDie(r, other *replica, random *rand.Rand) {
	struck := r.killAt(1+random.Int32N(120), random.IntN(2) == 0,
		func(*http.Request) bool { return true })
	if random.IntN(4) > 0 && !other.leads() {
		s.freeLease()
	}
	r.start()
	select {
	case <-struck:
	case <-time.After(time.Duration(100+random.IntN(1900)) * time.Millisecond):
		r.kill()
	}
	r.heal()
}

// workload is what people do meanwhile.
type workload struct {
	*stage
	random    *rand.Rand
	all       []asked
	withdrawn map[string]bool
}

// step asks for something, or withdraws something that is granted.
func (w *workload) step() {
	w.Helper()
	for _, a := range w.all {
		if w.random.IntN(12) == 0 && !w.withdrawn[a.name] && len(w.bindings.of(a.name)) > 0 &&
			time.Until(a.end) > 2*time.Second && !w.entered(a) {
			w.withdraw(a)
			w.withdrawn[a.name] = true
			return
		}
	}
	w.all = append(w.all, w.ask(fmt.Sprintf("random-%d", len(w.all)),
		time.Duration(4+w.random.IntN(20))*time.Second))
}

// check holds the cause of each end to what was seen of it, and counts them.
func (w *workload) check() map[string]int {
	w.Helper()
	ends := map[string]int{}
	for _, a := range w.all {
		status := w.entry(a).Status
		ends[status.Cause]++
		seen := w.bindings.of(a.name)
		early := len(seen) > 0 && a.end.Sub(seen[0].went) > time.Second
		switch {
		case early != (status.Cause == requests.CauseRevoked) && !w.withdrawn[a.name]:
			w.Errorf("%s was not withdrawn, its binding went %s, its end was %s, and the ledger says %s",
				a.name, seen[0].went, a.end, status.Cause)
		case status.Cause == requests.CauseRevoked && !w.withdrawn[a.name]:
			w.Errorf("%s was not withdrawn, and the ledger says %s", a.name, status.Cause)
		case early && status.Cause != requests.CauseRevoked:
			w.Errorf("%s was withdrawn, and the ledger says %s", a.name, status.Cause)
		}
	}
	return ends
}
