package sync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	gosync "sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/pullgrant/pullgrant/sync/git"
	"github.com/pullgrant/pullgrant/sync/ledger"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// tellTime bounds how long a pass tells the branch that grants began: the next one waits for it.
const tellTime = 15 * time.Second

// tellGranted tells the branch of the grants that it was not told of, in commits that change no
// file. What ends meanwhile needs none, as its entry says when it began. It comes last in a pass,
// is put off while anything wakes the next one, and when it does not work it is tried again with
// growing pauses, in which it is no error: nothing waits for it, and nothing is granted or not for
// what becomes of it. A commit that was pushed by a process that could not note it is found again on
// the branch, so that there is one for each grant.
func (p *pass) tellGranted(ctx context.Context) error {
	now := p.clocks.wall()
	var due []plan.Record
	for _, r := range p.world.Records {
		ends := p.main.Requests[r.Grant.Path] != r.Grant.Evidence.Blob ||
			!p.clocks.now().Before(r.Grant.Window.End.Time)
		if r.Phase == plan.Granted && r.Told.Commit == "" && !ends {
			due = append(due, r)
		}
	}
	if len(due) == 0 {
		p.trying.telling.done(time.Time{})
		return nil
	}
	if !p.trying.telling.due(now) || p.gate.refused != "" || len(p.wake) > 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, tellTime)
	defer cancel()
	var err error
	for batch := range slices.Chunk(due, maxBatch) {
		if err = p.tellOf(ctx, batch); err != nil {
			break
		}
	}
	if err != nil {
		p.trying.telling.later(now)
		return fmt.Errorf("telling the branch that grants began: %w", err)
	}
	p.trying.telling.done(time.Time{})
	return nil // the next pass reads the branch again
}

// tellOf tells of a batch of grants.
func (a *Agent) tellOf(ctx context.Context, batch []plan.Record) error {
	repository := a.branch.repository
	for i := range batch {
		if err := a.reach(ctx, &batch[i]); err != nil {
			return err
		}
	}
	_, err := repository.Commit(ctx, func(tip string) (git.Change, error) {
		return a.grantedChange(ctx, tip, batch)
	})
	if err != nil {
		return err
	}
	told, err := a.branch.told(repository.Tip(), batch)
	if err != nil {
		return err
	}
	for some := range slices.Chunk(batch, workers) {
		var all gosync.WaitGroup
		failed := make([]error, len(some))
		for i, r := range some {
			if r.Told.Commit = told[r.Grant.Path]; r.Told.Commit == "" {
				continue // it ended, or is about to
			}
			a.log.Info("the branch is told", "event", "granted", "request", r.Grant.Name, "cluster",
				a.cluster.Name, "commit", r.Told.Commit)
			all.Go(func() { failed[i] = a.note(ctx, &r) })
		}
		all.Wait()
		if err := errors.Join(failed...); err != nil {
			return err
		}
	}
	return nil
}

// reach has what came after a grant in memory. Where the branch does not continue from there, or
// nobody noted from where, no commit that tells of it is on the branch: it goes on from the tip. So
// it does where more has come since than can be looked at; what is told twice then says the same.
func (a *Agent) reach(ctx context.Context, r *plan.Record) error {
	repository := a.branch.repository
	err := git.ErrNotOnLine
	if r.Told.After != "" {
		_, err = repository.Reach(ctx, repository.Tip(), r.Told.After)
	}
	if errors.Is(err, git.ErrNotOnLine) || errors.Is(err, git.ErrNotInMemory) {
		r.Told.After = repository.Tip()
		return a.cluster.Save(ctx, r)
	}
	return err
}

// note saves what the branch was told. A record that moved meanwhile finds the commit again.
func (a *Agent) note(ctx context.Context, r *plan.Record) error {
	err := a.cluster.Save(ctx, r)
	if err != nil && !apierrors.IsConflict(errors.Unwrap(err)) {
		return err
	}
	return nil
}

// grantedChange is what is left to be told on a tip.
func (a *Agent) grantedChange(ctx context.Context, tip string, batch []plan.Record) (git.Change,
	error) {
	change := a.branch.change(a.clocks.now())
	told, err := a.branch.told(tip, batch)
	if err != nil {
		return change, err
	}
	var paths []string
	for _, r := range batch {
		paths = append(paths, r.Grant.Path)
	}
	there, err := a.branch.repository.Find(ctx, tip, paths...)
	if err != nil {
		return change, err
	}
	left := slices.DeleteFunc(slices.Clone(batch), func(r plan.Record) bool {
		file := there[r.Grant.Path]
		return told[r.Grant.Path] != "" || file.Fault != "" ||
			file.Hash != r.Grant.Evidence.Blob || !change.When.Before(r.Grant.Window.End.Time)
	})
	change.AllowEmpty = len(left) > 0
	change.Message = ledger.GrantedMessage(a.cluster.Name, left)
	return change, nil
}

// told finds, by path, the commits that tell of grants, as far as a tip has them.
func (b *branch) told(tip string, batch []plan.Record) (map[string]string, error) {
	signers, err := b.own()
	if err != nil {
		return nil, err
	}
	told := map[string]string{}
	looked := map[string]bool{}
	for _, r := range batch {
		if looked[r.Told.After] {
			continue
		}
		looked[r.Told.After] = true
		line, err := b.repository.Line(tip, r.Told.After)
		if err != nil {
			return nil, err
		}
		for i, c := range line[:len(line)-1] {
			for _, path := range ledger.Began(c, line[i+1], signers) {
				told[path] = c.Hash
			}
		}
	}
	return told, nil
}

// own are those who sign as this agent does; nil when it does not.
func (b *branch) own() (*git.AllowedSigners, error) {
	if b.signer == nil {
		return nil, nil
	}
	return git.ParseAllowedSigners([]byte(b.signer.AllowedSigner(b.cluster.Name)))
}
