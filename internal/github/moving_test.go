package github

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

// when returns a client that runs do before each call of the path, up to times times.
func (w world) when(path string, times int, do func(round int)) *Client {
	round := 0
	return w.between(func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, path) && r.URL.Query().Get("page") == "" && round < times {
			round++
			do(round)
		}
		return false
	})
}

func TestAPullRequestThatMovesIsReadAgain(t *testing.T) {
	for _, path := range []string{"/files", "/commits", "/reviews", "/events", "/activity",
		"/codeowners/errors", "/permission"} {
		t.Run(strings.Trim(path, "/"), func(t *testing.T) {
			w := newWorld(t)
			n := w.ask()
			w.review("bob", n, "APPROVE")
			var head string
			w.client = w.when(path, 1, func(int) {
				head = w.push(forge.Change{Branch: "ask", From: "main",
					Files: map[string]string{requestPath: requestFile, "policies/evil.yaml": "x"}})
			})
			f := w.facts(n)
			if f.PullRequest.HeadSHA != head || len(f.Files) != 2 || f.Commits[0].SHA != head ||
				len(f.Pushes) != 2 {
				t.Errorf("facts of two heads: head %s, files %v, commits %v, %d pushes",
					f.PullRequest.HeadSHA, f.Files, f.Commits, len(f.Pushes))
			}
		})
	}
}

// TestFilesAreOfTheHead: what is read before the pull request itself may be of another head, which
// no later reading of it would tell. A change of the head that comes between is seen in all of it.
func TestFilesAreOfTheHead(t *testing.T) {
	for _, path := range []string{"/repos/acme/access/pulls/1", "/graphql"} {
		w := newWorld(t)
		n := w.ask()
		client := w.client
		if path == "/graphql" {
			client = w.ahead()
		}
		before := len(w.Requests())
		files := func() bool {
			return slices.ContainsFunc(w.Requests()[before:], func(r forge.Request) bool {
				return strings.HasSuffix(r.Path, "/files")
			})
		}
		head := ""
		w.Before("", path, func() {
			for range 50 {
				if time.Sleep(10 * time.Millisecond); files() {
					break
				}
			}
			head = w.push(forge.Change{Branch: "ask", From: "main",
				Files: map[string]string{"policies/evil.yaml": "x"}})
		})
		f, err := client.Facts(t.Context(), n, noon)
		w.check(err)
		if f.PullRequest.HeadSHA != head || len(f.Files) != 1 ||
			f.Files[0].Path != "policies/evil.yaml" {
			t.Errorf("%s: the head is %s, not %s, and the files are %v", path,
				f.PullRequest.HeadSHA, head, f.Files)
		}
	}
}

func TestWhatCountsAsMoving(t *testing.T) {
	edit := func(w world, n int, in map[string]any) {
		w.check(w.Do(w.Token("alice"), "PATCH", fmt.Sprintf("/repos/acme/access/pulls/%d",
			n), in, nil))
	}
	for name, move := range map[string]func(w world, n int){
		"merged": func(w world, n int) { w.merge(n) },
		"closed": func(w world, n int) { edit(w, n, map[string]any{"state": "closed"}) },
		"base":   func(w world, n int) { edit(w, n, map[string]any{"base": "other"}) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.push(forge.Change{User: "root", Branch: "other",
				Files: map[string]string{"other": "1"}})
			n := w.ask()
			pulls := 0
			path := fmt.Sprintf("/pulls/%d", n)
			w.client = w.between(func(_ http.ResponseWriter, r *http.Request) bool {
				if strings.HasSuffix(r.URL.Path, path) {
					pulls++
				}
				if strings.HasSuffix(r.URL.Path, "/codeowners/errors") && pulls == 1 {
					move(w, n)
				}
				return false
			})
			f := w.facts(n)
			if pulls != 4 {
				t.Errorf("the pull request was read %d times; want 4, two readings", pulls)
			}
			if name == "merged" && (f.Merge == nil || !f.PullRequest.Merged) || name == "closed" &&
				f.PullRequest.State != "closed" ||
				name == "base" && (f.PullRequest.BaseRef != "other" || len(f.BaseChanges) != 1) {
				t.Errorf("the facts are from before: %+v", f.PullRequest)
			}
		})
	}
}

func TestAPullRequestThatNeverRests(t *testing.T) {
	w := newWorld(t)
	n := w.ask()
	w.client = w.when("/reviews", 99, func(round int) {
		w.push(forge.Change{Branch: "ask", Files: map[string]string{requestPath: requestFile +
			fmt.Sprintf("# %d\n", round)}})
	})
	w.refused(n, "changed while it was read", "3 times", "try again")
}

// A head that goes away and comes back between two calls leaves the name of the head as it was.
func TestAHeadThatWasMovedAwayAndBack(t *testing.T) {
	w := newWorld(t)
	n := w.ask()
	reads := 0
	w.client = w.edited(fmt.Sprintf("/pulls/%d", n), func(body any) any {
		reads++
		return with(map[string]any{"updated_at": fmt.Sprintf("2026-11-23T12:00:%02dZ",
			reads)})(body)
	})
	w.refused(n, "changed while it was read")
	if reads != 2*maxReadings {
		t.Errorf("the pull request was read %d times; want %d", reads, 2*maxReadings)
	}
}

func TestListsThatCannotBeWhole(t *testing.T) {
	w := newWorld(t)
	n := w.ask()
	w.review("bob", n, "APPROVE")
	for name, c := range map[string]struct {
		path  string
		edit  func(any) any
		words string
	}{
		"3000 files": {"", with(map[string]any{"changed_files": 3000}), "it changes 3000 " +
			"files and GitHub lists no more"},
		"250 commits": {"", with(map[string]any{"commits": 250}), "it has 250 commits and " +
			"GitHub lists no more"},
		"fewer files": {"", with(map[string]any{"changed_files": 2}), "GitHub counts 2 " +
			"changed files and lists 1"},
		"fewer commits": {"", with(map[string]any{"commits": 2}),
			"GitHub counts 2 commits and lists 1"},
		"250 listed": {"/commits", func(body any) any { return repeat(body, 250) },
			"it has 250 commits"},
		"3000 listed": {"/files", func(body any) any { return repeat(body, 3000) },
			"it changes 3000 files"},
		"without head": {"/commits", func(body any) any {
			body.([]any)[0].(map[string]any)["sha"] =
				strings.Repeat("1", 40)
			return body
		}, "probably after a force-push"},
		"ref of another": {"/activity", func(body any) any {
			body.([]any)[0].(map[string]any)["ref"] =
				"refs/heads/x"
			return body
		}, "lacks a field"},
		"a login that is none": {"/reviews", func(body any) any {
			body.([]any)[0].(map[string]any)["user"].(map[string]any)["login"] = "bob/../carol"
			return body
		}, `the login "bob/../carol"`},
		"half an account": {"/reviews", func(body any) any {
			body.([]any)[0].(map[string]any)["user"] = map[string]any{"login": "bob"}
			return body
		}, "the writer of review"},
	} {
		t.Run(name, func(t *testing.T) {
			path := fmt.Sprintf("/pulls/%d%s", n, c.path)
			if c.path == "/activity" {
				path = c.path
			}
			w := world{Forge: w.Forge, T: t, token: w.token}
			w.client = w.edited(path, c.edit)
			w.refused(n, c.words)
		})
	}
}

// TestListsThatFail: a list that cannot be had is not an empty one.
func TestListsThatFail(t *testing.T) {
	w := newWorld(t)
	n := w.ask()
	pull := fmt.Sprintf("/repos/acme/access/pulls/%d", n)
	for path, words := range map[string]string{pull + "/commits": "list the commits",
		pull + "/reviews": "list the reviews", pull + "/files": "list the files",
		fmt.Sprintf("/repos/acme/access/issues/%d/events", n): "list the events",
		"/repos/acme/access/activity":                         "list the pushes"} {
		w.Fail("GET", path, -1, 403, `{"message": "Resource not accessible by integration"}`)
		w.refused(n, words, "lacks a permission")
		w.Heal()
	}
}

func repeat(body any, times int) any {
	var all []any
	for range times {
		all = append(all, body.([]any)[0])
	}
	return all
}

func TestANextPageInAnUnknownForm(t *testing.T) {
	w := newWorld(t)
	n := w.ask()
	for _, link := range []string{`<https://x/?p=2>; rel=next`, `<%zz>; rel="next"`,
		`<https://x/?page=0>; rel="next"`} {
		w.client = w.between(func(rw http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, "/reviews") {
				rw.Header().Set("Link", link)
				_, _ = rw.Write([]byte("[]"))
				return true
			}
			return false
		})
		w.refused(n, "list the reviews of the pull request")
	}
}

func TestABranchNamedNext(t *testing.T) {
	w := newWorld(t)
	for i := range 3 {
		w.push(forge.Change{Branch: "next", Files: map[string]string{requestPath: requestFile +
			fmt.Sprintf("# %d\n", i)}})
	}
	if f := w.facts(w.open("next")); len(f.Pushes) != 3 {
		t.Errorf("%d pushes", len(f.Pushes))
	}
}

func TestTheRepositoryIsPinnedByNumber(t *testing.T) {
	w := newWorld(t)
	n := w.ask()
	id := 9001
	w.client = w.edited("", func(body any) any { return with(map[string]any{"id": id})(body) })
	w.facts(n)
	id++
	w.refused(n, "is the repository with number 9002, and not the one with number 9001")
}

func TestRetargetingAndStackedBranches(t *testing.T) {
	w := newWorld(t)
	n := w.ask()
	w.client = w.edited(fmt.Sprintf("/issues/%d/events", n), func(body any) any {
		return append(body.([]any), map[string]any{"event": "base_ref_changed",
			"created_at": "2026-11-23T11:00:00Z"},
			map[string]any{"event": "automatic_base_change_succeeded",
				"created_at": "2026-11-23T11:30:00Z"},
			map[string]any{"event": "labeled", "created_at": "2026-11-23T11:45:00Z"})
	})
	f := w.facts(n)
	if len(f.BaseChanges) != 2 || f.BaseChanges[1].String() != "2026-11-23T11:30:00Z" {
		t.Errorf("base changes %v", f.BaseChanges)
	}
	roundTrip(t, f)
}

func TestAForkHasNoPushesHere(t *testing.T) {
	w := newWorld(t)
	w.push(forge.Change{Branch: "alice:ask", Files: map[string]string{requestPath: requestFile}})
	n := w.open("alice:ask")
	f := w.facts(n)
	if len(f.Pushes) != 0 || f.PullRequest.HeadRepoID == f.Repository.ID {
		t.Errorf("pushes %v, head repository %d", f.Pushes, f.PullRequest.HeadRepoID)
	}
	if d := policies.Evaluate(f.Base, f, noon); d.Code != policies.WrongBase {
		t.Errorf("code %s; want %s", d.Code, policies.WrongBase)
	}
}

func TestAPushThatGitHubDoesNotListYetIsWaitedFor(t *testing.T) {
	w := newWorld(t)
	n := w.ask()
	for _, times := range []int{1, 2} {
		w.Fail("GET", ".*/activity", times, 200, "[]")
		if f := w.facts(n); len(f.Pushes) != 1 {
			t.Errorf("%d pushes after %d empty lists", len(f.Pushes), times)
		}
	}
	w.Fail("GET", ".*/activity", -1, 200, "[]")
	if _, err := w.client.Facts(t.Context(), n, noon); err == nil || !strings.Contains(err.Error(),
		"who pushed its head") {
		t.Errorf("facts without a pusher: %v", err)
	}
}

// TestFieldsThatAreMissing: what GitHub leaves out is not taken for its zero value.
func TestFieldsThatAreMissing(t *testing.T) {
	w := newWorld(t)
	n := w.ask()
	w.review("bob", n, "APPROVE")
	w.check(w.Do(w.Token("alice"), "PATCH", fmt.Sprintf("/repos/acme/access/pulls/%d", n),
		map[string]any{"title": "Ask again"}, nil)) // so that something happened to it
	pull := fmt.Sprintf("/pulls/%d", n)
	for path, c := range map[string]struct {
		fields []string
		words  string
	}{
		pull: {[]string{"number", "state", "head", "base", "merged", "updated_at", "changed_files",
			"commits"}, ""},
		pull + "/reviews": {[]string{"id", "state", "submitted_at"},
			"the reviews"},
		pull + "/files":                     {[]string{"filename", "status"}, "the files"},
		pull + "/commits":                   {[]string{"sha"}, "the commits"},
		fmt.Sprintf("/issues/%d/events", n): {[]string{"event", "created_at"}, "the events"},
		"/activity": {[]string{"ref", "after", "activity_type", "timestamp"},
			"the pushes"},
		"": {[]string{"id", "default_branch", "owner"},
			"the repository"},
	} {
		for _, field := range c.fields {
			t.Run(path+" "+field, func(t *testing.T) {
				w := world{Forge: w.Forge, T: t, token: w.token}
				w.client = w.edited(path, func(body any) any {
					if list, ok := body.([]any); ok {
						if len(list) == 0 {
							t.Fatal("the list is empty")
						}
						delete(list[0].(map[string]any), field)
						return list
					}
					delete(body.(map[string]any), field)
					return body
				})
				w.refused(n, c.words)
			})
		}
	}
}
