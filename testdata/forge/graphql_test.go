package forge

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// graph asks GraphQL and returns its data and the types and places of what was refused.
func graph(t *testing.T, f *Forge, token, query string, variables object) (object, []string) {
	t.Helper()
	var out struct {
		Data   object
		Errors []struct {
			Type, Message string
			Path          []any
		}
	}
	must(0, f.Do(token, "POST", "/graphql", object{"query": query, "variables": variables}, &out))(t)
	var refused []string
	for _, e := range out.Errors {
		if e.Type == "" {
			t.Fatalf("%s: %s", query, e.Message)
		}
		refused = append(refused, fmt.Sprint(e.Type, e.Path))
	}
	return out.Data, refused
}

// at is a value within JSON: names lead into objects, numbers into lists.
func at(value any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			fields, _ := value.(object)
			value = fields[step]
		case int:
			list, _ := value.([]any)
			if step >= len(list) {
				return nil
			}
			value = list[step]
		}
	}
	return value
}

// rest asks REST for one thing; nil when it is not there.
func rest(t *testing.T, f *Forge, token, format string, values ...any) (body any) {
	t.Helper()
	path := fmt.Sprintf(format, values...)
	if err := f.Do(token, "GET", path, nil, &body); err != nil &&
		!strings.Contains(err.Error(), ": 404 ") {
		t.Fatal(err)
	}
	return body
}

// same holds what both tell against each other: pairs of what REST tells and what GraphQL does.
func same(t *testing.T, what string, pairs ...any) {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if n, isInt := pairs[i].(int); isInt {
			pairs[i] = float64(n) // as JSON has it
		}
		if fmt.Sprint(pairs[i]) != fmt.Sprint(pairs[i+1]) {
			t.Errorf("%s, pair %d: REST tells %v, GraphQL %v", what, i/2, pairs[i], pairs[i+1])
		}
	}
}

const pullQuery = `query($n: Int!, $commits: String, $reviews: String) {
  repository(owner: "acme", name: "access") { pullRequest(number: $n) {
    fullDatabaseId number state isDraft merged createdAt mergedAt mergeCommit { oid tree { oid } }
    baseRefName baseRepository { databaseId } headRefName headRepository { databaseId } headRefOid
    changedFiles additions isCrossRepository
    author { __typename login ... on User { databaseId } ... on Bot { databaseId } }
    commits(first: 100, after: $commits) { totalCount pageInfo { hasNextPage endCursor } nodes { commit {
      oid message parents(first: 9) { nodes { oid } } author { email user { login } }
      committer { user { login } } authors(first: 9) { totalCount nodes { email user { databaseId } } } } } }
    reviews(first: 100, after: $reviews) { totalCount pageInfo { hasNextPage endCursor } nodes {
      fullDatabaseId state submittedAt commit { oid } author { login } } }
    bases: timelineItems(first: 9, itemTypes: [BASE_REF_CHANGED_EVENT]) { filteredCount
      nodes { __typename ... on BaseRefChangedEvent { createdAt } } }
    forced: timelineItems(first: 9, itemTypes: [HEAD_REF_FORCE_PUSHED_EVENT]) { filteredCount
      nodes { ... on HeadRefForcePushedEvent { createdAt beforeCommit { oid } afterCommit { oid } } } }
  } } }`

// TestGraphQLTellsAPullRequestAsREST: open, merged, by a bot and by nobody any more, on as many pages.
func TestGraphQLTellsAPullRequestAsREST(t *testing.T) {
	f := start(t, Options{})
	token := f.AppToken("pullgrant")
	n := opened(t, f, "alice", "ask")
	before := f.Branch("ask")
	forced := must(f.Push(Change{User: "alice", Branch: "ask", From: "main", Message: "Anew",
		Files: map[string]string{"requests/a.yaml": "a\n"}}))(t)
	for i := range 3 {
		must(f.Push(Change{User: "bob", Branch: "ask", Files: map[string]string{"b": fmt.Sprint(i)},
			Message: "More\n\nCo-authored-by: Carol <carol@example.com>\n" +
				"Co-authored-by: X <x@nowhere>"}))(t)
	}
	for _, login := range []string{"bob", "carol", "rita"} {
		must(f.Review(login, n, "APPROVE"))(t)
	}
	must(0, f.SetBranch("root", "other", f.Branch("main")))(t)
	for _, base := range []string{"other", "main"} {
		must(0, f.Do(f.Token("alice"), "PATCH", fmt.Sprintf("/repos/acme/access/pulls/%d", n),
			object{"base": base}, nil))(t)
	}
	must(0, f.Do(f.Token("carol"), "POST", fmt.Sprintf("/repos/acme/access/pulls/%d/reviews", n),
		object{}, nil))(t) // pending: hers alone
	check := func(what string) {
		t.Helper()
		variables := object{"n": n}
		p := rest(t, f, token, "/repos/acme/access/pulls/%d", n)
		var commits, reviews, more []any
		for page := 1; page == 1 || len(more) > 0; page++ {
			more, _ = rest(t, f, token, "/repos/acme/access/pulls/%d/commits?page=%d", n, page).([]any)
			commits = append(commits, more...)
		}
		for page := 1; page == 1 || len(more) > 0; page++ {
			more, _ = rest(t, f, token, "/repos/acme/access/pulls/%d/reviews?page=%d", n, page).([]any)
			reviews = append(reviews, more...)
		}
		var graphCommits, graphReviews []any
		var g any
		for _, list := range []struct {
			name string
			all  *[]any
		}{{"commits", &graphCommits}, {"reviews", &graphReviews}} {
			for next := true; next; {
				data, refused := graph(t, f, token, pullQuery, variables)
				if len(refused) > 0 {
					t.Fatal(refused)
				}
				g = at(data, "repository", "pullRequest")
				nodes := at(g, list.name, "nodes").([]any)
				if len(nodes) > 2 {
					t.Errorf("%s: a page of %d", what, len(nodes))
				}
				*list.all = append(*list.all, nodes...)
				variables[list.name] = at(g, list.name, "pageInfo", "endCursor")
				next = at(g, list.name, "pageInfo", "hasNextPage").(bool)
			}
			same(t, what, len(*list.all), at(g, list.name, "totalCount"))
		}
		state, merge := map[any]any{"open": "OPEN", "closed": "CLOSED"}[at(p, "state")], any(nil)
		if at(p, "merged") == true {
			state, merge = "MERGED", at(p, "merge_commit_sha")
		}
		same(t, what, state, at(g, "state"), merge, at(g, "mergeCommit", "oid"),
			fmt.Sprintf("%.0f", at(p, "id")), at(g, "fullDatabaseId"), at(p, "draft"),
			at(g, "isDraft"), at(p, "created_at"), at(g, "createdAt"), at(p, "merged_at"),
			at(g, "mergedAt"), at(p, "base", "ref"), at(g, "baseRefName"), at(p, "base", "repo", "id"),
			at(g, "baseRepository", "databaseId"), at(p, "head", "ref"), at(g, "headRefName"),
			at(p, "head", "sha"), at(g, "headRefOid"), at(p, "head", "repo", "id"),
			at(g, "headRepository", "databaseId"), at(p, "changed_files"), at(g, "changedFiles"),
			at(p, "additions"), at(g, "additions"), float64(len(commits)), float64(len(graphCommits)),
			float64(len(reviews)), float64(len(graphReviews)), at(p, "user", "login"), at(g, "author", "login"),
			at(p, "user", "id"), at(g, "author", "databaseId"), 2, at(g, "bases", "filteredCount"),
			1, at(g, "forced", "filteredCount"), before,
			at(g, "forced", "nodes", 0, "beforeCommit", "oid"), forced,
			at(g, "forced", "nodes", 0, "afterCommit", "oid"))
		for i, c := range commits {
			g := at(graphCommits, i, "commit")
			same(t, what+" commits", at(c, "sha"), at(g, "oid"), at(c, "commit", "message"),
				at(g, "message"), at(c, "parents", 0, "sha"), at(g, "parents", "nodes", 0, "oid"),
				at(c, "author", "login"), at(g, "author", "user", "login"), at(c, "committer", "login"),
				at(g, "committer", "user", "login"))
		}
		last := at(graphCommits, len(commits)-1, "commit", "authors")
		same(t, what+" authors", 3, at(last, "totalCount"), 102,
			at(last, "nodes", 0, "user", "databaseId"), 103, at(last, "nodes", 1, "user", "databaseId"))
		for i, r := range reviews {
			g := at(graphReviews, i)
			same(t, what+" reviews", fmt.Sprintf("%.0f", at(r, "id")), at(g, "fullDatabaseId"),
				at(r, "state"), at(g, "state"), at(r, "commit_id"), at(g, "commit", "oid"),
				at(r, "submitted_at"), at(g, "submittedAt"), at(r, "user", "login"),
				at(g, "author", "login"))
		}
	}
	check("open")
	must(f.Merge("root", n))(t)
	check("merged")
	f.DeleteUser("rita")
	check("without a reviewer")
}

// TestGraphQLActors: a bot has no [bot], and the deleted are nobody; REST writes [bot] and ghost.
func TestGraphQLActors(t *testing.T) {
	f := start(t, Options{})
	opened(t, f, "alice", "ask")
	must(f.Push(Change{User: "pullgrant[bot]", Branch: "bots", Message: "By a bot",
		Files: map[string]string{"x": "y"}}))(t)
	must(0, f.Do(f.AppToken("pullgrant"), "POST", "/repos/acme/access/pulls", object{"head": "bots",
		"base": "main", "title": "A bot's"}, nil))(t)
	f.DeleteUser("alice")
	data, _ := graph(t, f, f.Token("root"), `{ repository(owner: "acme", name: "access") {
		pullRequests(first: 9) { nodes { author { __typename login ... on Bot { databaseId } }
		commits(first: 1) { nodes { commit { author { email user { login } } } } } } } } }`, nil)
	nodes := at(data, "repository", "pullRequests", "nodes")
	same(t, "actors", nil, at(nodes, 0, "author"), "pullgrant", at(nodes, 1, "author", "login"), "Bot",
		at(nodes, 1, "author", "__typename"), 107001, at(nodes, 1, "author", "databaseId"), nil,
		at(nodes, 1, "commits", "nodes", 0, "commit", "author", "user"))
}

// TestGraphQLTellsObjectsAsREST: by name and by each expression, folders, files, links and what is
// not there.
func TestGraphQLTellsObjectsAsREST(t *testing.T) {
	f := start(t, Options{})
	token := f.AppToken("pullgrant")
	must(f.Push(Change{User: "root", Message: "More", Files: map[string]string{"bin/run": "#!\n",
		"link": "README.md", "raw": "\xff\x00", "big": strings.Repeat("ä", maxText)},
		Modes: map[string]string{"bin/run": "100755", "link": "120000"}}))(t)
	tip := f.Branch("main")
	object := func(expression string) any {
		data, refused := graph(t, f, token, `query($e: String) { repository(owner: "acme",
			name: "access") { object(expression: $e) { __typename oid ... on Commit { committedDate
			tree { ...folder } parents(first: 9) { nodes { oid } } history(first: 2, path: "README.md") {
			totalCount nodes { oid } } file(path: "docs/a.txt") { oid mode } } ... on Tree { ...folder }
			... on Blob { byteSize isBinary isTruncated text } } } }
			fragment folder on Tree { oid entries { name mode type oid size } }`, map[string]any{
			"e": expression})
		if len(refused) > 0 {
			t.Fatal(refused)
		}
		return at(data, "repository", "object")
	}
	commit := rest(t, f, token, "/repos/acme/access/git/commits/%s", tip)
	touched := rest(t, f, token, "/repos/acme/access/commits?path=README.md&sha=%s", tip)
	for _, name := range []string{tip, "HEAD", "main"} {
		g := object(name)
		same(t, name, tip, at(g, "oid"), at(commit, "tree", "sha"), at(g, "tree", "oid"),
			at(commit, "parents", 0, "sha"), at(g, "parents", "nodes", 0, "oid"),
			at(commit, "committer", "date"), at(g, "committedDate"), len(touched.([]any)),
			at(g, "history", "totalCount"), at(touched, 0, "sha"), at(g, "history", "nodes", 0, "oid"),
			33188, at(g, "file", "mode"))
	}
	same(t, "parent", at(commit, "parents", 0, "sha"), at(object(tip+"^"), "oid"),
		at(commit, "parents", 0, "sha"), at(object("main~1"), "oid"),
		at(commit, "parents", 0, "sha"), at(object(tip+"~1"), "oid"),
		nil, at(object(tip+"~99"), "oid"))
	for _, folder := range []string{"", "bin"} {
		g := object("main:" + folder)
		tree := rest(t, f, token, "/repos/acme/access/git/trees/%s", at(g, "oid"))
		entries := at(tree, "tree").([]any)
		same(t, folder, len(entries), float64(len(at(g, "entries").([]any))))
		for i, e := range entries {
			g := at(g, "entries", i)
			size := at(e, "size")
			if size == nil {
				size = 0
			}
			same(t, folder, at(e, "path"), at(g, "name"), at(e, "mode"),
				fmt.Sprintf("%06o", int(at(g, "mode").(float64))), at(e, "type"), at(g, "type"),
				at(e, "sha"), at(g, "oid"), size, at(g, "size"))
		}
	}
	for _, path := range []string{"README.md", "bin/run", "link", "raw", "big"} {
		g := object(tip + ":" + path)
		blob := rest(t, f, token, "/repos/acme/access/git/blobs/%s", at(g, "oid"))
		content, _ := base64.StdEncoding.DecodeString(strings.ReplaceAll(
			at(blob, "content").(string), "\n", ""))
		same(t, path, len(content), at(g, "byteSize"), path == "raw", at(g, "isBinary"),
			path == "big", at(g, "isTruncated"), path == "raw", at(g, "text") == nil)
		if path != "raw" && path != "big" {
			same(t, path, string(content), at(g, "text"))
		}
	}
	for _, none := range []string{"main:none", strings.Repeat("0", 40), "none", "-h", "main..HEAD",
		"main@{0}", ":/More"} {
		same(t, none, nil, object(none))
	}
}

// TestGraphQLRights: what the token may not read is null, and said so at its place.
func TestGraphQLRights(t *testing.T) {
	f := start(t, Options{})
	n := opened(t, f, "alice", "ask")
	f.AddApp("none", 7009, "checks:write")
	const query = `query($n: Int!) { repository(owner: "acme", name: "access") { name
		defaultBranchRef { name } o: object(expression: "main") { oid } p: pullRequest(number: $n) {
		number } } organization(login: "acme") { team(slug: "squad") { slug } } }`
	data, refused := graph(t, f, f.AppToken("none"), query, object{"n": n})
	slices.Sort(refused)
	want := []string{"FORBIDDEN[organization team]", "FORBIDDEN[repository defaultBranchRef]",
		"FORBIDDEN[repository o]", "FORBIDDEN[repository p]"}
	if !slices.Equal(refused, want) || at(data, "repository", "name") != "access" ||
		at(data, "repository", "o") != nil {
		t.Errorf("%v, %v", data, refused)
	}
	if data, refused = graph(t, f, f.Token("eve"), query, object{"n": n}); len(refused) != 1 ||
		refused[0] != "NOT_FOUND[repository]" || data["repository"] != nil {
		t.Errorf("%v, %v", data, refused)
	}
	if _, refused = graph(t, f, f.Token("root"), query, object{"n": 99}); len(refused) != 1 ||
		refused[0] != "NOT_FOUND[repository p]" {
		t.Errorf("%v", refused)
	}
}
