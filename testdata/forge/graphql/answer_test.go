package graphql

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

const fragments = `query($numbers: [PullRequestState!], $b: Boolean = true) {
  repository(owner: "acme", name: "access", followRenames: $b) {
    a: pullRequest(number: 1) { ...one author { __typename ... on User { databaseId } } }
    b: pullRequest(number: 2) { ...one }
    pullRequests(first: 3, states: $numbers) { totalCount }
  } }
fragment one on PullRequest { number mergeCommit { oid } ... on PullRequest { mergeCommit { message } }
  author { login ... on Bot { id } } }`

// TestFieldsAreWorkedOut when they are asked for, each with its own arguments, by the types that the
// values have.
func TestFieldsAreWorkedOut(t *testing.T) {
	o, err := Parse(fragments, object{"numbers": []any{"OPEN", "MERGED"}})
	if err != nil {
		t.Fatal(err)
	}
	author := object{"__typename": "User", "login": "alice", "databaseId": 101}
	commit := object{"oid": strings.Repeat("a", 40), "message": "m"}
	repository := object{
		"pullRequest": Field(func(arguments map[string]any) (any, error) {
			return object{"number": arguments["number"], "author": author, "mergeCommit": commit,
				"commits": Field(func(map[string]any) (any, error) {
					t.Error("nobody asks for commits")
					return nil, nil
				})}, nil
		}),
		"pullRequests": Field(func(arguments map[string]any) (any, error) {
			return object{"totalCount": len(arguments["states"].([]any))}, nil
		})}
	got, problems, err := o.Answer(object{"repository": repository})
	want := object{"repository": object{
		"a":            object{"number": int64(1), "mergeCommit": commit, "author": author},
		"b":            object{"number": int64(2), "mergeCommit": commit, "author": object{"login": "alice"}},
		"pullRequests": object{"totalCount": 2}}}
	if err != nil || problems != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v, %v", got, problems, err)
	}
	author["__typename"] = "Team"
	if _, _, err := o.Answer(object{"repository": repository}); err == nil ||
		!strings.Contains(err.Error(), `data.repository.a.author is of the type "Team"`) {
		t.Error(err)
	}
}

// TestWhatIsRefusedIsNull, up to the next place that may be, and told with its path.
func TestWhatIsRefusedIsNull(t *testing.T) {
	refuse := Field(func(map[string]any) (any, error) { return nil, &Refused{"FORBIDDEN", "no"} })
	o, err := Parse(`{ repository(owner: "a", name: "b") { mine: pullRequest(number: 1) { number }
		pullRequests(first: 2) { nodes { number } } } }`, nil)
	if err != nil {
		t.Fatal(err)
	}
	list := object{"nodes": []any{object{"number": 1}, object{"number": refuse}}}
	for _, test := range []struct {
		name       string
		repository any
		data, path string
	}{
		{"a field", object{"pullRequest": refuse, "pullRequests": object{"nodes": nil}},
			"map[repository:map[mine:<nil> pullRequests:map[nodes:<nil>]]]", "[repository mine]"},
		{"in a list", object{"pullRequest": nil, "pullRequests": list},
			"map[repository:map[mine:<nil> pullRequests:map[nodes:[map[number:1] <nil>]]]]",
			"[repository pullRequests nodes 1 number]"},
		{"one that is never null", object{"pullRequest": nil, "pullRequests": refuse},
			"map[repository:<nil>]", "[repository pullRequests]"},
	} {
		got, problems, err := o.Answer(object{"repository": test.repository})
		if err != nil || fmt.Sprint(got) != test.data || len(problems) != 1 ||
			fmt.Sprint(problems[0].(object)["path"]) != test.path {
			t.Errorf("%s: %v, %v, %v", test.name, got, problems, err)
		}
	}
}

// TestCost is the example of GitHub's documentation, and what it refuses.
func TestCost(t *testing.T) {
	for query, want := range map[string]string{
		`{ viewer { login repositories(first: 100) { edges { node { id issues(first: 50) { edges { node {
			id labels(first: 60) { edges { node { id name } } } } } } } } } } }`: "51 points, 305100 nodes",
		`{ viewer { login } }`:                                   "1 points, 0 nodes",
		`{ viewer { repositories { totalCount } } }`:             "1 points, 0 nodes",
		`{ viewer { repositories { nodes { name } } } }`:         "You must provide a `first` or `last`",
		`{ viewer { repositories(first: 101) { totalCount } } }`: "exceeds the `first` limit of 100",
		`{ viewer { repositories(first: 100) { nodes { issues(first: 100) { nodes {
			labels(first: 100) { nodes { name } } } } } } } }`: "exceeds the maximum limit of 500000",
	} {
		o, err := Parse(query, nil)
		if err != nil {
			t.Fatal(err)
		}
		points, nodes, err := o.Cost()
		got := fmt.Sprintf("%d points, %d nodes", points, nodes)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s: %s", query, got)
		}
	}
}
