package github

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

func TestFactsOfAnApprovedRequest(t *testing.T) {
	w := newWorld(t)
	n := w.ask()
	w.review("bob", n, "APPROVE")
	f := w.facts(n)

	if d := policies.Evaluate(f.Base, f, noon); d.Outcome != policies.Allowed {
		t.Errorf("decision %s %s: %s", d.Outcome, d.Code, d.Message)
	}
	if f.Base.Commit != w.Branch("main") || f.Head.Commit != w.Branch("ask") || f.Merge != nil {
		t.Errorf("base %s head %s merge %v", f.Base.Commit, f.Head.Commit, f.Merge)
	}
	if got := f.Base.Files[policyPath].Content; got != repositoryFiles[policyPath] {
		t.Errorf("policy %q", got)
	}
	if file := f.Head.Files[requestPath]; file.Content != requestFile || file.Mode != "100644" ||
		file.Blob != blobName([]byte(requestFile)) {
		t.Errorf("request %+v", file)
	}
	if _, extra := f.Base.Files["README.md"]; extra || len(f.Base.Files) != 4 {
		t.Errorf("base holds %d files, README %v", len(f.Base.Files), extra)
	}
	want := map[string]policies.UserFacts{"alice": {ID: 101, Permission: "write", Member: true},
		"bob": {ID: 102, Permission: "write", Member: true}}
	if !reflect.DeepEqual(f.Users, want) {
		t.Errorf("users %v", f.Users)
	}
	if !reflect.DeepEqual(f.Answers, policies.Answers{policies.AboutMember("acme/squad-a",
		"alice"): true, policies.AboutMember("acme/squad-b", "bob"): true}) {
		t.Errorf("teams %v", f.Answers)
	}
	if len(f.Pushes) != 1 || f.Pushes[0].Actor.Login != "alice" ||
		f.Pushes[0].After != f.PullRequest.HeadSHA {
		t.Errorf("pushes %+v", f.Pushes)
	}
	roundTrip(t, f)
}

// roundTrip saves the facts and reads them again.
func roundTrip(t *testing.T, f policies.Facts) {
	t.Helper()
	data, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	var again policies.Facts
	if err := json.Unmarshal(data, &again); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(again, f) {
		t.Errorf("facts differ after a round trip:\n%+v\n%+v", f, again)
	}
}

func TestEveryPageIsRead(t *testing.T) {
	w := newWorld(t) // pages of two
	w.push(forge.Change{Branch: "many", Files: map[string]string{"a": "1", "b": "1", "c": "1",
		"d": "1", "e": "1"}})
	for range 4 {
		w.push(forge.Change{Branch: "many", User: "carol",
			Files: map[string]string{"a": w.Branch("many")}})
	}
	n := w.open("many")
	for range 3 {
		w.review("eve", n, "COMMENT")
	}
	w.review("bob", n, "APPROVE")
	f := w.facts(n)
	if len(f.Files) != 5 || len(f.Commits) != 5 || len(f.Reviews) != 4 || len(f.Pushes) != 5 {
		t.Errorf("%d files, %d commits, %d reviews, %d pushes", len(f.Files), len(f.Commits),
			len(f.Reviews), len(f.Pushes))
	}
	if !slices.ContainsFunc(f.Pushes,
		func(p policies.Push) bool { return p.Actor.Login == "alice" }) {
		t.Error("the first push, on the last page, is missing")
	}
	roundTrip(t, f)
}
