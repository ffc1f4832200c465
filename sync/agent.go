package sync

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"time"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/expiry"
	"github.com/pullgrant/pullgrant/sync/git"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/monitor"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// Config is what an agent needs.
type Config struct {
	Cluster    string // name in the access repository
	Repository *git.Repository
	GitHub     *github.Client // nil: --evidence=branch, the branch is trusted and nothing is proved
	Identity   string         // of this replica, unlike that of any other one
	TrustRoot  string         // commit whose policies and owners are taken as given; empty: the repository's first
	Kubernetes *kube.Config
	Poll       time.Duration    // between two looks at the branch
	Clock      func() time.Time // wall clock
	Signer     *git.Signer      // of the ledger's commits; nil: unsigned
	Logger     *slog.Logger

	Version       string       // of this program, for the metrics
	Listener      net.Listener // where Run answers probes, Prometheus and GitHub, and which it closes; nil: nowhere
	WebhookSecret []byte       // of GitHub's webhook; empty: there is none
}

// Agent makes one cluster follow the access repository: it grants what it can prove, ends it on time, and enters what
// ended into the ledger. It keeps nothing on disk; what it must remember is in the cluster. Run, Once and DryRun may not
// be called at the same time.
type Agent struct {
	cluster    *kube.Cluster
	expirer    *expiry.Expirer
	repository *git.Repository
	github     *github.Client
	poll       time.Duration
	clocks     *clocks
	now        func() time.Time // of clocks
	signer     *git.Signer
	log        *slog.Logger
	identity   string
	trustRoot  string

	resumed bool                  // the accepted head of earlier runs was read
	noted   string                // the head that the Lease has
	seen    string                // the tip whose problems were logged
	waiting map[string]waiting    // by path
	proved  map[string]plan.Proof // by path, of grants that this process began and has not finished

	trust     *trust  // nil: what earlier runs proved was not read yet
	following waiting // trust is behind the branch

	rewritten   bool   // the branch does not continue from the commit accepted last
	paused      string // that a person paused it, and why
	self        selfTest
	ruleset     ruleset
	withdrawals withdrawals
	telling     telling
	notes       *notes
	metrics     *monitor.Metrics
	events      *kube.Events
	server      *monitor.Server
	wake        chan struct{} // the next pass is to begin early
}

// NewAgent prepares an agent; nothing is called yet. Errors are about the configuration.
func NewAgent(c Config) (*Agent, error) {
	if problem := requests.CheckName(c.Cluster); problem != "" {
		return nil, fmt.Errorf("cluster %s: %s", requests.Quote(c.Cluster), problem)
	}
	if c.TrustRoot != "" && !git.IsHash(c.TrustRoot) {
		return nil, fmt.Errorf("the trust root is %s; name a commit by its 40 hexadecimal digits", requests.Quote(c.TrustRoot))
	}
	compared := &clocks{own: c.Clock, github: c.GitHub}
	own, err := kube.NewCluster(c.Kubernetes, c.Cluster, kube.CallTimeout, compared.watch)
	if err != nil {
		return nil, err
	}
	expiring, err := kube.NewCluster(c.Kubernetes, c.Cluster, 0, compared.watch)
	if err != nil {
		return nil, err
	}
	numbers := monitor.NewMetrics(c.Cluster, c.Version, c.Clock)
	a := &Agent{cluster: own, expirer: expiry.New(expiring, compared.now, numbers, c.Logger), metrics: numbers, repository: c.Repository, github: c.GitHub,
		poll: c.Poll, clocks: compared, now: compared.now, signer: c.Signer, log: c.Logger, identity: c.Identity, trustRoot: c.TrustRoot,
		waiting: map[string]waiting{}, proved: map[string]plan.Proof{}, notes: newNotes(c), self: untested(),
		ruleset: ruleset{problem: "the rules that protect the branch are not known yet"},
		events:  kube.NewEvents(own, compared.now, c.Logger), wake: make(chan struct{}, 1)}
	a.server = &monitor.Server{Listener: c.Listener, Secret: c.WebhookSecret, Metrics: numbers, Wake: a.early, Log: c.Logger.With("cluster", c.Cluster)}
	return a, nil
}

// Run works until ctx ends: it expires, and while it holds the Lease it grants and records. Errors are logged and what
// caused them is tried again; the one it returns is of a watch or an election that could not even begin.
func (a *Agent) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer a.events.Wait()
	defer a.server.Serve(ctx)()
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

// passes takes one pass after the other until ctx ends. What other replicas did meanwhile is read anew.
func (a *Agent) passes(ctx context.Context) {
	a.metrics.Lead(true)
	defer a.metrics.Lead(false)
	a.resumed, a.noted, a.trust, a.telling = false, "", nil, telling{}
	defer a.notes.begin(ctx)()
	for ctx.Err() == nil {
		begin := a.now()
		err := a.pass(ctx)
		if err != nil && ctx.Err() == nil {
			a.log.Error("the pass is not complete; trying again", "event", "pass", "cluster", a.cluster.Name, "error", err.Error())
		}
		a.metrics.Passed(stagesOf(err), len(a.waiting))
		a.sleep(ctx, err, a.now().Sub(begin))
	}
}

// sleep waits for the next pass: the rest of the poll, or until a binding disappears that is to be recorded or a webhook
// wakes it, but then at least a moment, so that many in a row are one.
func (a *Agent) sleep(ctx context.Context, err error, took time.Duration) {
	timer := time.NewTimer(min(max(a.poll-took, 0), a.poll)) // took is negative when a clock was set back meanwhile
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

// Once takes one full pass. An error means that it is not complete; what could be done was.
func (a *Agent) Once(ctx context.Context) error {
	defer a.events.Wait()
	a.start()
	err := a.pass(ctx)
	for a.notes.write(ctx) {
	}
	return err
}

func (a *Agent) start() {
	a.log.Info("starting", "event", "start", "cluster", a.cluster.Name)
	if a.github == nil {
		a.log.Warn("EVIDENCE IS THE BRANCH: whoever can push to it grants access; no approval is checked", "event", "start",
			"cluster", a.cluster.Name)
	}
}

// DryRun returns what a pass would do, and does nothing.
func (a *Agent) DryRun(ctx context.Context) ([]plan.Step, error) {
	a.start()
	main, err := a.fetch(ctx)
	if err != nil {
		return nil, err
	}
	w, err := a.observe(ctx, main)
	if err != nil {
		return nil, err
	}
	if err := a.follow(ctx, main.Tip, false); err != nil {
		return nil, err
	}
	if err := errors.Join(a.readNotes(ctx), a.testSelf(ctx), a.consult(ctx, w)); err != nil {
		return nil, err
	}
	w.Removers, w.Proofs = a.removers(ctx, w), a.prove(ctx, w)
	w.Withdrawn, w.Stopped = a.withdrawn(w), a.stops()
	return plan.Make(a.now(), w), nil
}

// pass ends what the cluster alone says is over, before anything that waits for a network beyond it; then it fetches the
// branch, ends and records what that says; then it judges what is new, policies before requests.
func (a *Agent) pass(ctx context.Context) error {
	a.withdrawals.open = nil // until they are listed again
	_, err := a.settle(ctx, nil, nil)
	if err != nil {
		err = fmt.Errorf("settling the cluster: %w", err)
	}
	err = errors.Join(err, in(monitor.StageRead, a.readNotes(ctx)), in(monitor.StageRead, a.testSelf(ctx)))
	defer a.reportStops()
	if _, hub := a.clocks.skews(); beyond(hub) != 0 { // without a request GitHub tells its time to nobody
		err = errors.Join(err, in(monitor.StageClock, a.github.ReadClock(ctx)))
	}
	main, fetchErr := a.fetch(ctx)
	if fetchErr == nil || errors.Is(fetchErr, git.ErrNonFastForward) { // otherwise nobody knows
		a.rewritten = fetchErr != nil
	}
	if fetchErr != nil {
		return errors.Join(err, fmt.Errorf("nothing is granted or recorded, expiry goes on: %w", in(monitor.StageGit, fetchErr)))
	}
	w, settleErr := a.settle(ctx, main, nil)
	if err = errors.Join(err, settleErr, a.consult(ctx, w)); a.outdated(w) {
		w, settleErr = a.settle(ctx, w.Main, nil)
		err = errors.Join(err, settleErr)
	}
	if settleErr != nil && !errors.As(settleErr, new(ungranted)) {
		return err // a grant that does not work holds up no other
	}
	if main, fetchErr = a.current(main); fetchErr != nil {
		return errors.Join(err, in(monitor.StageGit, fetchErr))
	}
	w.Main = main
	a.tellGrants(w)
	a.closeWithdrawals(main)
	err = errors.Join(err, in(monitor.StagePolicies, a.follow(ctx, main.Tip, true)))
	if proofs := a.prove(ctx, w); len(proofs) > 0 {
		a.keepReasons(proofs)
		if w, settleErr = a.settle(ctx, main, proofs); settleErr != nil {
			return errors.Join(err, settleErr)
		}
		a.settled(w)
		a.tellGrants(w)
		for _, path := range slices.Sorted(maps.Keys(a.waiting)) {
			err = errors.Join(err, in(monitor.StageRequests, fmt.Errorf("%s waits: %s", path, proofs[path].Decision.Message)))
		}
	}
	return errors.Join(err, a.accept(ctx))
}

// settle plans and applies until a plan is empty, which the second one is unless something got in between.
func (a *Agent) settle(ctx context.Context, main *plan.Main, proofs map[string]plan.Proof) (plan.World, error) {
	const most = 4
	for range most {
		w, err := a.observe(ctx, main)
		if err != nil {
			return w, in(monitor.StageRead, err)
		}
		a.metrics.Observed(w)
		w.Proofs = proofs
		if main != nil && proofs == nil { // once a pass
			w.Drift = a.drift(ctx, w)
		}
		w.Withdrawn = a.withdrawn(w)
		steps := plan.Make(a.now(), w)
		if main != nil && !slices.ContainsFunc(steps, func(s plan.Step) bool { return s.Action == plan.End || s.Action == plan.Sweep }) {
			w.Removers = a.removers(ctx, w) // asked of GitHub once nothing waits to be taken away
			steps = plan.Make(a.now(), w)
		}
		if len(steps) == 0 {
			return w, nil
		}
		if err := a.apply(ctx, steps); err != nil {
			return w, err
		}
		if main, err = a.current(main); err != nil {
			return w, err
		}
	}
	return plan.World{}, fmt.Errorf("the cluster does not settle after %d plans; it changes faster than they are applied", most)
}

// observe looks at the cluster, and has the expirer know every deadline that a record adds to those of the bindings.
func (a *Agent) observe(ctx context.Context, main *plan.Main) (plan.World, error) {
	gone := a.expirer.Gone() // before the lists: what is gone here is gone there
	w, unreadable, err := a.cluster.Observe(ctx)
	if err != nil {
		return w, err
	}
	for _, err := range unreadable {
		a.log.Error("a record cannot be read", "event", "observe", "cluster", a.cluster.Name, "error", err.Error())
	}
	for _, r := range w.Records {
		for _, o := range r.Objects {
			if r.Phase != plan.Ended && o.UID != "" && o.IsBinding() {
				a.expirer.Watch(plan.Live{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name, UID: o.UID, Content: o.Content}, r.Grant.Window.End.Time)
			}
		}
	}
	w.Main, w.Gone, w.Stopped = main, gone, a.stops()
	return w, nil
}

// fetch brings the branch up to date. The first time it goes on from the head that an earlier run accepted, and after the
// branch was rewritten from the one that a person notes there.
func (a *Agent) fetch(ctx context.Context) (*plan.Main, error) {
	if !a.resumed {
		if err := a.resume(ctx); err != nil {
			return nil, err
		}
		a.resumed = true
	}
	_, err := a.repository.Fetch(ctx)
	if errors.Is(err, git.ErrNonFastForward) {
		if err := a.resume(ctx); err != nil {
			return nil, err
		}
		_, err = a.repository.Fetch(ctx)
	}
	if errors.Is(err, git.ErrNonFastForward) {
		return nil, fmt.Errorf("%w; look at what happened to it, then accept a commit that is on it now: "+
			"kubectl -n %s annotate --overwrite lease %s %s=COMMIT", err, kube.Namespace, kube.LeaseName, kube.AnnotationHead)
	}
	if err != nil {
		return nil, err
	}
	return a.current(&plan.Main{})
}

// resume has the repository go on from the head on the Lease when that is not the one noted last.
func (a *Agent) resume(ctx context.Context) error {
	notes, err := a.cluster.Notes(ctx)
	head := notes[kube.AnnotationHead]
	if err != nil || head == "" || head == a.noted {
		return err
	}
	if err := a.repository.Resume(head); err != nil {
		return fmt.Errorf("the accepted head on Lease %s/%s: %w", kube.Namespace, kube.LeaseName, err)
	}
	a.noted = head
	return nil
}

// current reads the branch in memory again when it moved, as it does with every commit of the agent's own.
func (a *Agent) current(main *plan.Main) (*plan.Main, error) {
	tip := a.repository.Tip()
	if main == nil || main.Tip == tip {
		return main, nil
	}
	main, problems, err := a.readMain(tip)
	if err != nil {
		return nil, err
	}
	if a.seen != tip {
		for _, problem := range problems {
			a.log.Warn("left alone, and grants nothing", "event", "read", "cluster", a.cluster.Name, "commit", tip, "problem", problem)
		}
		a.seen = tip
	}
	return main, nil
}

// accept notes the tip as the head that the next run goes on from. Not while a request waits to be judged: its history
// is still needed. Nor while a policy waits, which the next pass reports.
func (a *Agent) accept(ctx context.Context) error {
	tip := a.repository.Tip()
	if len(a.waiting) > 0 || tip == a.noted || a.follow(ctx, tip, true) != nil {
		return nil
	}
	if err := a.cluster.Note(ctx, kube.AnnotationHead, tip); err != nil {
		return err
	}
	a.noted = tip
	return a.repository.Forget(tip)
}
