package simulation

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/simulation/cluster"
)

// Systems that an agent calls.
const (
	kubernetes = "kubernetes"
	github     = "github"
	git        = "git"
)

var errBroken = errors.New("simulation: the connection broke")

// meddle changes a call of a process, or answers it: then it goes no further.
type meddle func(process string, r *http.Request, body []byte) ([]byte, *http.Response)

// wire is the network of one process. Nothing leaves it any more once the process is dead.
type wire struct {
	*site
	account string // the ServiceAccount that it has
	process string
	kill    context.CancelFunc
	over    <-chan struct{} // closed once it is to end
	port    *port           // where it is asked how it is
	audit   *port           // where it is told of commands

	mu    sync.Mutex
	dead  bool
	awake chan struct{} // closed once the process does not stand still any more; nil: it never did
}

// user is the process, as Kubernetes knows it.
func (n *wire) user() string {
	return "system:serviceaccount:" + requests.AgentNamespace + ":" + n.account
}

func (n *wire) isDead() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dead
}

// crash ends the process: from now on nobody hears of it.
func (n *wire) crash(why string) {
	n.mu.Lock()
	was := n.dead
	n.dead = true
	n.mu.Unlock()
	if !was {
		n.w.note("%s dies: %s", n.process, why)
		n.w.add(event{died: n.process})
		n.kill()
	}
}

// RoundTrip carries one call there and its answer back, if nothing happens to it.
func (n *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w, body := n.w, []byte(nil)
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body.Close()
	}
	// whose context ends at this very time does not call, whoever else saw that first
	if err := wait(r.Context(), time.Nanosecond); err != nil {
		return nil, err
	}
	id, system, made := n.name(r, body), n.systemOf(r), time.Now().UTC()
	defer w.drawn("after " + id)
	n.sleep("before " + id)
	if n.isDead() {
		return nil, errBroken
	}
	took := w.span(time.Millisecond, 30*time.Millisecond, "there "+id)
	if w.fault(slow, id) {
		took = w.span(time.Second, 40*time.Second, "slow there "+id)
	}
	if err := wait(r.Context(), took); err != nil &&
		(r.Method == http.MethodGet || !w.fault(late, id)) {
		return nil, err
	}
	if w.fault(crashBefore, id) {
		n.crash("before " + id)
	}
	if n.isDead() {
		return nil, errBroken
	}
	if w.isDown(system) || w.fault(dropped, id) {
		w.note("%s does not arrive", id)
		return nil, errBroken
	}
	response := n.deliver(id, r, body, made)
	if r.Method != http.MethodGet && system == of(kubernetes, n.site.name) && w.fault(twice, id) {
		n.deliver(id+" again", r, body, made).Body.Close()
	}
	if w.fault(crashAfter, id) {
		n.crash("after " + id)
	}
	if n.isDead() || w.fault(lost, id) {
		w.note("%s: the answer is lost", id)
		response.Body.Close()
		return nil, errBroken
	}
	err := wait(r.Context(), w.span(time.Millisecond, 30*time.Millisecond, "back "+id))
	if n.sleep("after " + id); err != nil {
		response.Body.Close()
		return nil, err
	}
	n.hears(response)
	return response, nil
}

// name is what a call is called, with how often it was made. Several that are made at one time have
// one name and one fate: which of them is whose, scheduling would decide. What is pushed is not the
// same from one run to the other, for a pack may have its objects in any order; nor is a comment that
// tells of one of two errors, nor a question to a service, which has a number of its own.
func (n *wire) name(r *http.Request, body []byte) string {
	query := url.Values{}
	for key, values := range r.URL.Query() {
		switch key { // what differs from one time to the other
		case "timeout", "timeoutSeconds", "resourceVersion", "continue":
		default:
			query[key] = values
		}
	}
	what := fmt.Sprintf("%s %s %s?%s", n.process, r.Method, r.URL.Path, query.Encode())
	if len(body) > 0 && n.systemOf(r) != git && !strings.HasSuffix(r.URL.Path, "/comments") &&
		!isOutside(r.URL.Host) {
		what += fmt.Sprintf(" %x", sha256.Sum256(body))[:9]
	}
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	times := n.w.counts[what]
	if now := time.Now(); times.n == 0 || !times.last.Equal(now) {
		times = count{times.n + 1, now}
	}
	n.w.counts[what] = times
	return fmt.Sprintf("%s #%d", what, times.n)
}

// count is how often a call was made.
type count struct {
	n    int
	last time.Time
}

// systemOf is the system that a call is for.
func (n *wire) systemOf(r *http.Request) string {
	switch {
	case r.URL.Host == n.host():
		return of(kubernetes, n.site.name)
	case isOutside(r.URL.Host):
		return r.URL.Host
	case strings.Contains(r.URL.Path, ".git/"):
		return git
	}
	return github
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		// An http.Client has a timer of its own for the time at which a call is late, and says so where
		// that fired first: people read it, and it must not be chance.
		if ctx.Err() == context.DeadlineExceeded {
			time.Sleep(time.Nanosecond)
		}
		return ctx.Err()
	}
}

// deliver has the system answer.
func (n *wire) deliver(id string, r *http.Request, body []byte, made time.Time) (
	response *http.Response) {
	defer func() { n.w.note("%s %d", id, response.StatusCode) }()
	if n.w.meddle != nil {
		if body, response = n.w.meddle(n.process, r, body); response != nil {
			return response
		}
	}
	switch n.systemOf(r) {
	case of(kubernetes, n.site.name):
	case git, github:
		return n.askHub(id, r, body)
	default:
		return n.askOutside(id, r, body)
	}
	r = r.Clone(r.Context())
	r.Header.Set(cluster.UserHeader, n.user())
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	if query := r.URL.Query(); query.Has("watch") {
		// client-go draws it, and which watch draws what depends on scheduling; its least is 300
		query.Set("timeoutSeconds", fmt.Sprint(200+n.w.below(100, "watched "+id)))
		r.URL.RawQuery = query.Encode()
		return n.watch(id, r)
	}
	return n.site.serve(n, r, body, made)
}

// watch is an answer that goes on, until its reader closes it or it is ended.
type watch struct {
	io.ReadCloser
	id      string
	site    *site
	because func(why error) // ends it; its reader is told why
}

func (n *wire) watch(id string, r *http.Request) *http.Response {
	answer, because := n.Stream(r)
	one := &watch{ReadCloser: answer.Body, id: id, site: n.site, because: because}
	n.w.mu.Lock()
	n.w.watches[one] = true
	n.w.mu.Unlock()
	answer.Body = one
	return answer
}

// end ends it once: where it broke, its reader draws while another goroutine closes it.
func (one *watch) end(why error) {
	w := one.site.w
	w.mu.Lock()
	on := w.watches[one]
	delete(w.watches, one)
	w.mu.Unlock()
	if on {
		w.drawn("end of " + one.id)
		one.because(why)
	}
}

// Close is called by the reader.
func (one *watch) Close() error {
	one.end(io.EOF)
	return one.ReadCloser.Close()
}
