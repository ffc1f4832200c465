package github

import (
	"fmt"
	"slices"
	"testing"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

func TestOpenPullRequests(t *testing.T) {
	w := newWorld(t)
	for i := range 3 {
		w.push(forge.Change{Branch: fmt.Sprint("b", i),
			Files: map[string]string{fmt.Sprint(i): "x"}})
		w.open(fmt.Sprint("b", i))
	}
	w.check(w.Do(w.Token("alice"), "PATCH", "/repos/acme/access/pulls/2",
		map[string]any{"state": "closed"}, nil))
	alice := policies.User{Login: "alice", ID: 101, Type: "User"}
	first, last := OpenPull{1, w.Branch("b0"), "main", false, alice, false}, OpenPull{3, w.Branch("b2"),
		"main", false, alice, false}
	if got, err := w.client.OpenPulls(t.Context()); err != nil || !slices.Equal(got,
		[]OpenPull{first, last}) {
		t.Errorf("open %v, error %v", got, err)
	}
	if got, err := w.client.PullsByHead(t.Context(), w.Branch("b2")); err != nil ||
		!slices.Equal(got, []OpenPull{last}) {
		t.Errorf("by head %v, error %v", got, err)
	}
	if got, err := w.client.PullsByHead(t.Context(), w.Branch("main")); err != nil ||
		len(got) != 0 {
		t.Errorf("by main's tip %v, error %v", got, err)
	}
	if _, err := w.client.PullsByHead(t.Context(), "main"); err == nil {
		t.Error("a branch was taken for a commit")
	}
}

// TestWhatIsOpenIsSeenAtOnce: after a list was read, whatever is opened, closed or opened again is
// on the next one, also when the pages were exactly full: a page that GitHub says is as it was does
// not tell that none follows.
func TestWhatIsOpenIsSeenAtOnce(t *testing.T) {
	for page, open := range map[int][]int{2: {1, 2, 3, 4, 5}, 100: {99, 100, 101}} {
		t.Run(fmt.Sprint(page), func(t *testing.T) {
			openIsSeen(newWorld(t, func(o *forge.Options) {
				o.PageSize, o.Contract = page, page == 2 // to check a hundred again and again takes long
			}), open)
		})
	}
}

// openIsSeen has so many pull requests open, one number after the other.
func openIsSeen(w world, counts []int) {
	w.Helper()
	head := w.push(forge.Change{Branch: "b", Files: map[string]string{"b": "x"}})
	open, followed := 0, w.client.FollowOpen()
	expect := func(what string, want int) {
		w.Helper()
		whole, err := w.client.OpenPulls(w.Context())
		w.check(err)
		news, err := followed.Read(w.Context(), noon)
		w.check(err)
		for _, pulls := range [][]OpenPull{whole, news} {
			numbers := map[int]bool{}
			for _, p := range pulls {
				numbers[p.Number] = true
			}
			if len(pulls) != want || len(numbers) != want {
				w.Errorf("%d open, %s: %d are seen, %d of them once", open, what, len(pulls),
					len(numbers))
			}
		}
	}
	set := func(number int, state string) {
		w.Helper()
		w.check(w.Do(w.Token("alice"), "PATCH", fmt.Sprintf("/repos/acme/access/pulls/%d", number),
			map[string]any{"state": state}, nil))
	}
	for _, most := range counts {
		for ; open < most; open++ {
			if open >= most-1 {
				expect("before", open)
			}
			branch := fmt.Sprint("b", open)
			w.check(w.SetBranch("alice", branch, head))
			w.open(branch)
		}
		expect("opened", most)
		set(1, "closed")
		expect("the oldest closed", most-1)
		expect("nothing more", most-1)
		set(1, "open")
		expect("the oldest open again", most)
		set(most, "closed")
		expect("the newest closed", most-1)
		set(most, "open")
		expect("the newest open again", most)
	}
}

// TestMergedWithHead: the pull request of a head that was merged is found by the commit or by the
// list; one that is open, or closed unmerged, is none.
func TestMergedWithHead(t *testing.T) {
	w := newWorld(t)
	n := w.ask()
	head := w.Branch("ask")
	expect := func(what string, want int) {
		t.Helper()
		if got, err := w.client.MergedWithHead(t.Context(), head); err != nil || got != want {
			t.Errorf("%s: #%d, error %v; want #%d", what, got, err, want)
		}
	}
	expect("open", 0)
	w.check(w.client.Close(t.Context(), n))
	expect("closed", 0)
	w.check(w.Do(w.Token("alice"), "PATCH", fmt.Sprintf("/repos/acme/access/pulls/%d", n),
		map[string]any{"state": "open"}, nil))
	w.merge(n)
	expect("merged", n)
	for _, silent := range []string{"/repos/acme/access/commits/.*/pulls",
		"/repos/acme/access/pulls"} {
		w.Fail("GET", silent, -1, 200, "[]")
		expect("merged, and silence of "+silent, n)
		w.Heal()
	}
}
