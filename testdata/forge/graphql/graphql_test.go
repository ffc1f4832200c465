package graphql

import (
	"strings"
	"testing"
)

const document = `query($owner: String!, $n: Int!) {
  repository(owner: $owner, name: "access") { pullRequest(number: $n) {
    number isDraft state title mergeCommit { oid } } } }`

func TestDocumentsAreGitHubs(t *testing.T) {
	variables := map[string]any{"owner": "acme", "n": 7}
	o, err := Parse(document, variables)
	if err != nil || o.Variables["n"] != 7 || o.Fields()[0] != "repository" {
		t.Fatalf("%+v, %v", o, err)
	}
	for name, broken := range map[string]string{
		"field":    strings.Replace(document, "isDraft", "isDrafty", 1),
		"argument": strings.Replace(document, "number: $n", "numero: $n", 1),
		"type":     strings.Replace(document, "$n: Int!", "$n: String!", 1),
		"syntax":   document + "}",
	} {
		if _, err := Parse(broken, variables); err == nil {
			t.Errorf("%s: it was taken", name)
		}
	}
	if _, err := Parse(document, map[string]any{"n": 7}); err == nil {
		t.Error("it was taken without a variable")
	}
}

func TestAnswersAreGitHubs(t *testing.T) {
	o, err := Parse(document, map[string]any{"owner": "acme", "n": 7})
	if err != nil {
		t.Fatal(err)
	}
	pull := func(change func(map[string]any)) map[string]any {
		p := map[string]any{"number": 7, "isDraft": false, "state": "MERGED", "title": "t",
			"mergeCommit": nil, "more": 1}
		change(p)
		return map[string]any{"repository": map[string]any{"pullRequest": p}}
	}
	got, _, err := o.Answer(pull(func(map[string]any) {}))
	p := got["repository"].(map[string]any)["pullRequest"].(map[string]any)
	if err != nil || len(p) != 5 {
		t.Errorf("%v, %v", got, err)
	}
	for name, change := range map[string]func(map[string]any){
		"missing":   func(p map[string]any) { delete(p, "title") },
		"null":      func(p map[string]any) { p["number"] = nil },
		"number":    func(p map[string]any) { p["number"] = "7" },
		"64 bits":   func(p map[string]any) { p["number"] = int64(1) << 31 },
		"text":      func(p map[string]any) { p["title"] = 7 },
		"truth":     func(p map[string]any) { p["isDraft"] = "no" },
		"enum":      func(p map[string]any) { p["state"] = "merged" },
		"no object": func(p map[string]any) { p["mergeCommit"] = "abc" },
	} {
		if got, _, err := o.Answer(pull(change)); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}
