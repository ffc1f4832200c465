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

// TestChangedWhileItIsSaid: what changes while a comment is written is told by another one, though it is
// of the same word.
func TestChangedWhileItIsSaid(t *testing.T) {
	s := newStage(t)
	_, path, content := s.requestFile("said")
	number := s.pull("said", true, map[string]string{path: content})
	comments := s.agent(githubOnly).tell.comments
	says := func(text string, meanwhile func()) comment {
		return comment{number: number, what: "granted", compose: func(context.Context) (string, error) {
			meanwhile()
			return text, nil
		}}
	}
	comments.put(says("before", func() { comments.put(says("after", func() {})) }))
	for comments.write(t.Context()) {
		s.pause()
	}
	s.says(number, "after")
}
