package sync

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
	"github.com/pullgrant/pullgrant/sync/ledger"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// maxBatch bounds the grants that one commit enters into the ledger, so that its message stays
// readable.
const maxBatch = 100

// enter writes ended grants into the ledger and takes their request files off the branch, in one
// commit for each batch. What is done already is left alone, so that it may be repeated, by
// anybody.
func (a *Agent) enter(ctx context.Context, entries []ledger.Entry) error {
	for batch := range slices.Chunk(entries, maxBatch) {
		build := func(tip string) (git.Change, error) { return a.change(tip, batch) }
		commit, err := a.branch.repository.Commit(ctx, build)
		if err != nil {
			return fmt.Errorf("writing the ledger: %w", err)
		}
		for _, e := range batch {
			event, cause := plan.Enter, e.Record.Cause
			if e.Discard {
				event, cause = plan.Discard, requests.CauseDenied
			}
			a.log.Info("off the branch", "event", string(event), "request", e.Record.Grant.Name,
				"cluster", a.cluster.Name,
				"cause", cause, "code", e.Record.Code, "commit", commit)
			a.tell.end(e, commit)
			if !e.Discard {
				a.withdrawals.done(e.Record.Grant.Path, commit)
			}
		}
	}
	return nil
}

// change is what is left to be done on a tip.
func (a *Agent) change(tip string, batch []ledger.Entry) (git.Change, error) {
	at := a.clocks.now()
	person := git.Person{Name: "pullgrant", Email: "pullgrant@" + a.cluster.Name + ".invalid"}
	change := git.Change{Put: map[string][]byte{}, Author: person, Committer: person,
		When: at, Sign: a.signer}
	var left []ledger.Entry
	for _, e := range batch {
		g := e.Record.Grant
		path := requests.RevocationPath(a.cluster.Name, g.Name)
		facts := requests.FactsPath(path)
		there, err := a.branch.repository.Entries(tip, g.Path, path, facts)
		if err != nil {
			return change, err
		}
		asked := slices.ContainsFunc(there,
			func(f git.Entry) bool { return f.Path == g.Path && f.Fault == "" })
		entered := e.Discard || slices.ContainsFunc(there,
			func(f git.Entry) bool { return f.Path == path })
		if asked {
			change.Remove = append(change.Remove, g.Path)
		}
		if !entered {
			if change.Put[path], err = ledger.Revocation(e.Record).Marshal(); err != nil {
				return change, err
			}
			// by a folder or a link, which no file replaces
			blocked := slices.ContainsFunc(there, func(f git.Entry) bool {
				return f.Path == facts && f.Fault != "" || strings.HasPrefix(f.Path, facts+"/")
			})
			if len(e.Record.Facts) > 0 && !blocked {
				change.Put[facts] = e.Record.Facts
			}
		}
		if asked || !entered {
			left = append(left, e)
		}
	}
	change.Message = ledger.Message(a.cluster.Name, left)
	return change, nil
}
