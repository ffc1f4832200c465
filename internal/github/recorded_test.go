package github

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

// note does what the Action does on a head: it judges, and posts what it knows of who pushed.
func (w world) note(app string, number int) {
	w.Helper()
	client := w.clientOf(w.URL, w.AppToken(app))
	f, err := client.Facts(w.Context(), number, noon)
	w.check(err)
	pushed, known := PushedBy(f)
	if !known {
		w.Fatalf("nobody knows who pushed %+v", f.Pushes)
	}
	_, err = client.PostCheck(w.Context(), Check{HeadSHA: f.PullRequest.HeadSHA,
		Name: policies.CheckName, Conclusion: "success", Title: "Allowed", Summary: "x",
		Pushed:      []Pushed{pushed},
		Annotations: twoCalls}) // and both keep it
	w.check(err)
}

// TestPushersFromCheckRuns: where GitHub tells no activity any more, the pinned App's check runs on
// every head tell who pushed, and a head that has none leaves it unknown.
func TestPushersFromCheckRuns(t *testing.T) {
	for name, test := range map[string]struct {
		// do makes heads and records on the pull request of the branch ask, after its opening.
		do      func(w world, n int, push func(user, from, content string))
		app     int64
		words   string // of the error; empty: there is none
		outcome policies.Outcome
		code    policies.Code
	}{
		"one head": {func(w world, n int, _ func(string, string, string)) {
			w.note("pullgrant", n)
		}, 7001, "", policies.Allowed, ""},
		"not pinned": {func(w world, n int, _ func(string, string, string)) {
			w.note("pullgrant", n)
		}, 0, "GitHub does not list yet who pushed its head", 0, ""},
		"another App's": {func(w world, n int, _ func(string, string, string)) {
			w.note("agent", n)
		}, 7001, "tells who pushed it", 0, ""},
		"no record": {func(w world, n int, _ func(string, string, string)) {
			w.check(w.Pass("pullgrant", "pullgrant", w.Branch("ask")))
		}, 7001, "nor do the check runs of the App 7001: none on", 0, ""},
		"another check's": {func(w world, n int, push func(string, string, string)) {
			client := w.clientOf(w.URL, w.AppToken("pullgrant"))
			pushed, _ := PushedBy(w.facts(n))
			_, err := client.PostCheck(w.Context(), Check{HeadSHA: w.Branch("ask"), Name: "other",
				Conclusion: "success", Title: "x", Summary: "x", Pushed: []Pushed{pushed}})
			w.check(err)
		}, 7001, "tells who pushed it", 0, ""},
		"the approver pushed": {func(w world, n int, push func(string, string, string)) {
			w.note("pullgrant", n)
			push("bob", "", requestFile)
			w.note("pullgrant", n)
		}, 7001, "", policies.Denied, policies.ContributorApproval},
		"the approver pushed a head that is gone": {func(w world, n int,
			push func(string, string, string)) {
			first := w.Branch("ask")
			w.note("pullgrant", n)
			push("bob", "", requestFile+"# more\n")
			w.note("pullgrant", n)
			w.check(w.SetBranch("alice", "ask", first))
			w.note("pullgrant", n)
		}, 7001, "", policies.Denied, policies.ContributorApproval},
		"a head in between without a record": {func(w world, n int,
			push func(string, string, string)) {
			w.note("pullgrant", n)
			push("carol", "", requestFile+"# more\n")
			push("alice", "", requestFile)
			w.note("pullgrant", n)
		}, 7001, "tells who pushed it", 0, ""},
		"pushed away and back without a record": {func(w world, n int,
			push func(string, string, string)) {
			first := w.Branch("ask")
			w.note("pullgrant", n)
			push("bob", "", requestFile+"# more\n")
			w.check(w.SetBranch("bob", "ask", first))
		}, 7001, "none tells of the force-push", 0, ""},
		"force-pushed": {func(w world, n int, push func(string, string, string)) {
			w.note("pullgrant", n)
			push("carol", "main", requestFile)
			w.note("pullgrant", n)
		}, 7001, "", policies.Allowed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			now := noon.Add(-time.Hour)
			w := newWorldAt(t, func() time.Time { now = now.Add(time.Second); return now })
			n := w.ask()
			test.do(w, n, func(user, from, content string) {
				w.push(forge.Change{User: user, Branch: "ask", From: from,
					Author: &forge.Identity{Name: "alice", Email: "alice@example.com"},
					Files:  map[string]string{requestPath: content}})
			})
			w.review("bob", n, "APPROVE")
			w.merge(n)
			w.check(w.SetBranch("alice", "ask", ""))
			known := w.facts(n)
			w.SetManners(forge.Manners{NoActivityOfDeletedRef: true})
			w.client.checkApp = test.app
			if test.words != "" {
				w.refused(n, test.words, "for all that the repository has")
				return
			}
			f := w.facts(n)
			if known.PushesFrom != policies.FromActivity || f.PushesFrom != policies.FromCheckRuns {
				t.Errorf("sources %q and %q", known.PushesFrom, f.PushesFrom)
			}
			for _, p := range known.Pushes {
				if !slices.ContainsFunc(f.Pushes, func(q policies.Push) bool {
					return q.Actor == p.Actor
				}) {
					t.Errorf("%+v is not among %+v", p, f.Pushes)
				}
			}
			blob := f.Head.Files[requestPath].Blob
			d := policies.EvaluateMerged(f, requestPath, blob, noon)
			if d.Outcome != test.outcome || d.Code != test.code {
				t.Errorf("%v %s: %s", d.Outcome, d.Code, d.Message)
			}
			if before := policies.EvaluateMerged(known, requestPath, blob, noon); before.Code !=
				d.Code {
				t.Errorf("by activity: %s, by check runs: %s", before.Code, d.Code)
			}
		})
	}
}

var someRecord = Pushed{Pull: 7, Head: strings.Repeat("a", 40), Before: strings.Repeat("b", 40),
	At: requests.At(noon), Pushers: []policies.User{{Login: "alice", ID: 101, Type: "User"}}}

// TestRecordsAreReadStrictly: what is not as the Action writes it tells nothing.
func TestRecordsAreReadStrictly(t *testing.T) {
	text, err := recordText([]Pushed{someRecord, someRecord})
	if got, readErr := parseRecords(text); err != nil || readErr != nil || len(got) != 2 {
		t.Fatalf("%v, errors %v, %v", got, err, readErr)
	}
	for _, change := range [][2]string{{"\n```\n", "\n"}, {"\n\n", "\n"}, {`"pull":7`, `"pull":0`},
		{`"pull":7`, `"pull": 7`}, {`"pull":7`, `"pull":7,"more":1`}, {"aaaa", "AAAA"},
		{`"before":"bb`, `"before":"b`}, {`"pushers":[{`, `"pushers":[],"x":[{`}, {"2026", "0026x"},
		{`"pull"`, `"Pull"`}, {`,"pushers":[{"login":"alice","id":101,"type":"User"}]`, ""}} {
		if changed := strings.Replace(text, change[0], change[1], 1); changed == text {
			t.Errorf("%q is not in %q", change[0], text)
		} else if got, err := parseRecords(changed); err == nil {
			t.Errorf("%s is read as %+v", fmt.Sprintf("%q", changed), got)
		}
	}
}

func FuzzParseRecords(f *testing.F) {
	text, err := recordText([]Pushed{someRecord})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"", text, recordsBegin + recordsEnd, recordsBegin + "{}\n" +
		recordsEnd} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all, err := parseRecords(text)
		if err != nil {
			return
		}
		if again, err := recordText(all); err != nil || again != text {
			t.Errorf("%q was read as %q, error %v", text, again, err)
		}
	})
}

// twoCalls are more annotations than one call takes.
var twoCalls = slices.Repeat([]Annotation{{Path: requestPath, Level: "notice", Message: "x"}},
	maxAnnotation+1)

// TestRecordsOfAnotherApp: the App is looked at in the answer, whatever was asked for.
func TestRecordsOfAnotherApp(t *testing.T) {
	w := newWorld(t)
	n := w.ask()
	w.note("pullgrant", n)
	w.review("bob", n, "APPROVE")
	head := w.Branch("ask")
	w.merge(n)
	w.check(w.SetBranch("alice", "ask", ""))
	w.SetManners(forge.Manners{NoActivityOfDeletedRef: true})
	for field, value := range map[string]any{"app": map[string]any{"id": 7002}, "app ": nil,
		"name": "other", "output": map[string]any{"text": "they pushed"}} {
		w.client = w.edited("/commits/"+head+"/check-runs", func(body any) any {
			runs := body.(map[string]any)["check_runs"].([]any)
			runs[0].(map[string]any)[strings.TrimSpace(field)] = value
			return body
		})
		w.client.checkApp = 7001
		w.refused(n, "nor do the check runs of the App 7001")
	}
	w.client = w.edited("/commits/"+head+"/check-runs", with(map[string]any{"total_count": 2}))
	w.client.checkApp = 7001
	w.refused(n, "lacks a field")
}
