package sync

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
	"github.com/pullgrant/pullgrant/sync/ledger"
	"github.com/pullgrant/pullgrant/sync/messages"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// newMessages prepares what tells people in channels; nil where there are none.
func newMessages(c Config, a *Agent) *messages.Keeper {
	page := func(int) string { return "" } // the branch is the evidence: there are no pull requests
	if c.GitHub != nil {
		page = c.GitHub.PullURL
	}
	return messages.NewKeeper(a.cluster, c.Channels, page, c.Clock, a.metrics,
		c.Logger.With("cluster", c.Cluster))
}

// asks is what policies ask to be told, by policy, as they were proven last.
type asks struct {
	known map[string]asking // by blob of the file
}

type asking struct {
	policy bool // the file is one
	wants  []policies.Notification
}

// tellAsks has the channels known that policies ask for.
func (p *pass) tellAsks(ctx context.Context) error {
	if p.tell.messages == nil || p.prover.trust == nil {
		return nil
	}
	asked, err := p.tell.asks.read(ctx, p.prover)
	if err == nil {
		p.tell.messages.Policies(asked)
	}
	return err
}

// read reads them. A policy that cannot be read is not there.
func (a *asks) read(ctx context.Context, v *prover) (map[string][]policies.Notification, error) {
	asked, known := map[string][]policies.Notification{}, map[string]asking{}
	for _, path := range slices.Sorted(maps.Keys(v.trust.files)) {
		versions := v.trust.files[path]
		i := slices.IndexFunc(versions, version.proven)
		if !isPolicy(path) || i < 0 || versions[i].Blob == "" {
			continue
		}
		blob := versions[i].Blob
		of, read := a.known[blob]
		if !read {
			data, err := v.branch.repository.Blob(ctx, blob)
			if err != nil && !errors.Is(err, git.ErrTooLarge) {
				return nil, fmt.Errorf("reading what %s asks to be told: %w", requests.Quote(path), err)
			}
			policy, findings := policies.ParsePolicy(path, data)
			of = asking{len(findings) == 0, policy.Spec.Notifications}
		}
		if known[blob] = of; of.policy {
			asked[nameOf(path)] = of.wants
		}
	}
	a.known = known
	return asked, nil
}

// tellWaits has channels told of a merged request that is neither granted nor refused, once that has
// been so for too long, and why, where its judgement says that.
func (p *pass) tellWaits(ctx context.Context, path string, proof plan.Proof) {
	wait := p.prover.waiting[path]
	if p.tell.messages == nil || proof.Moved || stands(p.world, path) ||
		p.clocks.wall().Sub(wait.from()) < messages.Late {
		return
	}
	content, err := p.branch.repository.Blob(ctx, wait.blob)
	if err != nil {
		content = nil // then it is told without the words of its file
	}
	p.tell.messages.Waits(path, content, wait.number, wait.from(), proof.Decision.Code)
}

// tellWhyItWaits has the pull request of a request that cannot be judged told, once for each
// reason: what GitHub does not answer after a minute, as it can be late, anything else at once.
func (p *pass) tellWhyItWaits(path string, proof plan.Proof) {
	wait, d := p.prover.waiting[path], proof.Decision
	late := d.Code == policies.EvaluationError
	if wait.number == 0 || proof.Moved || wait.told == d.Code || late && (proof.At.IsZero() ||
		p.clocks.wall().Sub(wait.from()) < time.Minute) {
		return
	}
	wait.told = d.Code
	p.prover.waiting[path] = wait
	p.tell.unjudged(path, wait.number, wait.from(), d)
}

// tellGone has the pull requests told of requests that were to wait and are off the branch: no record
// says it, as they were never judged.
func (p *pass) tellGone(ctx context.Context) error {
	errs := []error{p.unsayGone(ctx)}
	for _, path := range slices.Sorted(maps.Keys(p.prover.waiting)) {
		wait := p.prover.waiting[path]
		if _, here := p.world.Main.Requests[path]; here {
			wait.first = p.world.Main.IsFirst(path)
			p.prover.waiting[path] = wait
		}
		if !p.left(path) {
			continue
		}
		p.tell.comments.forget(wait.number, path)
		if wait.told == "" {
			continue
		}
		gone, err := p.gone(ctx, path, wait.first)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		delete(p.prover.waiting, path) // else what waits to be told of it now is forgotten in the next pass
		if gone {
			p.tell.gone(wait.number, path)
		}
	}
	return errors.Join(errs...)
}

// unsayGone has pull requests not told any more that a request is gone where that was not told in time: it is
// back, and waits, or is over meanwhile.
func (p *pass) unsayGone(ctx context.Context) error {
	var errs []error
	numbers := p.tell.comments.saying("gone")
	for _, path := range slices.Sorted(maps.Keys(numbers)) {
		gone, err := p.gone(ctx, path, true)
		errs = append(errs, err)
		if gone || err != nil {
			continue
		}
		p.tell.comments.forget(numbers[path], path)
		_, waits := p.prover.waiting[path]
		if blob, here := p.world.Main.Requests[path]; here && !waits {
			p.prover.waiting[path] = waiting{blob: blob, doubted: true, number: numbers[path]}
		}
	}
	return errors.Join(errs...)
}

// left tells whether a request is off the branch, and has no record.
func (p *pass) left(path string) bool {
	_, here := p.world.Main.Requests[path]
	return !here && !recorded(p.world, path)
}

// gone tells whether a request left, and nothing else says what became of it. What has an entry was refused
// meanwhile by another process, and what was not the first of its name was discarded for that: what was told
// then stands.
func (p *pass) gone(ctx context.Context, path string, first bool) (bool, error) {
	if !p.left(path) {
		return false, nil
	}
	err := p.branch.lookUp(ctx, p.world.Main, nameOf(path))
	return err == nil && !slices.ContainsFunc(p.world.Main.Names[nameOf(path)], func(other string) bool {
		_, asked := requests.SplitPath(other)
		return !asked || !first
	}), err
}

// tellEntered has channels told of what is in the ledger now and had no record: a request that was
// refused before any merge, or whose name was used.
func (t *teller) tellEntered(e ledger.Entry, at time.Time) {
	r := e.Record
	if e.Discard {
		r.Phase, r.Cause, r.Code = plan.Ended, requests.CauseDenied, string(policies.RequestIDReused)
		r.EndedAt = requests.At(at)
	}
	t.messages.Record(r)
}
