package github

import (
	"net/http"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/pullgrant/pullgrant/policies"
)

// TestEveryCallIsOnThePage: docs/github.md has each call that a judgement rests on, and none that
// nobody makes.
func TestEveryCallIsOnThePage(t *testing.T) {
	page, err := os.ReadFile("../../docs/github.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []*regexp.Regexp
	for _, m := range regexp.MustCompile("(?m)^\\| `([A-Z]+ /\\S+)` \\|").FindAllStringSubmatch(
		string(page), -1) {
		pattern := regexp.MustCompile(`\{ref\}`).ReplaceAllString(m[1], ".+")
		pattern = regexp.MustCompile(`\{\w+\}`).ReplaceAllString(pattern, "[^/]+")
		rows = append(rows, regexp.MustCompile("^"+pattern+"$"))
	}
	w := newWorld(t)
	w.SetManners(manners["2026 and late"])
	n := w.ask()
	w.review("bob", n, "APPROVE")
	before := len(w.Requests())
	w.facts(n)
	_, err = w.client.PullsByHead(t.Context(), w.Branch("ask"))
	w.check(err)
	_, err = w.client.Rules(t.Context())
	w.check(err)
	_, err = w.client.LastCheck(t.Context(), w.Branch("ask"), policies.CheckName, "pullgrant")
	w.check(err)
	w.merge(n)
	w.facts(n)
	w.client.checkApp = 7001 // of which nobody ran
	_, err = w.client.recordedPushes(t.Context(), snapshot{PullRequest: w.facts(n).PullRequest})
	if err == nil {
		t.Error("pushes are told that nobody recorded")
	}
	_, err = w.client.MergedAs(t.Context(), w.Branch("main"))
	w.check(err)
	used := make([]bool, len(rows))
	for _, r := range w.Requests()[before:] {
		call := r.Method + " " + r.Path
		at := slices.IndexFunc(rows, func(row *regexp.Regexp) bool { return row.MatchString(call) })
		switch {
		case at >= 0:
			used[at] = true
		case r.Method == http.MethodGet || r.Path == "/graphql":
			t.Errorf("%s is not on the page", call)
		}
	}
	for i, row := range rows {
		if !used[i] {
			t.Errorf("nobody calls %s", row)
		}
	}
}
