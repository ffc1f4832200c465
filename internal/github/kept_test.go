package github

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

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
// that is as it was; the caller sees the whole list all the same, and a change at once.
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
	const path = "/repos/acme/access/pulls"
	if got := w.statuses(path); !slices.Equal(got, []int{200, 200, 304, 304}) {
		t.Errorf("statuses %v", got)
	}
	w.push(forge.Change{Branch: "b2", Files: map[string]string{"2": "y"}})
	open(3)
	if moved := list(); len(moved) != 4 || moved[2].HeadSHA != w.Branch("b2") ||
		!slices.Equal(moved[:2], first[:2]) {
		t.Errorf("after a push and another pull request: %v", moved)
	}
	if got := w.statuses(path)[4:]; !slices.Equal(got, []int{304, 200}) {
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
