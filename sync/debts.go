package sync

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/ledger"
	"github.com/pullgrant/pullgrant/sync/messages"
	"github.com/pullgrant/pullgrant/sync/monitor"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// debts sees to what is owed for access that was given before anybody looked at it: that it has an
// issue, that an approved review pays it, and that people are told what is overdue. What is owed
// stands in the ledger and on the branch; whatever becomes of an issue changes nothing of it (R77).
type debts struct {
	cluster *kube.Cluster
	branch  *branch
	github  *github.Client // nil: the branch is the evidence, and nothing is given so
	prover  *prover
	clocks  *clocks
	metrics *monitor.Metrics
	events  *kube.Events
	// messages tells channels; nil: there are none
	messages *messages.Keeper
	log      *slog.Logger

	self    string           // whose issues are the agent's own; empty until it is known
	trying  map[string]retry // by what is tried
	overdue map[string]bool  // by name, what is overdue and was told
}

func newDebts(a *Agent) *debts {
	return &debts{cluster: a.cluster, branch: a.branch, github: a.github, prover: a.prover,
		clocks: a.clocks, metrics: a.metrics, events: a.tell.events, messages: a.tell.messages, log: a.log,
		trying: map[string]retry{}, overdue: map[string]bool{}}
}

// settle does what is to be done about each debt of the cluster. One for which that does not work
// holds up no other.
func (x *debts) settle(ctx context.Context, w plan.World) error {
	if x.github == nil || w.Main == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, proveTimeout)
	defer cancel()
	var errs []error
	for _, r := range w.Records {
		if debt, owes := ledger.DebtOf(r); owes && r.Phase == plan.Granted && r.Issue == 0 {
			errs = append(errs, x.try("issue", debt, func() error { return x.openFor(ctx, r, debt) }))
		}
	}
	all, err := x.read(ctx, w.Main.Tip)
	errs = append(errs, err)
	if err == nil {
		x.tell(all)
		x.messages.Owes(all)
	}
	for _, debt := range all {
		if debt.Spec.Issue == 0 {
			errs = append(errs, x.try("issue", debt, func() error { return x.note(ctx, &debt) }))
		}
		errs = append(errs, x.try("review", debt, func() error { return x.pay(ctx, w.Main.Tip, debt) }))
	}
	return errors.Join(errs...)
}

// try does something about a debt, with growing pauses while that does not work.
func (x *debts) try(what string, debt policies.Debt, do func() error) error {
	key, now := what+" "+debt.Metadata.Name, x.clocks.wall()
	again := x.trying[key]
	if !again.due(now) {
		return nil
	}
	err := do()
	if err == nil {
		delete(x.trying, key)
		return nil
	}
	again.later(now)
	x.trying[key] = again
	return fmt.Errorf("what is owed for %s: %w", debt.Metadata.Name, err)
}

// read reads the debts of the cluster's ledger.
func (x *debts) read(ctx context.Context, tip string) (all []policies.Debt, err error) {
	entries, err := x.branch.repository.Entries(ctx, tip, requests.DebtsFolder(x.cluster.Name))
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.Fault != "" || len(all) == policies.MaxOwed {
			continue
		}
		data, err := x.branch.repository.Blob(ctx, e.Hash)
		if err != nil {
			return nil, err
		}
		debt, findings := policies.ParseDebt(e.Path, data)
		if len(findings) > 0 {
			x.log.Error("a debt cannot be read, so it is taken for everybody's", "event", "debt", "cluster",
				x.cluster.Name, "problem", findings[0].String())
			continue
		}
		all = append(all, debt)
	}
	return all, nil
}

// tell shows how much is owed, and tells of each debt that is overdue, once.
func (x *debts) tell(all []policies.Debt) {
	overdue := map[string]bool{}
	for _, debt := range all {
		name := debt.Metadata.Name
		if x.clocks.now().Before(debt.Spec.DueAt.Time) {
			continue
		}
		overdue[name] = true
		if !x.overdue[name] {
			x.log.Error("break-glass is not answered for, and overdue", "event", "debt", "cluster",
				x.cluster.Name, "request", name, "due_at", debt.Spec.DueAt.String())
			x.events.Send(corev1.EventTypeWarning, eventOverdue, kube.LeaseReference, name)
		}
	}
	x.overdue = overdue
	x.metrics.Owed(len(all), len(overdue))
}

// open has an issue for a debt, the one that an earlier run opened where there is one.
func (x *debts) open(ctx context.Context, debt policies.Debt, body string) (number int, err error) {
	if x.self == "" {
		if x.self, err = x.github.Self(ctx); err != nil {
			return 0, err
		}
	}
	name := debt.Metadata.Name
	number, err = x.github.OpenIssue(ctx, x.self, dayOf(name), github.Issue{Marker: debtMarker(name),
		Title: debtTitle(debt), Body: body})
	if err != nil {
		return 0, err
	}
	x.log.Warn("break-glass is to be answered for", "event", "debt", "cluster", x.cluster.Name, "request",
		name, "issue", number)
	return number, nil
}

// openFor has an issue while access lasts, and notes its number with the grant, from where it comes
// into the ledger.
func (x *debts) openFor(ctx context.Context, r plan.Record, debt policies.Debt) (err error) {
	if r.Issue, err = x.open(ctx, debt, debtText(debt, &r)); err != nil {
		return err
	}
	if err := x.cluster.Save(ctx, &r); err != nil && !apierrors.IsConflict(errors.Unwrap(err)) {
		return err
	}
	return nil // a record that moved meanwhile finds the issue again
}

// note has an issue for a debt of the ledger that has none, and notes its number there.
func (x *debts) note(ctx context.Context, debt *policies.Debt) (err error) {
	if debt.Spec.Issue, err = x.open(ctx, *debt, debtText(*debt, nil)); err != nil {
		return err
	}
	data, err := debt.Marshal()
	if err != nil {
		return err
	}
	at := requests.DebtPath(debt.Spec.Cluster, debt.Metadata.Name)
	return x.commit(ctx, at, func(c *git.Change) {
		c.Put, c.Message = map[string][]byte{at: data}, ledger.IssueMessage(*debt)
	})
}

// commit changes the file of a debt, as long as it is there.
func (x *debts) commit(ctx context.Context, at string, change func(*git.Change)) error {
	_, err := x.branch.repository.Commit(ctx, func(tip string) (git.Change, error) {
		c := x.branch.change(x.clocks.now())
		there, err := x.branch.repository.Find(ctx, tip, at)
		if err == nil && there[at].Path != "" {
			change(&c)
		}
		return c, err
	})
	if err != nil {
		return fmt.Errorf("writing the ledger: %w", err)
	}
	return nil
}

// pay takes a debt away when its review is on the branch and was approved as it must be, and closes
// its issue before: whoever looks at either sees no more owed than is.
func (x *debts) pay(ctx context.Context, tip string, debt policies.Debt) error {
	at := requests.ReviewPath(debt.Metadata.Name)
	found, err := x.branch.repository.Find(ctx, tip, at)
	review := found[at]
	if err != nil || review.Path == "" || review.IsFolder() {
		return err
	}
	d, number := x.prover.judgeReview(ctx, tip, at, review.Hash)
	d = x.prover.bear(ctx, review.Hash+" "+at, d)
	x.log.Info("judged a review", "event", "debt", "cluster", x.cluster.Name, "request",
		debt.Metadata.Name, "pull_request", number, "decision", d.Outcome.String(), "code",
		string(d.Code), "message", d.Message)
	if debt.Spec.Issue > 0 && d.Outcome != policies.Failed {
		err = x.answer(ctx, debt, d, number)
	}
	if d.Outcome != policies.Allowed {
		return errors.Join(fmt.Errorf("%s pays nothing: %s", at, d.Message), err)
	}
	if err != nil {
		return err
	}
	owed := requests.DebtPath(debt.Spec.Cluster, debt.Metadata.Name)
	return x.commit(ctx, owed, func(c *git.Change) {
		c.Remove, c.Message = []string{owed}, ledger.PaidMessage(debt, d, number)
	})
}

// answer tells on the issue of a debt what its review came to, and closes it where that pays.
func (x *debts) answer(ctx context.Context, debt policies.Debt, d policies.Decision, number int) (err error) {
	if x.self, err = x.github.Self(ctx); err != nil {
		return err
	}
	if d.Outcome == policies.Allowed {
		return x.github.CloseIssue(ctx, debt.Spec.Issue, x.self, marker, paidText(d, number))
	}
	return x.github.CommentIssue(ctx, debt.Spec.Issue, x.self, marker, unpaidText(debt, d, number))
}

// judgeReview proves the review of a debt from git and GitHub, as a request is proved.
func (v *prover) judgeReview(ctx context.Context, tip, p, blob string) (d policies.Decision, number int) {
	added, err := v.branch.repository.Added(ctx, tip, p, v.since())
	if err != nil {
		return policies.Refuse(policies.EvaluationError, "%v", err), 0
	}
	number, commit, err := v.github.Introduced(ctx, p, tip)
	switch {
	case err != nil:
		return policies.Refuse(policies.EvaluationError, "%v", err), 0
	case number == 0:
		return policies.Refuse(policies.NoPullRequest, "commit %s brought it without a pull request",
			added.Hash), 0
	case commit != added.Hash || len(added.Changes) != 1 || added.TooMany:
		return policies.Refuse(policies.NoPullRequest, "commit %s brought it, not pull request #%d alone",
			added.Hash, number), number
	}
	facts, err := v.github.Facts(ctx, number, v.clocks.now())
	if err != nil {
		return policies.Refuse(policies.EvaluationError, "%v", err), number
	}
	d = policies.EvaluateReview(facts, p, blob, facts.ObservedAt.Time)
	if d.Outcome != policies.Allowed {
		return d, number
	}
	if code, problem := v.unprovenBy(ctx, policies.DecidesReview(d.Policy), tip, added, facts); code != "" {
		return d.Refused(code, "%s", problem), number
	}
	return d, number
}

// owes adds to a change of the branch what is owed for a grant that it enters.
func owes(change *git.Change, e ledger.Entry) error {
	debt, ok := ledger.DebtOf(e.Record)
	if !ok || e.Discard {
		return nil
	}
	data, err := debt.Marshal()
	if err == nil {
		change.Put[requests.DebtPath(debt.Spec.Cluster, debt.Metadata.Name)] = data
	}
	return err
}

// dayOf is the day before that in the name of a request: it was not merged sooner, on any clock.
func dayOf(name string) time.Time {
	day, _, _ := strings.Cut(name, "-")
	began, _ := time.Parse("20060102", day)
	return began.AddDate(0, 0, -1)
}

// mentioned are owners as GitHub tells them.
func mentioned(owners []string) string {
	all := slices.Clone(owners)
	for i := range all {
		all[i] = "@" + all[i]
	}
	return strings.Join(all, ", ")
}
