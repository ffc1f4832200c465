package action_test

import (
	"fmt"
	"strings"
	"testing"
)

// comments are those on the pull request, oldest first.
func (w *world) comments() (all []struct {
	Body string
	User struct{ Login string }
}) {
	w.t.Helper()
	path := fmt.Sprintf("/repos/acme/access/issues/%d/comments?per_page=100", w.number)
	if err := w.forge.Do(w.forge.Token("dave"), "GET", path, nil, &all); err != nil {
		w.t.Fatal(err)
	}
	return all
}

func TestOneCommentIsKeptUpToDate(t *testing.T) {
	w := newWorld(t)
	w.open(map[string]string{requestPath: fmt.Sprintf(request, "1h", "INC-123, checkout is slow")})
	// Somebody got there first with the same beginning.
	path := fmt.Sprintf("/repos/acme/access/issues/%d/comments", w.number)
	forged := map[string]string{"body": "<!-- pullgrant: verdict -->\n### Allowed"}
	if err := w.forge.Do(w.forge.Token("carol"), "POST", path, forged, nil); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		do   func()
		want string
	}{
		{func() {}, "Waiting for approval"},
		{func() {}, "Waiting for approval"},
		{func() { w.approve("bob") }, "Approved"},
	} {
		step.do()
		if _, err := w.judge(); err != nil {
			t.Fatal(err)
		}
		all := w.comments()
		if len(all) != 2 || all[0].Body != forged["body"] || all[1].User.Login != "pullgrant[bot]" {
			t.Fatalf("comments %+v", all)
		}
		for _, words := range []string{step.want, "What <code>ClusterRole payments&#45;debug in " +
			"namespace payments</code> allows", "INC&#45;123"} {
			if !strings.Contains(all[1].Body, words) {
				t.Errorf("the comment does not say %q:\n%s", words, all[1].Body)
			}
		}
	}
	edits := 0
	for _, r := range w.forge.Requests() {
		if r.Method == "PATCH" && strings.Contains(r.Path, "/issues/comments/") {
			edits++
		}
	}
	if edits != 1 {
		t.Errorf("the comment was edited %d times, want once: for the approval", edits)
	}
}

func TestVerdictStandsWithoutItsComment(t *testing.T) {
	w := newWorld(t)
	w.open(map[string]string{requestPath: fmt.Sprintf(request, "1h", "INC-123, checkout is slow")})
	w.forge.Fail("POST", ".*/comments", -1, 403,
		`{"message": "Resource not accessible by integration"}`)
	if _, err := w.judge(); err != nil {
		t.Fatal(err)
	}
	if w.lastCheck().Conclusion != "action_required" || !strings.Contains(w.out.String(),
		"Pull requests: write") {
		t.Errorf("check run %+v, log\n%s", w.lastCheck(), w.out.String())
	}
}
