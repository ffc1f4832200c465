package sync

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
	"github.com/pullgrant/pullgrant/sync/ledger"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// maxBatch bounds the grants that one commit enters into the ledger, so that its message stays
// readable.
const maxBatch = 100

// waitingEntry is an ended grant that the ledger could not be given.
type waitingEntry struct {
	again retry
	own   bool // others were entered since, so that it is this one that cannot be
}

// errTaken says that the name of a request that was refused before any merge is another's by now.
var errTaken = errors.New("the name is used")

// enter writes ended grants into the ledger and takes their request files off the branch, in one
// commit for each batch. What is done already is left alone, so that it may be repeated, by
// anybody. It returns, by path, why some were not entered: one that cannot be holds up no other,
// and is tried again with growing pauses. While the server refuses pushes, one grant alone is tried
// at a time.
func (a *Agent) enter(ctx context.Context, entries []ledger.Entry) map[string]error {
	failed := map[string]error{}
	now := a.clocks.wall()
	var due []ledger.Entry
	for _, e := range entries {
		path := e.Record.Grant.Path
		if again := a.trying.entering[path].again; again.due(now) {
			due = append(due, e)
		} else {
			failed[path] = fmt.Errorf("writing the ledger: %s could not be entered; it is tried "+
				"again at %s",
				e.Record.Grant.Name, requests.At(again.next))
		}
	}
	size := maxBatch
	if a.gate.refused != "" {
		size = 1
	}
	for batch := range slices.Chunk(due, size) {
		a.enterBatch(ctx, batch, failed)
	}
	return failed
}

// enterBatch enters a batch, or what of it can be.
func (a *Agent) enterBatch(ctx context.Context, batch []ledger.Entry, failed map[string]error) {
	now := a.clocks.wall()
	var commit, on string
	var left []ledger.Entry
	err := fmt.Errorf("the server refuses pushes; it is tried again at %s",
		requests.At(a.gate.push.next))
	tried := a.gate.push.due(now)
	if tried {
		commit, err = a.branch.repository.Commit(ctx, func(tip string) (change git.Change, err error) {
			on = tip
			change, left, err = a.change(ctx, tip, batch)
			return change, err
		})
	}
	alone := len(batch) == 1
	switch {
	case err == nil:
		a.entered(batch, left, commit, on)
		return
	case errors.Is(err, errTaken):
		g := batch[0].Record.Grant
		delete(a.trying.entering, g.Path)
		a.log.Info("what was refused is not entered: a pull request that was merged meanwhile has its name",
			"event", "refuse", "request", g.Name, "cluster", a.cluster.Name)
		return
	case !alone && errors.Is(err, git.ErrChange):
		a.enterBatch(ctx, batch[:len(batch)/2], failed)
		a.enterBatch(ctx, batch[len(batch)/2:], failed)
		return
	}
	for _, e := range batch {
		failed[e.Record.Grant.Path] = fmt.Errorf("writing the ledger: %w", err)
	}
	if !tried {
		return
	}
	first := batch[0].Record.Grant.Path
	wait := a.trying.entering[first]
	if !alone || !wait.own {
		a.gate.pushed(err)
	}
	if alone && (errors.Is(err, git.ErrChange) || wait.own) {
		if wait.again.pause == 0 {
			a.tell.unentered(batch[0], err)
		}
		wait.own = true
	}
	if alone && (wait.own || errors.Is(err, git.ErrRefused)) {
		wait.again.later(now)
		a.trying.entering[first] = wait
	}
}

// entered tells of a batch that is in the ledger by a commit on another one, as far as that was left to do:
// what another process entered meanwhile is by a commit that is not known.
func (a *Agent) entered(batch, left []ledger.Entry, by, on string) {
	a.gate.pushed(nil)
	for _, e := range batch {
		commit := ""
		if slices.ContainsFunc(left, func(l ledger.Entry) bool {
			return l.Record.Grant.Path == e.Record.Grant.Path
		}) {
			commit = by
		}
		delete(a.trying.entering, e.Record.Grant.Path)
		event, cause := plan.Enter, e.Record.Cause
		if e.Discard {
			event, cause = plan.Discard, requests.CauseDenied
		}
		a.log.Info("off the branch", "event", string(event), "request", e.Record.Grant.Name,
			"cluster", a.cluster.Name,
			"cause", cause, "code", e.Record.Code, "commit", commit)
		a.tell.end(e, commit)
		a.tell.tellEntered(e, a.clocks.wall())
		a.tellSecond(e, on)
		if !e.Discard {
			a.withdrawals.done(e.Record.Grant.Path, commit)
		}
	}
	for path, wait := range a.trying.entering {
		wait.own = true
		a.trying.entering[path] = wait
	}
}

// change is what is left to be done on a tip. What was refused before any merge comes alone, and takes
// nobody's request away: errTaken.
func (a *Agent) change(ctx context.Context, tip string, batch []ledger.Entry) (change git.Change,
	left []ledger.Entry, err error) {
	change = a.branch.change(a.clocks.now())
	change.Put = map[string][]byte{}
	var paths []string
	for _, e := range batch {
		path := requests.RevocationPath(a.cluster.Name, e.Record.Grant.Name)
		paths = append(paths, e.Record.Grant.Path, path, requests.FactsPath(path))
		if e.Record.RefusedBy != nil {
			paths = append(paths, requests.Path("*", "*", e.Record.Grant.Name))
		}
	}
	there, err := a.branch.repository.Find(ctx, tip, paths...)
	if err != nil {
		return change, nil, err
	}
	for _, e := range batch {
		g := e.Record.Grant
		path := requests.RevocationPath(a.cluster.Name, g.Name)
		facts := requests.FactsPath(path)
		if e.Record.RefusedBy != nil && isAsked(there, g.Name) {
			return change, nil, errTaken
		}
		file, asked := there[g.Path]
		asked = asked && file.Fault == ""
		entry, entered := there[path]
		entered = e.Discard || entered && !entry.IsFolder()
		if asked {
			change.Remove = append(change.Remove, g.Path)
		}
		if !entered {
			if change.Put[path], err = ledger.Revocation(e.Record).Marshal(); err != nil {
				return change, nil, fmt.Errorf("%w: %s: %w", git.ErrChange, path, err)
			}
			if err := owes(&change, e); err != nil {
				return change, nil, fmt.Errorf("%w: %w", git.ErrChange, err)
			}
			blocked := there[facts].Fault != "" // by a folder or a link, which no file replaces
			if len(e.Record.Facts) > 0 && !blocked {
				change.Put[facts] = e.Record.Facts
			}
		}
		if asked || !entered {
			left = append(left, e)
		}
	}
	change.Message = ledger.Message(a.cluster.Name, left)
	return change, left, nil
}

// isAsked tells whether a file below requests/ has a name, under whatever cluster and policy.
func isAsked(there map[string]git.Entry, name string) bool {
	for path, e := range there {
		if _, request := requests.SplitPath(path); request && nameOf(path) == name && !e.IsFolder() {
			return true
		}
	}
	return false
}
