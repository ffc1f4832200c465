package github

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

// ahead has the client ask GraphQL for what it tells at once.
func (w world) ahead() *Client { return atOnce(w.clientOf(w.URL, w.token)) }

func atOnce(c *Client) *Client {
	c.byREST = false
	return c
}

// asked is a pull request with an approval, merged or not.
func (w world) asked(merged bool) int {
	n := w.ask()
	w.review("bob", n, "APPROVE")
	if merged {
		w.merge(n)
	}
	return n
}

// TestFewCalls: GitHub is asked for a judgement in few calls.
func TestFewCalls(t *testing.T) {
	for _, merged := range []bool{false, true} {
		w := newWorld(t, func(o *forge.Options) { o.PageSize = 100 })
		n := w.asked(merged)
		before := len(w.Requests())
		facts, err := w.ahead().Facts(t.Context(), n, noon)
		w.check(err)
		calls := w.Requests()[before:]
		if len(calls) > 12 {
			t.Errorf("merged %t: %d calls: %v", merged, len(calls), calls)
		}
		byREST := w.facts(n)
		if !reflect.DeepEqual(facts, byREST) {
			t.Errorf("merged %t: GraphQL tells %+v\nREST tells %+v", merged, facts, byREST)
		}
	}
}

// TestLongListsAreReadByREST: what does not stand on a first page, by whichever cause, is not
// missing.
func TestLongListsAreReadByREST(t *testing.T) {
	w := newWorld(t, func(o *forge.Options) { o.PageSize = 1 })
	n := w.ask()
	for _, login := range []string{"bob", "carol", "eve", "bob"} {
		w.review(login, n, "COMMENT")
	}
	w.push(forge.Change{User: "alice", Branch: "ask", Message: "More",
		Files: map[string]string{requestPath: requestFile + "# more\n"}})
	facts, err := w.ahead().Facts(t.Context(), n, noon)
	w.check(err)
	if byREST := w.facts(n); !reflect.DeepEqual(facts, byREST) || len(facts.Reviews) != 4 ||
		len(facts.Commits) != 2 {
		t.Errorf("GraphQL tells %+v\nREST tells %+v", facts, byREST)
	}
}

// TestWhatGraphQLDoesNotTell is read by REST, which is asked at once: its points are spent, the token
// may not ask there, it knows no such field, there is no GraphQL, or it is in trouble.
func TestWhatGraphQLDoesNotTell(t *testing.T) {
	for _, c := range []struct {
		status, asked int
		body          string
	}{
		{200, 1, `{"errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]}`},
		{200, 1, `{"errors": [{"type": "RATE_LIMIT", "code": "graphql_rate_limit"}]}`},
		{200, 100, `{"data": null, "errors": [{"type": "FORBIDDEN", "message": "Not accessible"}]}`},
		{200, 1, `{"errors": [{"message": "Field 'fullDatabaseId' doesn't exist on type"}]}`},
		{502, 1, `{"errors": [{"message": "This may be the result of a timeout"}]}`},
		{404, 1, `{"message": "Not Found"}`},
		{500, 1, `<html>`},
	} {
		w := newWorld(t)
		n := w.asked(true)
		byREST := w.facts(n)
		w.Fail("POST", "/graphql", -1, c.status, c.body)
		before := len(w.Requests())
		facts, err := w.ahead().Facts(t.Context(), n, noon)
		w.check(err)
		if !reflect.DeepEqual(facts, byREST) {
			t.Errorf("%s: got %+v\nREST tells %+v", c.body, facts, byREST)
		}
		asked := slices.DeleteFunc(w.Requests()[before:], func(r forge.Request) bool {
			return r.Path != "/graphql"
		})
		if len(asked) < 1 || len(asked) > c.asked {
			t.Errorf("%s: GraphQL was asked %d times", c.body, len(asked))
		}
	}
}

// TestGraphQLInTrouble: an answer that is none is an error, and never taken for "there is none".
func TestGraphQLInTrouble(t *testing.T) {
	for _, answer := range []string{`{"data": {}}`, `{"data": null}`, `{}`, `{"data": []}`,
		`{"data": {"repository": 1}}`} {
		w := newWorld(t)
		n := w.asked(false)
		w.Fail("POST", "/graphql", -1, 200, answer)
		if _, err := w.ahead().Facts(t.Context(), n, noon); err == nil && !strings.Contains(answer,
			"null}") {
			t.Errorf("%s: no error", answer)
		}
	}
}

// TestBothDisagree: what GraphQL says otherwise of than REST is read by REST alone.
func TestBothDisagree(t *testing.T) {
	w := newWorld(t)
	n := w.asked(false)
	asked := 0
	client := atOnce(w.between(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost {
			return false
		}
		asked++
		recorder := httptest.NewRecorder()
		w.ServeHTTP(recorder, r)
		data := strings.ReplaceAll(recorder.Body.String(), `"updatedAt":"2026-11-23T12:00:00Z"`,
			`"updatedAt":"2026-11-23T12:00:01Z"`)
		_, _ = io.WriteString(rw, data)
		return true
	}))
	facts, err := client.Facts(t.Context(), n, noon)
	w.check(err)
	if byREST := w.facts(n); !reflect.DeepEqual(facts, byREST) || asked > 5 {
		t.Errorf("GraphQL was asked %d times: got %+v\nREST tells %+v", asked, facts, byREST)
	}
}

// changes are the ways in which an answer can lack something: one for each field that is missing or
// null, and for each node that is not in its list. A change alters the answer and returns how to
// undo that.
func changes(at string, value any) (all map[string]func() func()) {
	all = map[string]func() func(){}
	switch value := value.(type) {
	case map[string]any:
		for name, sub := range value {
			where := at + "." + name
			all[where+" is missing"] = func() func() {
				delete(value, name)
				return func() { value[name] = sub }
			}
			if sub != nil {
				all[where+" is null"] = func() func() {
					value[name] = nil
					return func() { value[name] = sub }
				}
			}
			if list, ok := sub.([]any); ok {
				for i := range list {
					all[fmt.Sprintf("%s[%d] is not there", where, i)] = func() func() {
						value[name] = slices.Delete(slices.Clone(list), i, i+1)
						return func() { value[name] = list }
					}
				}
			}
			maps.Copy(all, changes(where, sub))
		}
	case []any:
		for i, sub := range value {
			maps.Copy(all, changes(fmt.Sprintf("%s[%d]", at, i), sub))
		}
	}
	return all
}

// TestEachFieldOfGraphQLMissing takes away each thing in turn that GraphQL answers: the facts are
// those that REST tells, or there are none.
func TestEachFieldOfGraphQLMissing(t *testing.T) {
	w := newWorld(t, func(o *forge.Options) { o.PageSize = 100 })
	n := w.asked(true)
	byREST := w.facts(n)
	whole := map[string]*httptest.ResponseRecorder{} // by call
	answers := map[string]any{}                      // those of GraphQL
	altered := ""
	var mu sync.Mutex // several calls run side by side, and one may outlive the error of another
	client := w.between(func(rw http.ResponseWriter, r *http.Request) bool {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		call := r.Method + " " + r.URL.RequestURI() + " " + string(body)
		recorder, known := whole[call]
		if !known {
			recorder = httptest.NewRecorder()
			r.Body = io.NopCloser(strings.NewReader(string(body)))
			w.ServeHTTP(recorder, r)
			whole[call] = recorder
			if r.Method == http.MethodPost {
				var answer any
				w.check(json.Unmarshal(recorder.Body.Bytes(), &answer))
				answers[call] = answer
			}
		}
		data := recorder.Body.Bytes()
		if call == altered {
			data, _ = json.Marshal(answers[call])
		}
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(recorder.Code)
		_, _ = rw.Write(data)
		return true
	})
	gather := func() (policies.Facts, error) {
		c := atOnce(w.clientOf(client.wire.base.String(), w.token))
		return c.Facts(t.Context(), n, noon)
	}
	_, err := gather()
	w.check(err)
	if len(answers) < 4 {
		t.Fatalf("only %d answers of GraphQL", len(answers))
	}
	named := 0
	for _, call := range slices.Collect(maps.Keys(answers)) { // others follow on what is altered
		mu.Lock()
		altered = call
		all := changes("data", answers[call].(map[string]any)["data"])
		mu.Unlock()
		for what, change := range all {
			mu.Lock()
			undo := change()
			mu.Unlock()
			facts, err := gather()
			mu.Lock()
			undo()
			mu.Unlock()
			field, _, missing := strings.Cut(what, " is missing")
			switch {
			case err == nil && !reflect.DeepEqual(facts, byREST):
				t.Errorf("%s: got %+v\nREST tells %+v\nasked %s", what, facts, byREST, call)
			case err != nil && missing && strings.Contains(err.Error(), field+" is missing"):
				named++
			case err == nil && missing:
				t.Errorf("%s: no error\nasked %s", what, call)
			}
		}
	}
	if named < 50 {
		t.Errorf("only %d errors name the field", named)
	}
}
