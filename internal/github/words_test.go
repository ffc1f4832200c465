package github

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

// narrowing has the policy of the world let reviews narrow.
func (w world) narrowing() {
	w.Helper()
	w.push(forge.Change{User: "root", Branch: "main", Message: "Let reviews narrow",
		Files: map[string]string{policyPath: strings.Replace(repositoryFiles[policyPath], "  target:\n",
			"  allowNarrowing: true\n  target:\n", 1)}})
}

func (w world) says(login string, number int, words string) (id int64) {
	w.Helper()
	id, err := w.Review(login, number, "APPROVE", words)
	w.check(err)
	return id
}

// askedForWords returns a client whose question for words handle sees, which may answer it itself.
func (w world) askedForWords(handle func(rw http.ResponseWriter) (answered bool)) *Client {
	return w.between(func(rw http.ResponseWriter, r *http.Request) bool {
		body, err := io.ReadAll(r.Body)
		w.check(err)
		r.Body = io.NopCloser(bytes.NewReader(body))
		return bytes.Contains(body, []byte("includesCreatedEdit")) && handle(rw)
	})
}

// TestWordsOfReviews: what those say is gathered whose approval may count, over all pages, where the
// policy lets that narrow, and nowhere else.
func TestWordsOfReviews(t *testing.T) {
	for name, test := range map[string]struct {
		narrowing bool
		reviews   int
	}{"one": {true, 1}, "more than a page": {true, 5}, "not in the policy": {false, 1}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if test.narrowing {
				w.narrowing()
			}
			n := w.ask()
			for range test.reviews - 1 {
				w.says("eve", n, "pullgrant: at most 1m")
			}
			w.says("bob", n, "Fine\n\npullgrant: at most 30m")
			asked := 0
			w.client = w.askedForWords(func(http.ResponseWriter) bool { asked++; return false })
			f := w.facts(n)
			for _, r := range f.Reviews {
				if told := r.Words != nil; told != (test.narrowing && r.User.Login == "bob") {
					t.Errorf("the words of %s are told: %t", r.User.Login, told)
				}
			}
			d := policies.Evaluate(f.Base, f, noon)
			if want := map[bool]string{true: "30m", false: "1h"}[test.narrowing]; d.Outcome !=
				policies.Allowed || d.Grant.Duration.String() != want {
				t.Errorf("%v %s: %+v", d.Outcome, d.Message, d.Grant)
			}
			if test.narrowing && (d.Approvers[0].Words != "Fine" || d.Approvers[0].Narrowed != "at most 30m") {
				t.Errorf("%+v", d.Approvers)
			}
			if want := map[bool]int{true: (test.reviews + 1) / 2}[test.narrowing]; asked != want { // pages of two
				t.Errorf("GraphQL was asked %d times, want %d", asked, want)
			}
		})
	}
}

// TestEditedWords: alice, who may write, edits bob's line away and gets nothing; nor does she when bob
// edits it himself, and when he approves again she has what he says then.
func TestEditedWords(t *testing.T) {
	for _, editor := range []string{"alice", "bob"} {
		w := newWorld(t)
		w.narrowing()
		n := w.ask()
		id := w.says("bob", n, "pullgrant: at most 30m")
		w.check(w.Edit(editor, n, id, "pullgrant: at most 1h"))
		f := w.facts(n)
		if d := policies.Evaluate(f.Base, f, noon); d.Code != policies.ApprovalStale ||
			!strings.Contains(d.Message, "the review was edited") {
			t.Errorf("edited by %s: %v %s", editor, d.Outcome, d.Message)
		}
		w.says("bob", n, "pullgrant: at most 10m")
		f = w.facts(n)
		if d := policies.Evaluate(f.Base, f, noon); d.Outcome != policies.Allowed ||
			d.Grant.Duration.String() != "10m" {
			t.Errorf("approved again: %v %s", d.Outcome, d.Message)
		}
	}
}

// TestWordsThatGitHubDoesNotTell: where GraphQL has nothing to tell the review does not count, and
// where it fails nothing is judged.
func TestWordsThatGitHubDoesNotTell(t *testing.T) {
	const page = `{"data": {"repository": {"pullRequest": {"reviews": {"pageInfo": %s, "nodes": [%s]}}}}}`
	for body, words := range map[string]string{
		`{"data": null, "errors": [{"type": "FORBIDDEN", "message": "no"}]}`:        "",
		`{"errors": [{"message": "no", "extensions": {"code": "undefinedField"}}]}`: "",
		fmt.Sprintf(page, `{"hasNextPage": false}`, ""):                             "",
		`{"data": null, "errors": [{"type": "RATE_LIMITED", "message": "later"}]}`:  "later",
		`{"data": {"repository": null}}`:                                            "lacks a field",
		`{"data": {"repository": {"pullRequest": null}}}`:                           "lacks a field",
		fmt.Sprintf(page, `{"hasNextPage": true, "endCursor": ""}`, ""):             "circle",
		fmt.Sprintf(page, `{"hasNextPage": false}`, `{"fullDatabaseId": "1"}`):      "lacks a field",
		fmt.Sprintf(page, `{"hasNextPage": false}`, `{"fullDatabaseId": "x", "body": "", `+
			`"includesCreatedEdit": false}`): "lacks a field",
	} {
		w := newWorld(t)
		w.narrowing()
		n := w.ask()
		w.says("bob", n, "OK")
		w.client = w.askedForWords(func(rw http.ResponseWriter) bool {
			_, err := io.WriteString(rw, body)
			return err == nil
		})
		if words != "" {
			w.refused(n, words)
			continue
		}
		f := w.facts(n)
		if d := policies.Evaluate(f.Base, f, noon); d.Code != policies.ApprovalStale ||
			!strings.Contains(d.Message, "what it says is not known") {
			t.Errorf("%s: %v %s", body, d.Outcome, d.Message)
		}
	}
	w := newWorld(t)
	w.narrowing()
	n := w.ask()
	w.says("bob", n, "OK")
	w.client = w.askedForWords(func(rw http.ResponseWriter) bool { http.NotFound(rw, nil); return true })
	if f := w.facts(n); f.Reviews[0].Words != nil {
		t.Errorf("%+v", f.Reviews)
	}
}

// TestLongWords are cut between characters, and told to be.
func TestLongWords(t *testing.T) {
	w := newWorld(t)
	w.narrowing()
	n := w.ask()
	w.says("bob", n, "x"+strings.Repeat("ä", policies.MaxWords)+"\npullgrant: at most 1m")
	f := w.facts(n)
	if words := f.Reviews[0].Words; !words.Cut || len(words.Text) != policies.MaxWords-1 ||
		!strings.HasSuffix(words.Text, "ä") {
		t.Errorf("%d bytes, %t", len(words.Text), words.Cut)
	}
	if d := policies.Evaluate(f.Base, f, noon); d.Code != policies.ApprovalStale {
		t.Errorf("%v %s", d.Outcome, d.Message)
	}
}
