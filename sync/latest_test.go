package sync

import (
	"testing"

	"github.com/pullgrant/pullgrant/sync/git"
)

// TestLookThatFailed is an error for everybody whom it should have served, and for nobody else.
func TestLookThatFailed(t *testing.T) {
	repository, err := git.NewRepository("http://127.0.0.1:1/access.git", "main", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	l := &latest{repository: repository}
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
