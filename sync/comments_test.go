package sync

import (
	"context"
	"errors"
	"testing"
)

// TestNothingIsSaidWithoutItsText: a comment whose text cannot be made is not told.
func TestNothingIsSaidWithoutItsText(t *testing.T) {
	why := errors.New("the cluster does not answer")
	n := &comments{self: "agent[bot]"}
	for name, c := range map[string]*comment{
		"text": {number: 1, compose: func(context.Context) (string, error) {
			return "half",
				why
		}},
		"pull request": {find: func(context.Context) (int, error) { return 0, why }},
	} {
		if err := n.say(t.Context(), c); !errors.Is(err, why) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
