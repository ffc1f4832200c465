package sync

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/scene"
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

// TestEndIsToldInTheNextTerm: what became of a request is told by the replica that recorded it when that
// leads again; the rest each term tells anew.
func TestEndIsToldInTheNextTerm(t *testing.T) {
	s := newStage(t)
	numbers := map[string]int{}
	for _, name := range []string{"ended", "waiting"} {
		_, path, content := s.requestFile(name)
		numbers[name] = s.pull(name, true, map[string]string{path: content})
	}
	comments := s.agent(githubOnly).tell.comments
	for name, number := range numbers {
		comments.put(comment{number: number, what: name, last: name == "ended",
			compose: func(context.Context) (string, error) { return name, nil }})
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	wait := comments.begin(ctx)
	s.Until("the end is told, and it is known to be", func() bool {
		comments.mu.Lock()
		defer comments.mu.Unlock()
		return len(comments.pending)+len(comments.turn) == 0
	})
	s.says(numbers["ended"], "ended")
	stop()
	wait()
	if said := s.said(numbers["waiting"]); said != "" {
		t.Errorf("it was told of an earlier term: %s", said)
	}
	if left := len(comments.pending); left > 0 {
		t.Errorf("%d wait", left)
	}
}

// TestLastsNoMore: while GitHub takes no comment, access begins and ends, and what could not be ended ends.
// Neither is told to be there once GitHub takes them again.
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
	s.Fail("", "/repos/acme/access/issues/.*comments.*", -1, 500, "")
	brief, briefPath, content := s.requestFile("brief")
	briefly := s.pull("brief", true, map[string]string{briefPath: content})
	s.Must(agent.Once(t.Context()))
	s.granted(brief)
	finalizers(`["example.com/stay"]`)
	s.Fail("", ".*/git-receive-pack", -1, 503, "") // nor can the end be recorded, and told
	s.pull("take", false, map[string]string{path: "\x00removed", briefPath: "\x00removed"})
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
	if said := s.said(briefly); said != "" {
		t.Errorf("it is over, and told: %s", said)
	}
}

// TestOverAndNotNoted: access that is over is not said to last as nobody can note that it is.
func TestOverAndNotNoted(t *testing.T) {
	s := newStage(t)
	name, path, content := s.requestFile("over")
	number := s.pull("over", true, map[string]string{path: content})
	full := false
	agent := s.agent(options{github: true, wire: func(next http.RoundTripper) http.RoundTripper {
		return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
			if full && r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, requests.ObjectName(name, 0)) {
				return nil, errors.New("etcd is full")
			}
			return next.RoundTrip(r)
		})
	}})
	s.Must(agent.Once(t.Context()))
	s.says(number, "### Access until")
	s.SetClock(s.Clock().Add(time.Hour))
	full = true
	for range 3 {
		if err := agent.Once(t.Context()); err == nil || !strings.Contains(err.Error(), "could not be noted") {
			t.Fatalf("error: %v", err)
		}
	}
	if names := s.Names(); len(names) != 0 {
		t.Fatalf("there are %v", names)
	}
	s.says(number, "### Access until")
	full = false
	s.Must(agent.Once(t.Context()))
	s.says(number, "### Access ended: Expired")
}
