package simulation

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/simulation/cluster"
)

// Faults of calls. A call is named by its process, what it asks for, and how many the same process
// made for the same before.
const (
	slow        = "slow"         // it takes seconds
	dropped     = "dropped"      // it never arrives
	late        = "late"         // given up by the caller, it arrives all the same
	twice       = "twice"        // it arrives twice
	lost        = "answer lost"  // it does what it asks for, and the caller never knows
	crashBefore = "crash before" // the process dies as it makes the call
	crashAfter  = "crash after"  // the process dies while the answer is on its way
)

// Faults that come with a doing of people's, by which they are named.
const (
	outageOf = "outage of "  // a system answers nobody, up to the time outage
	broken   = "watches end" // all that are under way
	// compacted: Kubernetes forgets all versions but the last, so that watches cannot go on
	compacted = "history compacted"
	// still: Kubernetes' controllers do nothing, up to the time outage
	still = "controllers stand still"
)

// controllers are those of Kubernetes: a system that nobody calls.
const controllers = "controllers"

// skewed is the clock of a replica, by which it is named.
const skewed = "skew"

// outage is the longest one of a system.
const outage = 40 * time.Minute

// everything is each fault, as often as lets most of what people do still come to something: of
// 100,000 occasions.
var everything = map[string]int{slow: 200, dropped: 500, late: 50_000, twice: 500, lost: 500,
	crashBefore: 10, crashAfter: 10, outageOf + kubernetes: 3000, outageOf + git: 3000,
	outageOf + github: 3000, broken: 10_000, compacted: 5000, still: 3000,
	skewed: 70_000}

// fault tells whether a fault of a kind takes an occasion.
func (w *world) fault(kind, occasion string) bool {
	name := kind + ": " + occasion
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.calm || w.below(100_000, name) >= w.faults[kind] || w.only != nil && !w.only[name] {
		return false
	}
	w.met = append(w.met, name)
	w.history = append(w.history, event{at: time.Now().UTC(), fault: name})
	return true
}

// setCalm has no fault begin any more.
func (w *world) setCalm() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calm = true
}

// beside begins the faults that come with a doing.
func (w *world) beside(what string, ending *sync.WaitGroup) {
	for _, system := range []string{kubernetes, git, github} {
		if w.isDown(system) || !w.fault(outageOf+system, what) {
			continue
		}
		w.setDown(system, true)
		ending.Go(func() {
			time.Sleep(w.span(time.Second, outage, outageOf+system+" length "+what))
			w.setDown(system, false)
		})
	}
	if !w.isDown(controllers) && w.fault(still, what) {
		w.setDown(controllers, true)
		ending.Go(func() {
			time.Sleep(w.span(time.Second, outage, still+" length "+what))
			w.setDown(controllers, false)
		})
	}
	if w.fault(compacted, what) {
		w.cluster.Compact()
	}
	if w.fault(broken, what) {
		w.cut()
	}
}

// setDown has a system answer nobody, or everybody again.
func (w *world) setDown(system string, down bool) {
	w.note("%s down: %t", system, down)
	w.add(event{down: map[string]bool{system: down}})
	w.mu.Lock()
	w.down[system] = down
	w.mu.Unlock()
	switch system {
	case kubernetes:
		if down {
			w.cut()
		}
	case controllers:
		w.cluster.SetFaults(func(f *cluster.Faults) { f.NoJobs, f.NoTTL, f.NoGC = down, down, down })
	}
}

func (w *world) isDown(system string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.down[system]
}

// cut breaks every watch, one by one: what their readers draw then depends on the order.
func (w *world) cut() {
	w.mu.Lock()
	all := make([]*watch, 0, len(w.watches))
	for one := range w.watches {
		all = append(all, one)
	}
	w.mu.Unlock()
	slices.SortFunc(all, func(a, b *watch) int { return strings.Compare(a.id, b.id) })
	for _, one := range all {
		time.AfterFunc(w.span(0, time.Second, "cut "+one.id), func() { one.end(errBroken) })
	}
}

// removes deletes an object of a request by hand, as an administrator of the cluster.
func (w *world) removes(what, resource string, r *request) error {
	w.does(what, r)
	path := fmt.Sprintf("http://%s/apis/%s/v1/namespaces/%s/%s/%s", kubernetesHost,
		map[string]string{"rolebindings": "rbac.authorization.k8s.io", "jobs": "batch"}[resource],
		namespace, resource, requests.ObjectName(r.name, 0))
	q, err := http.NewRequest(http.MethodDelete, path,
		io.NopCloser(bytes.NewReader([]byte(`{"propagationPolicy":"Background"}`))))
	if err != nil {
		return err
	}
	q.Header.Set(cluster.UserHeader, cluster.Admin)
	answer := httptest.NewRecorder()
	w.cluster.ServeHTTP(answer, q)
	if answer.Code >= http.StatusBadRequest {
		return errors.New(answer.Body.String())
	}
	return nil
}
