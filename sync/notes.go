package sync

import (
	"context"
	"log/slog"
	gosync "sync"
	"time"

	"github.com/pullgrant/pullgrant/internal/github"
)

const (
	notesFor  = time.Hour // how long it is tried to write a note; longer, it is of no use to anybody
	maxNotes  = 5000      // that wait to be written
	notePause = time.Second
)

// marker begins the agent's one comment on a pull request. GitHub shows nothing of it.
const marker = "<!-- pullgrant: access -->"

// note is what the agent's comment on a pull request is to say.
type note struct {
	number  int    // of the pull request; 0: there is none to tell
	what    string // one word for the log; a newer note of another word takes the place of an older one
	compose func(context.Context) (string, error)
	close   bool // the pull request, when it is written

	until, next time.Time
	pause       time.Duration
}

// notes writes notes beside everything else the agent does, so that none holds up a grant, an end or a record. They are
// in memory only: what matters is in the ledger.
type notes struct {
	github *github.Client // nil: there are no pull requests
	now    func() time.Time
	log    *slog.Logger
	self   string // whose comments are the agent's own; empty until it is known

	mu      gosync.Mutex
	pending map[int]*note // by number of the pull request
}

func newNotes(c Config) *notes {
	return &notes{github: c.GitHub, now: c.Clock, log: c.Logger.With("event", "note", "cluster", c.Cluster), pending: map[int]*note{}}
}

// put has a note written soon.
func (n *notes) put(t note) {
	n.mu.Lock()
	defer n.mu.Unlock()
	before := n.pending[t.number]
	switch {
	case n.github == nil, t.number == 0, before != nil && before.what == t.what:
		return
	case before == nil && len(n.pending) >= maxNotes:
		n.log.Error("too much waits to be told; it is in the ledger only", "pull_request", t.number, "what", t.what)
		return
	}
	t.next = n.now()
	t.until = t.next.Add(notesFor)
	n.pending[t.number] = &t
}

// begin forgets what an earlier term left, which by now another replica may have told otherwise, and writes notes until ctx
// ends. What it returns waits for that.
func (n *notes) begin(ctx context.Context) (wait func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.pending = map[int]*note{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.run(ctx)
	}()
	return func() { <-done }
}

// run writes notes until ctx ends, one at a time with a second between them, as GitHub asks of whoever writes much
// (https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api#pause-between-mutative-requests).
func (n *notes) run(ctx context.Context) {
	ticker := time.NewTicker(notePause)
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

// write tries the note that has been due longest. It reports whether there was one.
func (n *notes) write(ctx context.Context) bool {
	t := n.due()
	if t == nil || ctx.Err() != nil {
		return false
	}
	err := n.say(ctx, t)
	if ctx.Err() != nil {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	log, now := n.log.With("pull_request", t.number, "what", t.what), n.now()
	switch {
	case err == nil:
		log.Info("told")
	case now.Before(t.until):
		t.pause = min(max(2*t.pause, firstPause), longPause)
		t.next = now.Add(t.pause)
		log.Error("it could not be told; trying again", "error", err.Error())
		return true
	default:
		log.Error("it could not be told; giving up, it is in the ledger", "error", err.Error())
	}
	if n.pending[t.number] == t {
		delete(n.pending, t.number)
	}
	return true
}

func (n *notes) due() (first *note) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.now()
	for _, t := range n.pending {
		if !now.Before(t.next) && (first == nil || t.next.Before(first.next) || t.next.Equal(first.next) && t.number < first.number) {
			first = t
		}
	}
	return first
}

func (n *notes) say(ctx context.Context, t *note) (err error) {
	ctx, cancel := context.WithTimeout(ctx, proveTimeout)
	defer cancel()
	if n.self == "" {
		if n.self, err = n.github.Self(ctx); err != nil {
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
