package sync

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/internal/inquire"
	"github.com/pullgrant/pullgrant/internal/notify"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/expiry"
	"github.com/pullgrant/pullgrant/sync/git"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/monitor"
	"github.com/pullgrant/pullgrant/sync/names"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// Config is what an agent needs.
type Config struct {
	Cluster    string // name in the access repository
	Repository *git.Repository
	GitHub     *github.Client // nil: --evidence=branch, the branch is trusted and nothing is proved
	Identity   string         // of this replica, unlike that of any other one
	// TrustRoot is the commit whose policies and owners are taken as given; empty: the repository's
	// first.
	TrustRoot string
	// RepositoryID is the number of the access repository at GitHub; 0: that of the one it was
	// first run for, which the Lease has.
	RepositoryID int64
	Kubernetes   *kube.Config
	AWSAuth      bool              // the cluster is on EKS and lets people in by aws-auth
	Channels     *notify.Channels  // that policies may name, to tell people; nil: there are none
	Answerers    inquire.Answerers // of whom challenges ask outside of GitHub and the cluster; nil: nobody
	Poll         time.Duration     // between two looks at the branch
	Clock        func() time.Time  // wall clock
	Signer       *git.Signer       // of the ledger's commits; nil: unsigned
	Logger       *slog.Logger

	Version string // of this program, for the metrics
	// Listener is where Run answers probes, Prometheus and GitHub, and which it closes; nil:
	// nowhere.
	Listener      net.Listener
	WebhookSecret []byte // of GitHub's webhook; empty: there is none
	// Audit is where the API server's audit webhook tells of commands that were used, over TLS, and
	// which Run closes; nil: nowhere.
	Audit      net.Listener
	AuditToken []byte // that it must bear; empty: its certificate says who it is
}

// Agent makes one cluster follow the access repository: it grants what it can prove, ends it on
// time, and enters what ended into the ledger. It keeps nothing on disk; what it must remember is
// in the cluster. Run, Once and DryRun may not be called at the same time.
type Agent struct {
	cluster  *kube.Cluster
	watching *kube.Cluster // the same, for watches: no call of it ends by itself
	expirer  *expiry.Expirer
	branch   *branch
	github   *github.Client // nil: the branch is the evidence
	clocks   *clocks
	poll     time.Duration
	identity string
	log      *slog.Logger

	gate        *gate   // what keeps it from granting
	prover      *prover // what it judges
	merger      *merger
	refusals    refusals
	debts       *debts       // what is owed for break-glass
	withdrawals *withdrawals // what ends grants though it is not on the branch yet
	names       *names.Keeper
	tell        *teller // whom it tells
	trying      *tries  // what did not work and is tried again
	metrics     *monitor.Metrics
	server      *monitor.Server
	audited     bool              // the API server tells of commands
	denied      map[string]string // what rules say against live access, as it was told last
	teams       teams             // of people with live access
	followUses  func(context.Context) (wait func())
	next        time.Time     // when the next pass is to begin at the latest; zero: by the poll
	wake        chan struct{} // has an element when the next pass is to begin early
}

// NewAgent prepares an agent; nothing is called yet. Errors are about the configuration.
func NewAgent(c Config) (*Agent, error) {
	if problem := requests.CheckName(c.Cluster); problem != "" {
		return nil, fmt.Errorf("cluster %s: %s", requests.Quote(c.Cluster), problem)
	}
	if c.TrustRoot != "" && !git.IsHash(c.TrustRoot) {
		return nil, fmt.Errorf("the trust root is %s; name a commit by its 40 hexadecimal digits",
			requests.Quote(c.TrustRoot))
	}
	clocks := &clocks{Clock: &kube.Clock{Wall: c.Clock}, github: c.GitHub}
	cluster, err := kube.NewCluster(c.Kubernetes, c.Cluster, kube.CallTimeout, clocks.Watch)
	if err != nil {
		return nil, err
	}
	watching, err := kube.NewCluster(c.Kubernetes, c.Cluster, 0, clocks.Watch)
	if err != nil {
		return nil, err
	}
	metrics := monitor.NewMetrics(c.Cluster, c.Version, c.Clock)
	if c.GitHub != nil {
		c.GitHub.Hold(held{c.Repository})
		metrics.WatchGitHub("rest", func() monitor.Budget {
			rest, _ := c.GitHub.Budgets()
			return monitor.Budget(rest)
		})
		metrics.WatchGitHub("graphql", func() monitor.Budget {
			_, graphQL := c.GitHub.Budgets()
			return monitor.Budget(graphQL)
		})
	}
	comments := newComments(c)
	cluster.AWSAuthKept = c.AWSAuth
	a := &Agent{cluster: cluster, watching: watching,
		expirer: expiry.New(watching, clocks.now, metrics, c.Logger), github: c.GitHub,
		clocks: clocks, poll: c.Poll, identity: c.Identity,
		log: c.Logger, metrics: metrics, wake: make(chan struct{}, 1),
		trying: &tries{ends: map[string]*lasting{}, entering: map[string]waitingEntry{}}}
	a.branch = newBranch(c, cluster, metrics)
	a.gate = newGate(cluster, c.GitHub, clocks, c.RepositoryID)
	a.withdrawals = &withdrawals{cluster: c.Cluster, github: c.GitHub, branch: a.branch,
		list: c.GitHub.FollowOpen(), wall: c.Clock, comments: comments, log: c.Logger}
	a.prover = &prover{cluster: cluster, branch: a.branch, github: c.GitHub, clocks: clocks,
		gate: a.gate, metrics: metrics, log: c.Logger, root: c.TrustRoot,
		answerers: answerers(c.Answerers, cluster), withdrawals: a.withdrawals,
		waiting: map[string]waiting{}, proved: map[string]plan.Proof{},
		asking: map[string]retry{}}
	a.merger = &merger{cluster: c.Cluster, github: c.GitHub, prover: a.prover,
		withdrawals: a.withdrawals, log: c.Logger}
	a.tell = &teller{cluster: cluster, wall: c.Clock, comments: comments, metrics: metrics,
		log: c.Logger, events: kube.NewEvents(cluster, clocks.now, c.Logger)}
	a.tell.messages = newMessages(c, a)
	a.debts, a.merger.wake = newDebts(a), a.early
	a.names = names.NewKeeper(watching, c.Clock, c.Logger.With("cluster", c.Cluster))
	a.server = &monitor.Server{Listener: c.Listener, Secret: c.WebhookSecret, Metrics: metrics,
		Wake: a.early, Log: c.Logger.With("cluster", c.Cluster)}
	a.audited = c.Audit != nil
	a.followUses = followUses(c, watching, a.expirer, clocks, metrics)
	return a, nil
}

// Run works until ctx ends: it expires, and while it holds the Lease it grants and records. Errors
// are logged and what caused them is tried again; the one it returns is of a watch or an election
// that could not even begin.
func (a *Agent) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer a.tell.events.Wait()
	defer a.server.Serve(ctx)()
	defer a.followUses(ctx)()
	a.start()
	expiring := make(chan error, 1)
	go func() {
		err := a.expirer.Run(ctx)
		expiring <- err
		cancel(err)
	}()
	var err error
	for ctx.Err() == nil && err == nil {
		if err = a.cluster.Lead(ctx, a.identity, a.log, a.passes); err != nil {
			cancel(err)
		}
	}
	return errors.Join(err, <-expiring)
}

// passes takes one pass after the other until ctx ends. What other replicas did meanwhile is read
// anew.
func (a *Agent) passes(ctx context.Context) {
	a.metrics.Lead(true)
	defer a.metrics.Lead(false)
	a.branch.restart()
	a.prover.trust, a.prover.silent = nil, silences{}
	a.tell.restart()
	defer a.tell.comments.begin(ctx)()
	defer a.tell.messages.Begin(ctx)()
	defer a.names.Begin(ctx)()
	a.watching.WatchExec(ctx, a.early)
	for ctx.Err() == nil {
		begin := a.clocks.now()
		failed := a.pass(ctx)
		err := failed.err()
		if err != nil && ctx.Err() == nil {
			a.log.Error("the pass is not complete; trying again", "event", "pass", "cluster",
				a.cluster.Name, "error", err.Error())
		}
		a.metrics.Passed(failed.stages(), len(a.prover.waiting))
		a.metrics.Lasting(len(a.trying.ends))
		a.sleep(ctx, err, a.clocks.now().Sub(begin))
	}
}

// sleep waits for the next pass: the rest of the poll, or until a binding disappears that is to be
// recorded or a webhook wakes it, but then at least a moment, so that many in a row are one.
func (a *Agent) sleep(ctx context.Context, err error, took time.Duration) {
	// took is negative when a clock was set back meanwhile
	rest := min(max(a.poll-took, 0), a.poll)
	if !a.next.IsZero() {
		rest = min(rest, max(a.next.Sub(a.clocks.wall()), 0))
	}
	defer func() { // what came until now, the next pass sees
		select {
		case <-a.wake:
		default:
		}
	}()
	if rest == 0 {
		return
	}
	timer := time.NewTimer(rest)
	defer timer.Stop()
	calm := time.After(min(a.poll, wakeGap))
	vanish := a.expirer.Vanished
	if err != nil {
		vanish = nil // nothing could be recorded now; the poll is soon enough
	}
	select {
	case <-ctx.Done():
		return
	case <-timer.C:
		return
	case <-a.wake:
	case <-vanish:
		calm = time.After(min(a.poll, 200*time.Millisecond))
	}
	select {
	case <-ctx.Done():
	case <-calm:
	}
}

// early has the next pass begin soon.
func (a *Agent) early() {
	select {
	case a.wake <- struct{}{}:
	default: // it will
	}
}

// wakeGap is the least time between the end of a pass and the next one that a webhook brings.
const wakeGap = time.Second

// Once takes one full pass, unless a replica that runs holds the Lease. An error means that it is
// not complete; what could be done was.
func (a *Agent) Once(ctx context.Context) error {
	defer a.tell.events.Wait()
	a.start()
	holder, err := a.cluster.Leader(ctx, a.clocks.wall())
	if err != nil {
		return fmt.Errorf("settling the cluster: %w", err)
	}
	if holder != "" {
		return fmt.Errorf("%s holds Lease %s/%s, so it grants and records; nothing was done",
			requests.Quote(holder), kube.Namespace, kube.LeaseName)
	}
	a.tell.messages.Restart()
	err = a.pass(ctx).err()
	for a.tell.comments.due() != nil {
		a.leaveToLeader(ctx)
		if !a.tell.comments.write(ctx) {
			break
		}
	}
	a.tell.messages.Flush(ctx)
	return err
}

// leaveToLeader has a single pass tell nothing that a replica tells otherwise which leads by now: what was
// judged meanwhile does not wait any more.
func (a *Agent) leaveToLeader(ctx context.Context) {
	if holder, err := a.cluster.Leader(ctx, a.clocks.wall()); err == nil && holder != "" {
		a.tell.comments.leave()
	}
}

func (a *Agent) start() {
	a.log.Info("starting", "event", "start", "cluster", a.cluster.Name, "exec_audit",
		a.audited)
	if a.github == nil {
		a.log.Warn("EVIDENCE IS THE BRANCH: whoever can push to it grants access; no approval is checked",
			"event", "start",
			"cluster", a.cluster.Name)
	}
}

// DryRun returns what a pass would do, and does nothing.
func (a *Agent) DryRun(ctx context.Context) ([]plan.Step, error) {
	a.start()
	main, err := a.branch.fetch(ctx)
	if err != nil {
		return nil, err
	}
	w, err := a.look(ctx)
	if err == nil {
		err = a.beside(ctx, &w, main)
	}
	if err != nil {
		return nil, err
	}
	if err := a.prover.follow(ctx, main.Tip, false); err != nil {
		return nil, err
	}
	if err := errors.Join(a.gate.readNotes(ctx), a.gate.testFence(ctx), a.compareRights(ctx),
		a.askGitHub(ctx, w)); err != nil {
		return nil, err
	}
	w.Doers, w.Proofs = a.prover.doers(ctx, w), a.prover.prove(ctx, w)
	w.Withdrawn, w.Stopped = a.withdrawals.causes(w), a.gate.stops()
	return plan.Make(a.clocks.now(), w), nil
}
