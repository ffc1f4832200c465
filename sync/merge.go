package sync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"slices"
	"time"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// merger merges pull requests that need nobody's review by their policies, once the agent's own
// judgement allows them (R63): nobody else may be awake to do it.
type merger struct {
	cluster     string
	github      *github.Client // nil: there are no pull requests
	prover      *prover
	withdrawals *withdrawals // lists what is open
	log         *slog.Logger

	tip   string                // of the branch whose policies were read
	named map[string]unreviewed // those of this cluster under which it merges
	wake  func()                // has what was merged be granted soon
	looks map[int]candidate
}

// unreviewed is what a policy lets be merged without a review: everything, or break-glass.
type unreviewed struct{ all, breakGlass bool }

// candidate is an open pull request that may ask under such a policy.
type candidate struct {
	pull   github.OpenPull // as it was when it was looked at
	path   string          // of the request it asks for; empty: none that is merged here
	policy string          // that it asks under
	sent   requests.Time   // the moment of its check for which a judgement was asked for
	known  bool            // false: it could not be read
	again  retry
	last   time.Time // when it was looked at
}

// maxMerging bounds the pull requests that one pass looks at, and judges.
const maxMerging = 5

// merge looks at what is open and merges what is allowed. One that cannot be merged holds up no
// other.
func (m *merger) merge(ctx context.Context, tip string) error {
	if _, held := m.prover.held(); held || m.github == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, proveTimeout)
	defer cancel()
	if err := m.readPolicies(ctx, tip); err != nil || len(m.named) == 0 {
		return err
	}
	open, due := map[int]candidate{}, false
	for number, l := range m.withdrawals.looks {
		if l.pull.Number != number || l.pull.Draft { // the former: nobody had to look at it
			continue
		}
		c := m.looks[number]
		if c.pull != l.pull {
			c = candidate{pull: l.pull}
		}
		open[number] = c
	}
	m.looks = open
	var errs []error
	for _, number := range m.turns(m.prover.clocks.wall()) {
		c, now := m.looks[number], m.prover.clocks.wall()
		if ctx.Err() != nil {
			break
		}
		sent := c.sent
		merged, err := m.try(ctx, tip, &c)
		due = due || c.sent != sent
		if c.last = now; err != nil {
			c.again.later(now)
		}
		m.looks[number] = c
		errs = append(errs, err)
		if merged { // the others are judged by the branch as it is then
			break
		}
	}
	if due { // one run judges all that is
		m.log.Info("have judged again what time has changed", "event", "due", "cluster", m.cluster)
		errs = append(errs, m.github.JudgeDue(ctx))
	}
	return errors.Join(errs...)
}

// turns are the numbers of what this pass looks at. The newest are among them, since somebody may be
// waiting for access at this moment, and a run that remembers nothing would not come to them; the
// others have waited longest, so that each has its turn however often the branch moves.
func (m *merger) turns(now time.Time) []int {
	const newest = maxMerging / 2
	var wait []int
	for number, c := range m.looks {
		if (!c.known || c.path != "") && c.again.due(now) {
			wait = append(wait, number)
		}
	}
	slices.Sort(wait)
	slices.Reverse(wait)
	late := wait[min(newest, len(wait)):]
	slices.SortFunc(late, func(a, b int) int {
		return cmp.Or(m.looks[a].last.Compare(m.looks[b].last), cmp.Compare(a, b))
	})
	return wait[:min(maxMerging, len(wait))]
}

// readPolicies finds the policies of a tip under which there is something to do.
func (m *merger) readPolicies(ctx context.Context, tip string) error {
	if m.tip == tip {
		return nil
	}
	repository := m.prover.branch.repository
	entries, err := repository.Entries(ctx, tip, policies.Folder)
	if err != nil {
		return err
	}
	named := map[string]unreviewed{}
	for _, e := range entries {
		if path.Dir(e.Path) != policies.Folder || e.Fault != "" {
			continue
		}
		data, err := repository.Blob(ctx, e.Hash)
		if err != nil {
			return err
		}
		p, findings := policies.ParsePolicy(e.Path, data)
		lets := unreviewed{p.Spec.AllowWithoutReview, p.Spec.BreakGlass != nil}
		if len(findings) == 0 && lets != (unreviewed{}) &&
			slices.Contains(p.Spec.Clusters, m.cluster) {
			named[nameOf(e.Path)] = lets
		}
	}
	for number, c := range m.looks { // what it asks for, and whether it may, can be otherwise now
		m.looks[number] = candidate{pull: c.pull, sent: c.sent, last: c.last}
	}
	m.tip, m.named = tip, named
	return nil
}

// try looks at one pull request, and merges it if it is allowed as it stands.
func (m *merger) try(ctx context.Context, tip string, c *candidate) (merged bool, err error) {
	if !c.known {
		asked, err := m.github.Asked(ctx, c.pull)
		if err != nil {
			return false, err
		}
		place, ok := requests.SplitPath(asked)
		if c.known = true; !ok || place.Cluster != m.cluster || !m.named[place.Policy].all &&
			!(m.named[place.Policy].breakGlass && requests.MayBreakGlass(place.Name)) {
			return false, nil
		}
		c.path, c.policy = asked, place.Policy
	}
	if !requests.MayBreakGlass(nameOf(c.path)) { // which waits for no check: what is down may be what runs it
		sign, err := m.github.Sign(ctx, c.pull.HeadSHA)
		if err != nil {
			return false, err
		}
		if !sign.Green {
			if next := sign.Next; !next.IsZero() && !m.prover.clocks.wall().Before(next.Time) {
				c.sent = next
			}
			return false, nil
		}
	}
	c.again.later(m.prover.clocks.wall()) // a judgement has its price; a look at an unchanged check has none
	d := m.prover.judgeOpen(ctx, tip, c.pull)
	m.log.Info("judged to be merged", "event", "merge", "cluster", m.cluster, "request",
		nameOf(c.path), "pull_request", c.pull.Number, "head", c.pull.HeadSHA, "decision",
		d.Outcome.String(), "code", string(d.Code), "message", d.Message)
	if d.Outcome == policies.Failed {
		return false, fmt.Errorf("judge #%d before it is merged: %s", c.pull.Number, d.Message)
	}
	if d.Outcome != policies.Allowed || d.Grant.BreakGlass == nil && !m.named[c.policy].all {
		return false, nil
	}
	if err := m.github.Merge(ctx, c.pull.Number, d.HeadSHA); err != nil {
		return false, err
	}
	m.log.Info("merged", "event", "merge", "cluster", m.cluster, "request", nameOf(c.path),
		"pull_request", c.pull.Number, "head", d.HeadSHA)
	m.wake()
	return true, nil
}

// judgeOpen is the agent's own judgement of an open pull request, by the files that it has proven,
// as complete as that of a merged one.
func (v *prover) judgeOpen(ctx context.Context, tip string, p github.OpenPull) policies.Decision {
	facts, err := v.github.Facts(ctx, p.Number, v.clocks.now())
	switch {
	case err != nil:
		return policies.Refuse(policies.EvaluationError, "%v", err)
	case facts.PullRequest.HeadSHA != p.HeadSHA || facts.Base.Commit != tip || facts.Merge != nil:
		return policies.Refuse(policies.EvaluationError, "it moved just now; it is tried again")
	case !v.knows(tip):
		return policies.Refuse(policies.EvaluationError, "who approved the policies is not known yet")
	}
	_, asked, _ := policies.KindOf(facts.Files)
	if err := v.takeRecords(ctx, asked, &facts); err != nil {
		return policies.Refuse(policies.EvaluationError, "%v", err)
	}
	v.answerers.Fill(ctx, &facts, v.clocks.now)
	d := policies.Evaluate(facts.Base, facts, facts.ObservedAt.Time)
	if d.Kind != policies.KindRequest && d.Outcome == policies.Allowed {
		return d.Refused(policies.NotARequestPR, "it is no request")
	}
	if d.Outcome != policies.Allowed {
		return d
	}
	code, problem := v.trust.doubt(policies.Wanted(policies.KindRequest, d.Path), facts.Base, nil)
	if code != "" {
		return d.Refused(code, "%s", problem)
	}
	d = v.unchanged(ctx, d, facts)
	if stops := v.gate.stops(); len(stops) > 0 {
		return d.Refused(stops[0].Code, "%s", stops[0].Message)
	}
	return d
}
