package sync

import (
	"context"
	"errors"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/requests"
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

// TestLastsNoMore: while GitHub takes no comment, what could not be ended ends, and is not told to last
// once GitHub takes them again.
func TestLastsNoMore(t *testing.T) {
	s := newStage(t)
	name, path, content := s.requestFile("lasting")
	number := s.pull("lasting", true, map[string]string{path: content})
	agent := s.agent(githubOnly)
	s.Must(agent.Once(t.Context()))
	s.says(number, "### Access until")
	finalizers := func(all string) {
		_, err := s.Admin.RbacV1().RoleBindings(s.Namespace).Patch(t.Context(), requests.ObjectName(name, 0),
			"application/merge-patch+json", []byte(`{"metadata":{"finalizers":`+all+`}}`), metav1.PatchOptions{})
		s.Must(err)
	}
	finalizers(`["example.com/stay"]`)
	s.Fail("", "/repos/acme/access/issues/.*comments.*", -1, 500, "")
	s.Fail("", ".*/git-receive-pack", -1, 503, "") // nor can the end be recorded, and told
	s.pull("take", false, map[string]string{path: "\x00removed"})
	if err := agent.Once(t.Context()); err == nil || !strings.Contains(err.Error(), "its finalizers") {
		t.Errorf("error: %v", err)
	}
	if !strings.Contains(s.Log.String(), `"what":"lasting"`) {
		t.Error("nothing was to be told")
	}
	finalizers("null")
	s.pause()
	s.Until("it ends", func() bool { _ = agent.Once(t.Context()); return len(s.Names()) == 0 })
	s.Heal()
	s.Fail("", ".*/git-receive-pack", -1, 503, "")
	s.pause()
	_ = agent.Once(t.Context())
	s.says(number, "### Access until")
}
