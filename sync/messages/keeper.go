// Package messages has people told in the channels that policies name what becomes of requests:
// beside everything else the agent does, so that no channel holds up a grant, an end or a record.
package messages

import (
	"context"
	"log/slog"
	"maps"
	gosync "sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/pullgrant/pullgrant/internal/notify"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/monitor"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// Keeper knows what was told and what is to be, and sends it. A nil one tells nobody.
//
// What is to be told of a request follows from its record, so it is found again by whoever comes
// after a crash; it is noted, with the message, in a ConfigMap, before the record is forgotten. A
// message is sent only once a note says that it is being sent, and taken off when its channel has
// taken it. So each arrives once over restarts and changes of the leader. But a channel may fail, or
// fall silent, and have it all the same, and a process may die between the two: then it is sent again
// and says that it may be a repeat. That is better than an end, or a broken glass, that nobody hears
// of.
//
// Which channels are told, the policy says as it stands now, on the branch and proven: so who owns
// it can mend the name of a channel for what is live. One that was taken away, or is not proven any
// more, counts as it did last, so that the end of what it gave is told, and no push that nobody
// approved has anybody not told.
//
// What came about before the state was first written, or lost, is not told, nor what is found over
// an hour later: it is no news.
type Keeper struct {
	cluster  *kube.Cluster
	channels *notify.Channels
	page     func(pullRequest int) string // address of it; empty: it has none
	now      func() time.Time
	metrics  *monitor.Metrics
	log      *slog.Logger

	writing chan struct{} // has an element while the state is written

	mu      gosync.Mutex // never held while waiting for anything
	state   *state       // nil: it was not read in this term
	version string       // of the ConfigMap; "" when it does not exist yet
	changed bool         // since it was written
	// early were written before the state could be read
	early    []plan.Record
	extended map[string]string                  // by name of a request, that of what goes on from it
	asked    map[string][]policies.Notification // nil: the policies were not read in this term
	busy     map[string]bool                    // channels that something is sent to
}

// NewKeeper prepares a keeper; log says of which cluster it is. Without channels it is nil.
func NewKeeper(cluster *kube.Cluster, channels *notify.Channels, page func(int) string,
	now func() time.Time, metrics *monitor.Metrics, log *slog.Logger) *Keeper {
	if channels == nil {
		return nil
	}
	return &Keeper{cluster: cluster, channels: channels, page: page, now: now, metrics: metrics,
		log: log.With("event", "message"), writing: make(chan struct{}, 1), busy: map[string]bool{}}
}

// Restart forgets what an earlier term, or pass, knew, which by now another replica may have changed.
func (k *Keeper) Restart() {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.state, k.version, k.changed, k.early, k.asked = nil, "", false, nil, nil
}

// Begin restarts and sends until ctx ends. What it returns waits for that.
func (k *Keeper) Begin(ctx context.Context) (wait func()) {
	if k == nil {
		return func() {}
	}
	k.Restart()
	done := make(chan struct{})
	go func() {
		defer close(done)
		k.run(ctx)
	}()
	return func() { <-done }
}

// Look finds what the records in the cluster tell that was not told.
func (k *Keeper) Look(ctx context.Context, records []plan.Record) {
	if k == nil {
		return
	}
	first, ok := k.read(ctx)
	if !ok {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	k.extended = extensions(records)
	for _, r := range k.early {
		k.written(r)
	}
	k.early = nil
	var paths []string
	for _, r := range records {
		paths = append(paths, r.Grant.Path)
		for _, n := range newsOf(r, k.extended[r.Grant.Name], now) {
			k.tell(of(r), n, !first)
		}
	}
	k.state.see(paths, now)
}

// Ending tells what is about to end, once a pass knows what goes on from it.
func (k *Keeper) Ending(records []plan.Record) {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.state == nil {
		return
	}
	for _, r := range records {
		if k.extended[r.Grant.Name] != "" {
			continue // its access does not end with it
		}
		for _, asked := range k.state.Asked[r.Grant.Policy] {
			if n, due := endingNews(r, asked, k.now()); due {
				k.tell(of(r).in(asked.Channel), n, true)
			}
		}
	}
}

// Record tells what a record says that was written just now.
func (k *Keeper) Record(r plan.Record) {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.state == nil {
		k.early = append(k.early, r)
		return
	}
	k.written(r)
}

// written tells what a record says. What begins is news now, whenever its window began.
func (k *Keeper) written(r plan.Record) {
	now := k.now()
	for _, n := range newsOf(r, k.extended[r.Grant.Name], now) {
		if r.Phase != plan.Ended {
			n.at = now
		}
		k.tell(of(r), n, true)
	}
}

// Waits tells of a merged request that waits for longer than Late for its judgement, or to be
// granted: why, where a code says that. content is its file.
func (k *Keeper) Waits(path string, content []byte, pullRequest int, since time.Time,
	code policies.Code) {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.state == nil {
		return
	}
	k.tell(subject{path: path, pullRequest: pullRequest}.asks(content), waitingNews(since, code), true)
}

// Owes tells of break-glass that nobody has answered for in time.
func (k *Keeper) Owes(debts []policies.Debt) {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, d := range debts {
		s := d.Spec
		if k.state == nil || k.now().Before(s.DueAt.Time) {
			continue
		}
		n := overdueNews(d)
		// it is overdue until somebody answers, however late that is found
		if !n.at.Before(k.state.Begun) {
			n.at = k.now()
		}
		k.tell(subject{path: requests.Path(s.Cluster, s.Policy, d.Metadata.Name),
			requester: s.Requester, pullRequest: s.PullRequest}, n, true)
	}
}

// Policies says what each policy on the branch asks to be told.
func (k *Keeper) Policies(asked map[string][]policies.Notification) {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked = maps.Clone(asked)
}

// subject is the request that something is told of.
type subject struct {
	path, requester string
	reason          string
	pullRequest     int    // 0: none is known
	channel         string // empty: those that its policy asks for
}

func (s subject) in(channel string) subject { s.channel = channel; return s }

// of is the request of a record. Of one that is refused the record may know less.
func of(r plan.Record) subject {
	s := subject{path: r.Grant.Path, requester: r.Grant.Requester,
		pullRequest: r.Grant.Evidence.PullRequest}
	return s.asks(r.Request)
}

// asks adds who asks and why, as far as the file says that.
func (s subject) asks(content []byte) subject {
	if request, findings := requests.ParseRequest(s.path, content); len(findings) == 0 {
		s.requester, s.reason = request.Spec.Requester, request.Spec.Reason
	}
	return s
}

// tell has a thing told, unless it was, or is no news.
func (k *Keeper) tell(about subject, n news, fresh bool) {
	now, mark := k.now(), n.mark
	if mark == "" {
		mark = n.event
	}
	if !k.state.tell(about.path, mark, now) {
		return
	}
	k.changed = true
	if !fresh || n.at.Before(k.state.Begun) || now.Sub(n.at) > tellFor {
		return
	}
	place, _ := requests.SplitPath(about.path)
	if n.event == policies.NotifyEnded || n.event == policies.NotifyRefused {
		k.state.outdate(place.Name)
	}
	content := notify.Message{Event: n.event, Cluster: k.cluster.Name, Policy: place.Policy,
		Request: place.Name, Requester: about.requester, Reason: about.reason, Happened: n.happened,
		Next: n.next, Who: n.who}
	if about.pullRequest > 0 {
		content.URL = k.page(about.pullRequest)
	}
	k.state.Queue = append(k.state.Queue, &message{Channel: about.channel, Since: now,
		Content: content.Bounded()})
}

// readTime bounds what a pass waits for the state.
const readTime = time.Second

// read has the state read, once a term. first: nothing was kept before. What cannot be understood is
// begun anew.
func (k *Keeper) read(ctx context.Context) (first, ok bool) {
	k.mu.Lock()
	known := k.state != nil
	k.mu.Unlock()
	if known {
		return false, true
	}
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	packed, version, err := k.cluster.ReadMessages(ctx)
	if err != nil {
		k.log.Error("what was told in channels is not known; nothing is told until it is", "error",
			err.Error())
		return false, false
	}
	read, first, err := unpack(packed, k.now())
	if err != nil {
		k.log.Error("what was told in channels cannot be read, so it is noted anew; what is not told "+
			"yet is not", "error", err.Error())
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.state, k.version, k.changed = read, version, first
	return first, true
}

// writeTime bounds one try to write the state.
const writeTime = 5 * time.Second

// Keep writes the state, if it changed: what is to be told outlasts this process then, and the
// records that it follows from can be forgotten. It tells whether that worked.
func (k *Keeper) Keep(ctx context.Context) bool {
	if k == nil {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	select {
	case k.writing <- struct{}{}:
		defer func() { <-k.writing }()
	case <-ctx.Done():
		return false
	}
	k.mu.Lock()
	if k.state == nil {
		k.mu.Unlock()
		return false
	}
	k.settle()
	if !k.changed {
		k.mu.Unlock()
		return true
	}
	packed, version := kube.Pack(k.state), k.version
	k.changed = false
	k.mu.Unlock()
	written, err := k.cluster.WriteMessages(ctx, packed, version)
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) || apierrors.IsAlreadyExists(err) {
		// deleted by somebody, or written: whoever leads knows better, and writes over it next time
		if _, now, readErr := k.cluster.ReadMessages(ctx); readErr == nil {
			written = now
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if err == nil || written != "" {
		k.version = written
	}
	if err != nil {
		k.changed = true
		k.log.Error("what is told in channels cannot be noted; nothing is told until it is", "error",
			err.Error())
	}
	return err == nil
}

// settle brings the queue up to date with the policies and the clock.
func (k *Keeper) settle() {
	if k.asked != nil {
		k.changed = k.state.learn(k.asked) || k.changed
	}
	k.changed = k.state.route(k.asked != nil) || k.changed
	for _, m := range k.state.bound(k.now()) {
		k.changed = true
		k.metrics.Told(monitor.MessageLost)
		k.log.Error("a message could not be told; giving up, the pull request has it", "channel",
			m.Channel, "request", m.Content.Request, "what", m.Content.Event)
	}
	k.metrics.ToTell(len(k.state.Queue))
}
