package sync

import (
	"context"
	"errors"
	"testing"

	"github.com/pullgrant/pullgrant/sync/git"
)

// TestLookThatFailed is an error for everybody whom it should have served, and for nobody else.
func TestLookThatFailed(t *testing.T) {
	repository, err := git.NewRepository("http://127.0.0.1:1/access.git", "main", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	l := newLatest(repository)
	first, second := l.asked.Add(1), l.asked.Add(1)
	for _, number := range []int64{first, second} {
		if err := l.look(t.Context(), number); err == nil {
			t.Errorf("%d went on without a look", number)
		}
	}
	if l.upTo != second {
		t.Errorf("the look served up to %d, want %d", l.upTo, second)
	}
}

// TestWaitForALookEnds: who waits while another one looks does not wait longer than the context.
func TestWaitForALookEnds(t *testing.T) {
	l := newLatest(nil)
	l.turn <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.look(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v; want the cancellation", err)
	}
}
