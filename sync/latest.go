package sync

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
)

// latest looks at the branch once more for whoever is about to make what gives access: the branch
// that its plan followed from may be from before another replica granted, ended and recorded it.
// One look serves all who asked before it began.
type latest struct {
	repository *git.Repository
	asked      atomic.Int64

	turn chan struct{} // has an element while somebody looks, who alone touches the next two
	upTo int64         // who asked before the last look began
	err  error         // of that look
}

func newLatest(r *git.Repository) *latest {
	return &latest{repository: r, turn: make(chan struct{}, 1)}
}

var errMovedOn = errors.New("the branch moved on meanwhile: the request is off it, or over")

// has makes sure that a request is on the branch as it was judged, and not in the ledger. It is
// called once the record says that the grant is being made, so that whoever ends it from then on
// finds the record, and whoever ended it before has left its entry.
func (l *latest) has(ctx context.Context, g requests.Grant) error {
	number := l.asked.Add(1)
	if err := l.look(ctx, number); err != nil {
		return fmt.Errorf("looking at the branch again: %w", err)
	}
	entry := requests.RevocationPath(g.Cluster, g.Name)
	there, err := l.repository.Find(ctx, l.repository.Tip(), g.Path, entry)
	if err != nil {
		return fmt.Errorf("looking at the branch again: %w", err)
	}
	e, entered := there[entry]
	entered = entered && !e.IsFolder()
	asked := there[g.Path].Fault == "" && there[g.Path].Hash == g.Evidence.Blob
	if entered || !asked {
		return errMovedOn
	}
	return nil
}

// look waits for another one that is under way, or until ctx ends.
func (l *latest) look(ctx context.Context, number int64) error {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if l.upTo < number {
		l.upTo = l.asked.Load()
		_, l.err = l.repository.Fetch(ctx)
	}
	return l.err
}
