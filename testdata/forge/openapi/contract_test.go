package openapi

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const (
	js         = "application/json"
	repository = "/repos/{owner}/{repo}"
	member     = `{"state":"active","role":"member","url":"https://api.github.com/x"}`
	label      = `{"id":1,"node_id":"x","url":"https://api.github.com/x","name":"x",` +
		`"description":null,"color":"0","default":false}`
)

// TestResponses spoils one thing of an answer at a time.
func TestResponses(t *testing.T) {
	const membership = "GET /orgs/{org}/teams/{team_slug}/memberships/{username}"
	const labels = "POST " + repository + "/issues/{issue_number}/labels"
	for _, c := range []struct {
		what, operation string
		status          int
		kind, body      string
		refused         string // what the refusal says; empty: GitHub says such a thing
	}{
		{"as it is", membership, 200, "application/json; charset=utf-8", member, ""},
		{"field missing", membership, 200, js,
			cut(member, `"state":"active",`), "missing property 'state'"},
		{"wrong type", membership, 200, js,
			swap(member, `"active"`, `1`), "got number, want string"},
		{"unknown word", membership, 200, js, swap(member, `"active"`, `"asleep"`), "must be one"},
		{"null", membership, 200, js, swap(member, `"active"`, `null`), "got null, want string"},
		{"no address", membership, 200, js, swap(member, `https:`, ``), "is not valid uri"},
		{"no JSON", membership, 200, js, member[1:], "is no JSON"},
		{"nothing", membership, 200, js, "", "is no JSON"},
		{"no list", membership, 200, js, "[" + member + "]", "got array, want object"},
		{"other type of body", membership, 200, "text/html", member, "of the type text/html"},
		{"no type of body", membership, 200, "", member, "the type of the body"},
		{"other status", membership, 202, js, member, "no such answer"},
		{"refusal not described", membership, 418, js, "{}", ""},
		{"no body described", membership, 404, "", "", ""},
		{"list", labels, 200, js, "[" + label + "]", ""},
		{"null where it may be", labels, 200, js, "[" + swap(label, `null`, `"x"`) + "]", ""},
		{"in the second of a list", labels, 200, js,
			"[" + label + "," + cut(label, `"color":"0",`) + "]", "missing property 'color'"},
		{"64 bits", labels, 200, js,
			"[" + swap(label, `"id":1`, `"id":9223372036854775807`) + "]", ""},
		{"more than 64 bits", labels, 200, js,
			"[" + swap(label, `"id":1`, `"id":9223372036854775808`) + "]", "is not valid int64"},
		{"described refusal", labels, 404, js, `{"message":"Not Found"}`, ""},
		{"described refusal of another form", labels, 404, js, `{"message":1}`, "want string"},
	} {
		_, x := exchange(t, c.operation, "/", "", "")
		err := x.Response(c.status, http.Header{"Content-Type": {c.kind}}, []byte(c.body))
		taken := err == nil && c.refused == ""
		if !taken && (c.refused == "" || !strings.Contains(fmt.Sprint(err), c.refused)) {
			t.Errorf("%s: %v, want %q", c.what, err, c.refused)
		}
	}
}

// TestAlternatives: the field that names an alternative decides which one is held against an
// answer.
func TestAlternatives(t *testing.T) {
	const contents = "GET " + repository + "/contents/{path:.+}"
	c, x := exchange(t, contents, "/", "", "")
	header := http.Header{"Content-Type": {js}}
	file := object{"type": "file", "encoding": "base64", "content": ""}
	whole, err := c.Encode(x.route, 200, file)
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Response(200, header, whole); err != nil {
		t.Error(err)
	}
	for _, kind := range []string{"symlink", "fifo"} {
		other := swap(string(whole), `"type":"file"`, `"type":"`+kind+`"`)
		if x.Response(200, header, []byte(other)) == nil {
			t.Errorf("a file that calls itself a %s is taken", kind)
		}
	}
	if x.Response(200, header, []byte(cut(string(whole), `,"type":"file"`))) == nil {
		t.Error("a file that does not say what it is, is taken")
	}
}

// TestHeaders: a header is held to its type.
func TestHeaders(t *testing.T) {
	c, x := exchange(t, "GET /rate_limit", "/", "", "")
	whole, err := c.Encode(x.route, 200, object{})
	if err != nil {
		t.Fatal(err)
	}
	header := http.Header{"Content-Type": {js}, "X-Ratelimit-Limit": {"5000"}}
	if err := x.Response(200, header, whole); err != nil {
		t.Error(err)
	}
	header.Set("X-RateLimit-Limit", "many")
	if x.Response(200, header, whole) == nil {
		t.Error("a limit that is no number is taken")
	}
}

// TestRequests spoils one thing of a request at a time.
func TestRequests(t *testing.T) {
	const list, open = "GET " + repository + "/pulls", "POST " + repository + "/pulls"
	const merge = "PUT " + repository + "/pulls/{pull_number}/merge"
	const label = "POST " + repository + "/issues/{issue_number}/labels"
	for _, c := range []struct {
		what, operation, url, kind, body string
		refused                          string // what the refusal says; empty: GitHub takes it
	}{
		{"as it is", list, "/?state=closed&per_page=3", "", "", ""},
		{"unknown word", list, "/?state=merged", "", "", `"state"`},
		{"no number", list, "/?per_page=all", "", "", `"per_page"`},
		{"a body", open, "/", js, `{"head":"a","base":"b","title":"c"}`, ""},
		{"a field missing", open, "/", js, `{"head":"a","title":"c"}`, "missing property 'base'"},
		{"no body", open, "/", js, "", "the body is missing"},
		{"null for a body", open, "/", js, "null", "got null, want object"},
		{"null for a body that may be missing", merge, "/", js, "null", ""},
		{"unknown word in a body", merge, "/", js, `{"merge_method":"octopus"}`, "must be one of"},
		{"a form", merge, "/", "application/x-www-form-urlencoded",
			"merge_method=merge", "of the type"},
		{"a list for an object, as the text allows", label, "/", js, `["x"]`, ""},
		{"a list of something else", label, "/", js, `[1]`, "want string"},
		{"no number in the path", label, "/seven", "", "", `"issue_number"`},
	} {
		contract, _ := exchange(t, c.operation, c.url, c.kind, c.body)
		said := strings.Join(contract.Violations(), "\n")
		if (said == "") != (c.refused == "") || !strings.Contains(said, c.refused) {
			t.Errorf("%s: %q, want %q", c.what, said, c.refused)
		}
	}
}

func TestUnknownOperations(t *testing.T) {
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	if c.Route("GET", repository) == nil {
		t.Error("GitHub shows no repositories")
	}
	for method, path := range map[string]string{"GET": "/nowhere", "TRACE": repository} {
		if c.Route(method, path) != nil {
			t.Errorf("GitHub offers %s %s", method, path)
		}
	}
}

// exchange sends a request to an operation of a contract of its own. The last part of url's path
// is every number in the operation's path, 1 when it is empty.
func exchange(t *testing.T, operation, url, kind, body string) (*Contract, *Exchange) {
	t.Helper()
	method, path, _ := strings.Cut(operation, " ")
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	route := c.Route(method, path)
	if route == nil {
		t.Fatalf("no operation %s", operation)
	}
	r := httptest.NewRequest(method, url, nil)
	r.Header.Set("Content-Type", kind)
	for _, p := range route.parameters {
		if p.object["in"] == "path" {
			r.SetPathValue(p.object["name"].(string), "1")
		}
	}
	if number := strings.TrimPrefix(r.URL.Path, "/"); number != "" {
		r.SetPathValue("issue_number", number)
	}
	return c, c.Request(route, r, []byte(body))
}

func cut(text, part string) string { return swap(text, part, "") }

// swap replaces a part, which must be there: else nothing would be spoilt.
func swap(text, part, other string) string {
	if !strings.Contains(text, part) {
		panic(part + " is not in " + text)
	}
	return strings.Replace(text, part, other, 1)
}
