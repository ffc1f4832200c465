package github

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

// TestCoAuthorsByAddress: GitHub is asked whose an address is, over all pages, and only when a
// trailer does not say it itself.
func TestCoAuthorsByAddress(t *testing.T) {
	const bob, nobody = "Bob@example.com", "bob@elsewhere.example"
	for name, test := range map[string]struct {
		trailers []string
		want     map[string]policies.User
		code     policies.Code
		outcome  policies.Outcome
	}{
		"the approver": {[]string{bob}, map[string]policies.User{bob: {Login: "bob", ID: 102,
			Type: "User"}}, policies.ContributorApproval, policies.Pending},
		"somebody else": {[]string{"carol@example.com"},
			map[string]policies.User{"carol@example.com": {Login: "carol", ID: 103, Type: "User"}},
			"", policies.Allowed},
		"nobody's": {[]string{nobody}, nil, policies.UnattributableCommit, policies.Pending},
		"one of two": {[]string{bob, nobody}, map[string]policies.User{bob: {Login: "bob",
			ID: 102, Type: "User"}}, policies.UnattributableCommit, policies.Pending},
		"a noreply one": {[]string{"103+carol@users.noreply.github.com"}, nil, "",
			policies.Allowed},
		"no address": {[]string{""}, nil, policies.UnattributableCommit, policies.Pending},
		"none":       {nil, nil, "", policies.Allowed},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for i := range map[bool]int{true: 101, false: 1}[name == "one of two"] { // over a page
				w.push(forge.Change{Branch: "ask",
					Files: map[string]string{requestPath: fmt.Sprint(i)}})
			}
			message := "Ask\n\n"
			for _, address := range test.trailers {
				message += "Co-authored-by: Somebody <" + address + ">\n"
			}
			w.push(forge.Change{Branch: "ask", Message: message,
				Files: map[string]string{requestPath: requestFile}})
			n := w.open("ask")
			w.review("bob", n, "APPROVE")
			f := w.facts(n)
			head := f.Commits[len(f.Commits)-1]
			if !maps.Equal(head.CoAuthorUsers, test.want) {
				t.Errorf("co-authors %v, want %v", head.CoAuthorUsers, test.want)
			}
			if d := policies.Evaluate(f.Base, f, noon); d.Outcome != test.outcome ||
				d.Code != test.code {
				t.Errorf("%v %s: %s", d.Outcome, d.Code, d.Message)
			}
			asked := false
			for _, r := range w.Requests() {
				asked = asked || r.Path == "/graphql"
			}
			if unknown := len(head.CoAuthors) > 0 && name != "a noreply one"; asked != unknown {
				t.Errorf("GraphQL was asked: %v", asked)
			}
		})
	}
}

// TestCoAuthorsThatGitHubDoesNotTell: an answer that is cut or refused is never "nobody's".
func TestCoAuthorsThatGitHubDoesNotTell(t *testing.T) {
	const page = `{"data": {"repository": {"pullRequest": {"commits": {"pageInfo": %s, "nodes": [%s]}}}}}`
	sha := strings.Repeat("a", 40)
	for body, words := range map[string]string{
		`{"data": {"repository": {"pullRequest": null}}}`:                "lacks a field",
		`{"data": {"repository": null}}`:                                 "lacks a field",
		`{"data": null, "errors": [{"message": "later"}]}`:               "later",
		fmt.Sprintf(page, `{"hasNextPage": true, "endCursor": "x"}`, ""): "lacks a field",
		fmt.Sprintf(page, `{"hasNextPage": true, "endCursor": null}`,
			`{"commit": {"oid": "`+sha+`"}}`): "lacks a field",
		fmt.Sprintf(page, `{"hasNextPage": false}`,
			`{"commit": {"oid": "short"}}`): "lacks a field",
	} {
		w := newWorld(t)
		w.push(forge.Change{Branch: "ask", Message: "Ask\n\nCo-authored-by: Bob <bob@example.com>\n",
			Files: map[string]string{requestPath: requestFile}})
		n := w.open("ask")
		w.Fail("POST", "/graphql", -1, 200, body)
		w.refused(n, words)
	}
}
