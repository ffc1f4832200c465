package action_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

// TestDue: a moment of the schedule judges what has no verdict yet and what time has changed, and
// nothing else; what waited longer than it may is denied, and closed with a note.
func TestDue(t *testing.T) {
	w := newWorld(t)
	ends := func(want string, checks int) {
		t.Helper()
		w.out.Reset()
		result, err := w.run("schedule", map[string]any{"schedule": "*/5 * * * *"})
		if err != nil || result.Outcome.String() != want {
			t.Errorf("at %s: %s, error %v; want %s\n%s", w.now, result.Outcome, err, want, w.out.String())
		}
		if got := len(w.forge.Checks()); got != checks {
			t.Errorf("at %s: %d check runs, want %d", w.now, got, checks)
		}
	}
	w.open(map[string]string{requestPath: fmt.Sprintf(request, "1h", "INC-123, checkout is slow")})
	pushed := w.now
	ends("pending", 1)
	ends("allowed", 1) // nothing is due
	w.approve("bob")
	if _, err := w.judge(); err != nil {
		t.Fatal(err)
	}
	w.now = pushed.Add(24*time.Hour - time.Second)
	ends("allowed", 2)
	w.now = pushed.Add(24*time.Hour + time.Second)
	ends("denied", 3)
	if got := w.lastCheck().Title; got != "Denied: "+string(policies.ExpiredBeforeGrant) {
		t.Errorf("the last check says %s", got)
	}
	notes := w.comments()
	if last := notes[len(notes)-1].Body; !strings.Contains(last, "It could be merged until") ||
		!strings.Contains(last, "and is closed") {
		t.Errorf("the comment says\n%s", last)
	}
	ends("allowed", 3) // nothing is open
}

// TestDueWhatIsNotRead: a check that cannot be read is due, so that the verdict tells of it.
func TestDueWhatIsNotRead(t *testing.T) {
	w := newWorld(t)
	w.open(map[string]string{requestPath: fmt.Sprintf(request, "1h", "INC-123, checkout is slow")})
	w.approve("bob")
	w.forge.Fail("GET", "/repos/acme/access/commits/.*/check-runs", -1, 403, `{"message": "Forbidden"}`)
	result, err := w.run("schedule", map[string]any{"schedule": "*/5 * * * *"})
	if err != nil {
		t.Fatal(err)
	}
	w.expect(result, policies.Failed, "failure", "Error: EvaluationError")
}

// TestDueWhatCouldNotBeJudged: what GitHub did not tell enough of is judged again by the schedule, as its
// summary says: soon, then ever more seldom. That of a fork, which anybody can open, is not.
func TestDueWhatCouldNotBeJudged(t *testing.T) {
	w := newWorld(t)
	w.forge.AddUser("eve", 166)
	w.forge.SetPermission("eve", "read")
	w.open(map[string]string{requestPath: fmt.Sprintf(request, "1h", "INC-123, checkout is slow")})
	w.approve("bob")
	w.push(forge.Change{User: "eve", Branch: "eve:fork", Files: map[string]string{"README.md": "x"}})
	if _, err := w.forge.Open("eve", "eve:fork", "x"); err != nil {
		t.Fatal(err)
	}
	schedule := func(times int, title string, checks int) {
		t.Helper()
		for range times {
			w.now = w.now.Add(5 * time.Minute)
			if _, err := w.run("schedule", map[string]any{"schedule": "*/5 * * * *"}); err != nil {
				t.Fatal(err)
			}
		}
		if got := w.forge.Checks(); got[len(got)-1].Title != title || len(got) != checks {
			t.Errorf("at %s: %d check runs, the last of them %+v; want %d, %s", w.now, len(got),
				got[len(got)-1], checks, title)
		}
	}
	trouble := func() {
		w.forge.Fail("GET", "/repos/acme/access/pulls/[0-9]+/reviews", -1, 403, `{"message": "Forbidden"}`)
	}
	const failed = "Error: EvaluationError"
	trouble()
	schedule(1, failed, 2) // neither had a check
	for _, checks := range []int{3, 4, 5, 5, 6, 6, 6, 6, 7} {
		schedule(1, failed, checks)
	}
	w.forge.Heal()
	schedule(7, "Allowed", 8)
	trouble()
	if _, err := w.run("pull_request_target", map[string]any{"pull_request": map[string]any{
		"number": w.number, "head": map[string]any{"sha": w.forge.Branch("ask")}}}); err != nil {
		t.Fatal(err)
	}
	schedule(1, failed, 10) // soon, for it could be judged in between
	schedule(12*24, failed, 21)
}
