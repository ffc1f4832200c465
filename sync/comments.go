package sync

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	gosync "sync"
	"time"

	"github.com/pullgrant/pullgrant/internal/github"
)

const (
	tellFor      = time.Hour // how long it is tried to write a comment; longer, it is of no use to anybody
	maxComments  = 5000      // that wait to be written
	commentPause = time.Second
)

const marker = github.AgentMarker

// comment is what the agent's comment on a pull request is to say.
type comment struct {
	number int // of the pull request; 0: there is none to tell, unless find tells it
	// find asks for the number, of the pull request that brought what is at path; 0: none did
	find    func(context.Context) (int, error)
	path    string
	what    string // one word for the log; a newer comment of another word takes the place of an older one
	compose func(context.Context) (string, error)
	close   bool // the pull request, when it is written
	last    bool // nothing becomes of the request after it, whoever leads
	// grant is the path of the one that it tells of, which is so until that is over; empty: it stays so
	grant string

	begun bool      // it is being written: what it tells of may have changed since it was composed
	until time.Time // it is tried
	again retry
}

// comments writes comments beside everything else the agent does, so that none holds up a grant, an
// end or a record. They are in memory only: what matters is in the ledger.
type comments struct {
	github *github.Client // nil: there are no pull requests
	now    func() time.Time
	log    *slog.Logger
	self   string // whose comments are the agent's own; empty until it is known

	turn    chan struct{} // has an element while one is written
	mu      gosync.Mutex
	pending map[string]*comment // by what it is about
}

func newComments(c Config) *comments {
	log := c.Logger.With("event", "note", "cluster", c.Cluster)
	return &comments{github: c.GitHub, now: c.Clock, log: log, pending: map[string]*comment{},
		turn: make(chan struct{}, 1)}
}

// put has a comment written soon, unless one of the same word waits for its pull request, which is
// composed only then.
func (n *comments) put(t comment) { n.queue(&t, false) }

// queue has a comment wait to be written, in the place of another about its pull request; of one of
// the same word only when it says something else by now. false: it does not wait.
func (n *comments) queue(t *comment, anew bool) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	before := n.pending[t.about()]
	switch {
	case n.github == nil, t.number == 0 && t.find == nil,
		before != nil && before.what == t.what && !anew && !before.begun:
		return false
	case before == nil && len(n.pending) >= maxComments:
		n.log.Error("too much waits to be told; it is in the ledger only", "pull_request", t.number,
			"what", t.what)
		return false
	}
	t.until = n.now().Add(tellFor)
	t.again.done(n.now())
	n.pending[t.about()] = t
	return true
}

// forget has what waits to be written of a grant stay unwritten on its pull request, as that is over. What is
// being written is.
func (n *comments) forget(number int, path string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	about := (&comment{number: number}).about()
	if t := n.pending[about]; t != nil && t.grant == path {
		delete(n.pending, about)
	}
}

// saying tells of which grants comments of a word wait to be written: by path, the pull request.
func (n *comments) saying(what string) map[string]int {
	n.mu.Lock()
	defer n.mu.Unlock()
	of := map[string]int{}
	for _, t := range n.pending {
		if t.what == what {
			of[t.grant] = t.number
		}
	}
	return of
}

// about is the pull request, as far as it is known.
func (t *comment) about() string {
	if t.find != nil {
		return t.path
	}
	return fmt.Sprint("#", t.number)
}

// leave forgets what by now another replica may have told otherwise, but for what nobody else tells of
// again.
func (n *comments) leave() {
	n.mu.Lock()
	defer n.mu.Unlock()
	maps.DeleteFunc(n.pending, func(_ string, t *comment) bool { return !t.last })
}

// begin leaves what an earlier term had to tell, and writes comments until ctx ends. What it returns
// waits for that.
func (n *comments) begin(ctx context.Context) (wait func()) {
	n.leave()
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.run(ctx)
	}()
	return func() { <-done }
}

// run writes comments until ctx ends, one at a time with a second between them, as GitHub asks of
// whoever writes much ("Pause between mutative requests"):
// https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api
func (n *comments) run(ctx context.Context) {
	ticker := time.NewTicker(commentPause)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			n.write(ctx)
		}
	}
}

// firstTime is how long something waits to be told before it happens.
const firstTime = 5 * time.Second

// first writes a comment now, before what it tells of happens. When that does not work in time, the
// comment stays to be written, unless another takes its place.
func (n *comments) first(ctx context.Context, t comment) {
	if !n.queue(&t, true) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, firstTime)
	defer cancel()
	n.try(ctx, &t)
}

// write tries the comment that has been due longest. It reports whether there was one.
func (n *comments) write(ctx context.Context) bool {
	t := n.due()
	return t != nil && ctx.Err() == nil && n.try(ctx, t)
}

// try writes a comment, unless ctx ends before.
func (n *comments) try(ctx context.Context, t *comment) bool {
	select {
	case n.turn <- struct{}{}:
		defer func() { <-n.turn }()
	case <-ctx.Done():
		return false
	}
	n.mu.Lock()
	waits := n.pending[t.about()] == t
	t.begun = waits
	n.mu.Unlock()
	if !waits { // another took its place, or wrote it
		return true
	}
	err := n.say(ctx, t)
	n.mu.Lock()
	defer n.mu.Unlock()
	if t.begun = false; ctx.Err() != nil {
		return false
	}
	log, now := n.log.With("pull_request", t.number, "what", t.what), n.now()
	switch {
	case err == nil:
		log.Info("told")
	case now.Before(t.until):
		t.again.later(now)
		log.Error("it could not be told; trying again", "error", err.Error())
		return true
	default:
		log.Error("it could not be told; giving up, it is in the ledger", "error", err.Error())
	}
	if n.pending[t.about()] == t {
		delete(n.pending, t.about())
	}
	return true
}

// before orders comments by how long they have been due.
func (t *comment) before(other *comment) bool {
	return cmp.Or(t.again.next.Compare(other.again.next), cmp.Compare(t.number, other.number),
		cmp.Compare(t.path, other.path)) < 0
}

// due is the comment that has been due longest; nil when none is.
func (n *comments) due() (first *comment) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.now() // a clock that was ahead, and is set right, puts off nothing for long
	for _, t := range n.pending {
		if t.again.dueWithin(now, longPause) && (first == nil || t.before(first)) {
			first = t
		}
	}
	return first
}

func (n *comments) say(ctx context.Context, t *comment) (err error) {
	ctx, cancel := context.WithTimeout(ctx, proveTimeout)
	defer cancel()
	if n.self == "" {
		if n.self, err = n.github.Self(ctx); err != nil {
			return err
		}
	}
	if t.find != nil {
		if t.number, err = t.find(ctx); err != nil || t.number == 0 {
			return err
		}
	}
	text, err := t.compose(ctx)
	if err != nil {
		return err
	}
	if _, err := n.github.Comment(ctx, t.number, n.self, marker, text); err != nil || !t.close {
		return err
	}
	return n.github.Close(ctx, t.number)
}
