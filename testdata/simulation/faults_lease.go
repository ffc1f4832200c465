package simulation

import (
	"fmt"
	"net/http"
	"time"

	"github.com/pullgrant/pullgrant/sync/kube"
)

// Faults of who leads.
const (
	leaseGone  = "Lease deleted"
	leaseTaken = "Lease taken" // by one who never renews it, and then gives it back
	sleeping   = "replica asleep"
)

var leaseFaults = []beside{
	{leaseGone, 800, false, func(_ *world, s *site, _ string) func() {
		s.hand(http.MethodDelete, leasePath, "")
		return nil
	}},
	{leaseTaken, 800, false, func(w *world, s *site, occasion string) func() {
		s.hand(http.MethodPatch, leasePath, fmt.Sprintf(
			`{"spec":{"holderIdentity":"somebody","leaseDurationSeconds":%d,"renewTime":%q}}`,
			15+w.below(600, leaseTaken+" for "+occasion),
			time.Now().UTC().Format("2006-01-02T15:04:05.000000Z")))
		over := w.stops(of(leaseTaken, s.name))
		return func() {
			s.hand(http.MethodPatch, leasePath, `{"spec":{"holderIdentity":"","leaseDurationSeconds":1}}`)
			over()
		}
	}},
	// The process makes no call and hears of none: as one that is stopped, it acts on what it knew
	// before once it goes on.
	{sleeping, 1500, false, func(w *world, s *site, occasion string) func() {
		r := w.replica(s, sleeping+occasion)
		r.mu.Lock()
		n := r.now
		r.mu.Unlock()
		if n == nil {
			return nil
		}
		over, wake := w.stops(of(sleeping, n.process)), n.fallAsleep()
		return func() {
			wake()
			over()
		}
	}},
}

const leasePath = "/apis/coordination.k8s.io/v1/namespaces/" + kube.Namespace + "/leases/" + kube.LeaseName

// fallAsleep has the process stand still until what is returned is called.
func (n *wire) fallAsleep() (wake func()) {
	awake := make(chan struct{})
	n.mu.Lock()
	defer n.mu.Unlock()
	n.awake = awake
	return func() { close(awake) }
}

// asleep tells whether it stands still.
func (n *wire) asleep() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	select {
	case <-n.awake:
		return false
	default:
		return n.awake != nil
	}
}

// sleep returns once the process is awake; what it was about to do comes one after the other then.
func (n *wire) sleep(what string) {
	n.mu.Lock()
	awake := n.awake
	n.mu.Unlock()
	if awake == nil {
		return
	}
	select {
	case <-awake:
		return // for long
	default:
	}
	select {
	case <-awake:
		time.Sleep(n.w.span(0, time.Second, "awake "+what))
	case <-n.over:
	}
}

// hand is a call of an administrator's who does not look at what comes of it.
func (s *site) hand(method, path, body string) {
	if _, err := s.asked(method, path, []byte(body)); err != nil {
		s.w.note("people fail: %v", err)
	}
}
