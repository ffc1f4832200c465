package github

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/testdata/forge"
)

// manyOpen is a world whose clock goes on by a quarter of an hour with each of so many pull
// requests.
func manyOpen(t *testing.T, many int) (w world, now *time.Time) {
	t.Helper()
	at := noon
	w = newWorldAt(t, func() time.Time { return at })
	head := w.push(forge.Change{Branch: "b", Files: map[string]string{"b": "x"}})
	for i := range many {
		at = at.Add(15 * time.Minute)
		branch := fmt.Sprint("b", i)
		w.check(w.SetBranch("alice", branch, head))
		w.open(branch)
	}
	return w, &at
}

// reads reads the list and returns the numbers on it and GitHub's answers.
func (w world) reads(l *OpenList, now time.Time) (numbers, statuses []int) {
	w.Helper()
	const path = "/repos/acme/access/pulls"
	before := len(w.statuses(path))
	pulls, err := l.Read(w.Context(), now)
	w.check(err)
	for _, p := range pulls {
		numbers = append(numbers, p.Number)
	}
	return numbers, w.statuses(path)[before:]
}

// TestFollowedListCostsOneCall: however many are open, a look costs one call, which counts only
// when one was updated, and one more when a page holds nothing older; the whole list is read at
// first and every ten minutes. The forge serves pages of two.
func TestFollowedListCostsOneCall(t *testing.T) {
	w, now := manyOpen(t, 7)
	l := w.client.FollowOpen()
	expect := func(what string, wantNumbers, wantStatuses []int) {
		t.Helper()
		numbers, statuses := w.reads(l, *now)
		if !slices.Equal(numbers, wantNumbers) || !slices.Equal(statuses, wantStatuses) {
			t.Errorf("%s: %v, statuses %v; want %v, %v", what, numbers, statuses, wantNumbers,
				wantStatuses)
		}
	}
	patch := func(number int, state string) {
		t.Helper()
		w.check(w.Do(w.Token("alice"), "PATCH", fmt.Sprintf("/repos/acme/access/pulls/%d", number),
			map[string]any{"state": state}, nil))
	}
	expect("first", []int{7, 6, 5, 4, 3, 2, 1}, []int{200, 200, 200, 200, 200, 304})
	expect("unchanged", []int{7, 6, 5, 4, 3, 2, 1}, []int{304})
	*now = now.Add(5 * time.Minute)
	patch(3, "closed")
	expect("closed", []int{7, 6, 5, 4, 2, 1}, []int{200, 200})
	*now = now.Add(4 * time.Minute)
	patch(3, "open")
	expect("open again", []int{3, 7, 6, 5, 4, 2, 1}, []int{200})
	expect("unchanged", []int{3, 7, 6, 5, 4, 2, 1}, []int{304})
	*now = now.Add(time.Minute)
	expect("ten minutes", []int{3, 7, 6, 5, 4, 2, 1}, []int{304, 304, 304, 200, 304, 200,
		304}) // the page with the one that was updated, and the empty one after the last
	*now = now.Add(-time.Hour)
	if _, statuses := w.reads(l, *now); len(statuses) < 4 {
		t.Errorf("the clock was set back: statuses %v", statuses)
	}
}

// TestFollowedListIsWhole: a pull request that GitHub's news leave out, or that a page lost while
// the list was read, is there at the next look at the whole list.
func TestFollowedListIsWhole(t *testing.T) {
	t.Run("left out", func(t *testing.T) {
		w, now := manyOpen(t, 3)
		l := w.client.FollowOpen()
		w.reads(l, *now)
		*now = now.Add(8 * time.Minute)
		w.check(w.SetBranch("alice", "late", w.Branch("b")))
		w.SetManners(forge.Manners{ListLag: 5 * time.Minute})
		w.open("late")
		if numbers, _ := w.reads(l, *now); slices.Contains(numbers, 4) {
			t.Errorf("open %v", numbers)
		}
		for i := range 3 { // others push it off the page that is looked at
			*now = now.Add(3 * time.Minute)
			w.push(forge.Change{Branch: fmt.Sprint("b", i), Files: map[string]string{"c": "y"}})
		}
		if numbers, _ := w.reads(l, *now); !slices.Contains(numbers, 4) {
			t.Errorf("open %v", numbers)
		}
	})
	t.Run("later than others", func(t *testing.T) {
		w, now := manyOpen(t, 3)
		l := w.client.FollowOpen()
		w.reads(l, *now)
		*now = now.Add(5 * time.Minute)
		w.check(w.SetBranch("alice", "late", w.Branch("b")))
		w.SetManners(forge.Manners{ListLag: time.Minute})
		w.open("late")
		for i, want := range []bool{false, false, false, true} {
			*now = now.Add(20 * time.Second)
			if i < 2 {
				w.push(forge.Change{Branch: fmt.Sprint("b", i), Files: map[string]string{"c": "y"}})
			}
			if numbers, _ := w.reads(l, *now); slices.Contains(numbers, 4) != want && i != 2 {
				t.Errorf("look %d: open %v", i, numbers)
			}
		}
	})
	t.Run("lost between pages", func(t *testing.T) {
		w, now := manyOpen(t, 5)
		pages := 0
		client := w.between(func(_ http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, "/pulls") && r.URL.Query().Get("state") == "open" {
				if pages++; pages == 2 { // those of the page move to the one that was read
					w.check(w.Do(w.Token("alice"), "PATCH", "/repos/acme/access/pulls/5",
						map[string]any{"state": "closed"}, nil))
				}
			}
			return false
		})
		l := client.FollowOpen()
		if numbers, _ := w.reads(l, *now); slices.Contains(numbers, 3) {
			t.Errorf("nothing was lost: %v", numbers)
		}
		if numbers, _ := w.reads(l, *now); !slices.Equal(numbers, []int{4, 3, 2, 1}) {
			t.Errorf("open %v", numbers)
		}
	})
}

// TestUnchangedPageIsNotReadAgain: what a page that is as it was had in it is known, also after a look
// that failed; a page that changed is read. The answers that are kept are spoiled here, so that reading
// one of them would show.
func TestUnchangedPageIsNotReadAgain(t *testing.T) {
	w, now := manyOpen(t, 3)
	l := w.client.FollowOpen()
	expect := func(what string, want ...int) {
		t.Helper()
		if numbers, _ := w.reads(l, *now); !slices.Equal(numbers, want) {
			t.Errorf("%s: %v, want %v", what, numbers, want)
		}
	}
	spoil := func() {
		kept := w.client.wire.kept.answers
		for address, answer := range kept {
			if strings.Contains(address, "sort=updated") {
				kept[address] = keptAnswer{etag: answer.etag, body: []byte("spoilt")}
			}
		}
	}
	patch := func(number int, state string) {
		t.Helper()
		w.check(w.Do(w.Token("alice"), "PATCH", fmt.Sprintf("/repos/acme/access/pulls/%d", number),
			map[string]any{"state": state}, nil))
	}
	expect("first", 3, 2, 1)
	spoil()
	expect("unchanged", 3, 2, 1)
	*now = now.Add(time.Minute)
	patch(2, "closed")
	expect("closed", 3, 1)
	if closed := l.Closed(*now); len(closed) != 1 || closed[0].Number != 2 {
		t.Errorf("closed %v", closed)
	}
	spoil()
	for range 2 {
		expect("unchanged with one that is closed", 3, 1)
	}
	const path = "/repos/acme/access/pulls"
	w.Fail("GET", path, 1, 403, "{}")
	if _, err := l.Read(t.Context(), *now); err == nil {
		t.Error("a refusal is no error")
	}
	expect("after a refusal", 3, 1)
	*now = now.Add(time.Minute)
	patch(2, "open")
	expect("open again", 2, 3, 1)
	spoil()
	expect("unchanged since", 2, 3, 1)
}

// TestIncompletePage: a pull request of which a page lacks something is an error in each look, also
// when the page is as it was; which ones were closed is known all the same.
func TestIncompletePage(t *testing.T) {
	w, now := manyOpen(t, 2)
	*now = now.Add(time.Minute)
	w.check(w.Do(w.Token("alice"), "PATCH", "/repos/acme/access/pulls/1",
		map[string]any{"state": "closed"}, nil))
	l := w.edited("/pulls", func(body any) any {
		if all := body.([]any); len(all) == 2 { // with the closed one, which the whole list leaves out
			all[1].(map[string]any)["base"] = map[string]any{}
		}
		return body
	}).FollowOpen()
	for look := range 2 {
		if _, err := l.Read(t.Context(), *now); err == nil || !strings.Contains(err.Error(), "lacks") {
			t.Errorf("look %d: error %v", look, err)
		}
		if closed := l.Closed(*now); len(closed) != 1 || closed[0].Number != 1 {
			t.Errorf("look %d: closed %v", look, closed)
		}
	}
}

// TestFollowedListThatFails: a whole list that cannot be had is an error, and changes nothing.
func TestFollowedListThatFails(t *testing.T) {
	w := newWorld(t)
	w.ask()
	client := w.between(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Get("state") != "open" {
			return false
		}
		rw.WriteHeader(http.StatusForbidden)
		return true
	})
	list := client.FollowOpen()
	if open, err := list.Read(t.Context(), noon); err == nil || open != nil || list.open != nil ||
		!list.whole.IsZero() {
		t.Errorf("open %v, error %v", open, err)
	}
}
