package github

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/testdata/forge"
)

// statuses are those of GitHub's answers to calls of a path, in order.
func (w world) statuses(path string) (all []int) {
	for _, r := range w.Requests() {
		if r.Method == http.MethodGet && r.Path == path {
			all = append(all, r.Status)
		}
	}
	return all
}

// TestUnchangedListCostsNothing: GitHub says 304, which does not count, for every page of a list
// that is as it was, and for the empty one after it, which shows that it ends there; the caller
// sees the whole list all the same, and a change at once.
func TestUnchangedListCostsNothing(t *testing.T) {
	w := newWorld(t)
	open := func(i int) {
		w.push(forge.Change{Branch: fmt.Sprint("b", i),
			Files: map[string]string{fmt.Sprint(i): "x"}})
		w.open(fmt.Sprint("b", i))
	}
	list := func() []OpenPull {
		t.Helper()
		pulls, err := w.client.OpenPulls(t.Context())
		w.check(err)
		return pulls
	}
	for i := range 3 { // two pages, since the forge serves two items a page
		open(i)
	}
	first := list()
	if again := list(); len(first) != 3 || !slices.Equal(first, again) {
		t.Errorf("first %v, then %v", first, again)
	}
	list()
	const path = "/repos/acme/access/pulls"
	if got := w.statuses(path); !slices.Equal(got, []int{200, 200, 304, 304, 200, 304, 304, 304}) {
		t.Errorf("statuses %v", got)
	}
	w.push(forge.Change{Branch: "b2", Files: map[string]string{"2": "y"}})
	open(3)
	if moved := list(); len(moved) != 4 || moved[2].HeadSHA != w.Branch("b2") ||
		!slices.Equal(moved[:2], first[:2]) {
		t.Errorf("after a push and another pull request: %v", moved)
	}
	if got := w.statuses(path)[8:]; !slices.Equal(got, []int{200, 200}) {
		t.Errorf("statuses %v", got)
	}
	w.facts(1)
	if got := w.statuses("/repos/acme/access/pulls/1"); !slices.Equal(got, []int{200, 200}) {
		t.Errorf("facts were taken from memory: statuses %v", got)
	}
}

// TestKeptAnswerIsWhole: what was cut short is not kept, and a 304 that nobody asked for is no
// answer.
func TestKeptAnswerIsWhole(t *testing.T) {
	w := newWorld(t)
	w.push(forge.Change{Branch: "b", Files: map[string]string{"b": "x"}})
	w.open("b")
	const path = "/repos/acme/access/pulls"
	w.Fail("GET", path, 1, 200, `[{"number": 1`, "ETag", `"cut"`)
	w.Fail("GET", path, 1, 304, "")
	for range 2 {
		if pulls, err := w.client.OpenPulls(t.Context()); err == nil {
			t.Errorf("it was taken for %v", pulls)
		}
	}
	if pulls, err := w.client.OpenPulls(t.Context()); err != nil || len(pulls) != 1 {
		t.Errorf("open %v, error %v", pulls, err)
	}
}

// TestFullMemoryKeepsWhatItHas: a list that is longer than what is kept costs the calls for the
// rest of it, and no more.
func TestFullMemoryKeepsWhatItHas(t *testing.T) {
	w := newWorld(t)
	for i := range 5 {
		w.check(w.SetBranch("alice", fmt.Sprint("b", i), w.push(forge.Change{Branch: "b",
			Files: map[string]string{"b": fmt.Sprint(i)}})))
		w.open(fmt.Sprint("b", i))
	}
	_, err := w.client.OpenPulls(t.Context())
	w.check(err)
	for i := range 3 { // as if the third page, and the empty one, had found no place
		delete(w.client.wire.kept.answers, fmt.Sprintf("%s/repos/acme/access/pulls?direction=desc&"+
			"page=%d&per_page=100&sort=created&state=open", w.URL, 3+i))
	}
	w.client.wire.kept.size = maxKept
	for range 2 {
		before := len(w.statuses("/repos/acme/access/pulls"))
		if pulls, err := w.client.OpenPulls(t.Context()); err != nil || len(pulls) != 5 {
			t.Errorf("open %v, error %v", pulls, err)
		}
		if got := w.statuses("/repos/acme/access/pulls")[before:]; !slices.Equal(got,
			[]int{304, 304, 200}) {
			t.Errorf("statuses %v", got)
		}
	}
}

// TestWhatNobodyAsksForMakesRoom: what is full keeps what it has for as long as that is asked for; once it
// was not for an hour, as the checks of a pull request that is closed, what is new takes its place.
func TestWhatNobodyAsksForMakesRoom(t *testing.T) {
	w := newWorld(t)
	now := noon
	w.client.wire.clock = func() time.Time { return now }
	w.push(forge.Change{Branch: "b", Files: map[string]string{"b": "x"}})
	w.open("b")
	const list = "/repos/acme/access/pulls"
	checks := "/repos/acme/access/commits/" + w.Branch("b") + "/check-runs"
	calls := map[string]func() error{
		list: func() error {
			_, err := w.client.OpenPulls(t.Context())
			return err
		},
		checks: func() error {
			_, err := w.client.Sign(t.Context(), w.Branch("b"))
			return err
		},
	}
	ask := func(path string, want int) {
		t.Helper()
		before := len(w.statuses(path))
		w.check(calls[path]())
		if got := w.statuses(path)[before]; got != want {
			t.Errorf("%s: status %d, want %d", path, got, want)
		}
	}
	ask(list, 200)
	kept := &w.client.wire.kept
	closed := make([]byte, maxKept-kept.size)
	kept.answers["closed"] = keptAnswer{etag: "closed", body: closed, asked: now}
	kept.size = maxKept
	for range 2 {
		ask(checks, 200)
	}
	now = now.Add(keptFor)
	ask(list, 304)
	ask(checks, 200)
	now = now.Add(time.Second)
	ask(checks, 200)
	ask(checks, 304)
	ask(list, 304)
	size := 0
	for _, answer := range kept.answers {
		size += len(answer.body)
	}
	if _, there := kept.answers["closed"]; there || size != kept.size {
		t.Errorf("%d bytes are kept, and %d counted", size, kept.size)
	}
}
