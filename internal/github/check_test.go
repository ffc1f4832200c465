package github

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/pullgrant/pullgrant/requests"
)

func TestPostCheck(t *testing.T) {
	w := newWorld(t)
	n := w.ask()
	head := w.facts(n).PullRequest.HeadSHA
	w.client = w.clientOf(w.URL, w.AppToken("pullgrant"))
	check := Check{HeadSHA: head, Name: "pullgrant", Conclusion: "failure", Title: "Denied",
		Summary: strings.Repeat("å", maxSummary)}
	for i := range 220 {
		check.Annotations = append(check.Annotations, Annotation{Path: requestPath, Line: i + 1,
			Column: 3, Level: "failure", Title: "rule", Message: fmt.Sprint("no. ", i)})
	}
	if _, err := w.client.PostCheck(t.Context(), check); err != nil {
		t.Fatal(err)
	}
	posted := w.Checks()
	if len(posted) != 1 || posted[0].App != "pullgrant" || posted[0].Status != "completed" ||
		posted[0].Conclusion != "failure" || posted[0].HeadSHA != head {
		t.Fatalf("checks %+v", posted)
	}
	if got := posted[0].Annotations; len(got) != 200 || got[199].Message != "no. 199" ||
		got[199].StartLine != 200 {
		t.Errorf("%d annotations", len(got))
	}
	if s := posted[0].Summary; len(s) > maxSummary || !utf8.ValidString(s) ||
		!strings.HasSuffix(s, "…") {
		t.Errorf("summary of %d bytes", len(s))
	}

	w.client = w.clientOf(w.URL, w.Token("alice"))
	if _, err := w.client.PostCheck(t.Context(), Check{HeadSHA: head, Name: "pullgrant",
		Conclusion: "success", Title: "t", Summary: "s"}); err == nil ||
		!strings.Contains(err.Error(), "Checks: write, which only an App") {
		t.Errorf("error %v for a user's token", err)
	}
}

func TestCut(t *testing.T) {
	for most := len(" …"); most < 12; most++ {
		got := cut("åäöåäöåäö", most)
		if len(got) > most || !utf8.ValidString(got) {
			t.Errorf("%d bytes: %q", most, got)
		}
	}
	if got := cut("short", 5); got != "short" {
		t.Errorf("%q", got)
	}
}

// TestLastCheck: only a check run of the App's, on the commit and under the name, counts; the one
// that was made last does. The forge serves pages of two.
func TestLastCheck(t *testing.T) {
	w := newWorld(t)
	n := w.ask()
	head := w.facts(n).PullRequest.HeadSHA
	expect := func(want int64) {
		t.Helper()
		got, err := w.client.LastCheck(t.Context(), head, "pullgrant", "pullgrant")
		if err != nil || got.ID != want || !got.Next.IsZero() {
			t.Errorf("%+v, error %v; want %d", got, err, want)
		}
	}
	expect(0)
	for i := range 3 {
		app := fmt.Sprint("other-", i)
		w.AddApp(app, int64(7100+i))
		w.check(w.Pass(app, "pullgrant", head))
	}
	w.check(w.Pass("pullgrant", "another", head))
	w.check(w.Pass("pullgrant", "pullgrant", w.Branch("main")))
	expect(0)
	for range 2 {
		w.check(w.Pass("pullgrant", "pullgrant", head))
		checks := w.Checks()
		expect(checks[len(checks)-1].ID)
	}
	next := requests.At(time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC))
	ours := w.clientOf(w.URL, w.AppToken("pullgrant"))
	for _, failures := range []int{0, 7} {
		if _, err := ours.PostCheck(t.Context(), Check{HeadSHA: head, Name: "pullgrant",
			Conclusion: "success", Title: "t", Summary: "s", Next: next, Failures: failures}); err != nil {
			t.Fatal(err)
		}
		if got, err := w.client.LastCheck(t.Context(), head, "pullgrant",
			"pullgrant"); err != nil || !got.Next.Equal(next.Time) || got.Failures != failures {
			t.Errorf("%+v, error %v; want what it names, %s and %d failures", got, err, next, failures)
		}
	}
}
