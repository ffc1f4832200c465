package forge

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

const peopleQuery = `query($who: String!) {
  repository(owner: "acme", name: "access") { collaborators(login: $who, first: 2) {
    totalCount edges { permission node { login databaseId } } } }
  user(login: $who) { login databaseId organization(login: "acme") { login } }
  organization(login: "acme") { login
    squad: team(slug: "squad") { slug databaseId
      found: members(query: $who, first: 9) { totalCount nodes { login } }
      own: members(query: $who, first: 9, membership: IMMEDIATE) { totalCount } }
    hidden: team(slug: "hidden") { slug } } }`

// TestGraphQLTellsPeopleAsREST: permissions, members, teams with their child teams, and what is
// secret.
func TestGraphQLTellsPeopleAsREST(t *testing.T) {
	f := start(t, Options{PageSize: 9})
	token := f.AppToken("pullgrant")
	f.AddTeam("squad", 31, "", "bob")
	f.AddTeam("inner", 32, "squad", "rita")
	f.AddTeam("hidden", 33, "", "bob")
	f.HideTeam("hidden")
	f.SetTeamMember("squad", "carol", "pending")
	f.SetMember("carol", "pending")
	f.SetPermission("alice", "triage")
	for _, login := range []string{"alice", "bob", "carol", "root", "rita", "eve"} {
		data, refused := graph(t, f, token, peopleQuery, object{"who": strings.ToUpper(login)})
		if len(refused) > 0 {
			t.Fatal(refused)
		}
		may := rest(t, f, token, "/repos/acme/access/collaborators/%s/permission", login)
		edge := at(data, "repository", "collaborators", "edges", 0)
		role, id := strings.ToUpper(fmt.Sprint(at(may, "role_name"))), at(may, "user", "id")
		if role == "NONE" {
			role, id = "<nil>", nil
		}
		membership := rest(t, f, token, "/orgs/acme/teams/squad/memberships/%s", login)
		team := at(data, "organization", "squad")
		found := slices.ContainsFunc(at(team, "found", "nodes").([]any),
			func(node any) bool { return at(node, "login") == login })
		organization := any(nil)
		if at(rest(t, f, token, "/orgs/acme/memberships/%s", login), "state") == "active" {
			organization = "acme"
		}
		same(t, login, role, at(edge, "permission"), id, at(edge, "node", "databaseId"), organization,
			at(data, "user", "organization", "login"), at(membership, "state") == "active", found,
			login == "bob", at(team, "own", "totalCount") == 1.0, nil,
			at(data, "organization", "hidden"))
	}
	data, _ := graph(t, f, f.Token("bob"), peopleQuery, object{"who": "o"}) // in bob, carol, root
	same(t, "a part", 1, at(data, "organization", "squad", "found", "totalCount"), "hidden",
		at(data, "organization", "hidden", "slug"), nil, at(data, "user"))
}

// TestGraphQLIsAsLate: the pull requests of a commit show after a while, its merge at once.
func TestGraphQLIsAsLate(t *testing.T) {
	now := &clock{time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)}
	f := start(t, Options{Now: now.now, Manners: Manners{AssociationLag: 3 * time.Second}})
	n := opened(t, f, "alice", "ask")
	must(f.Merge("root", n))(t)
	for _, want := range []float64{0, 1} {
		data, _ := graph(t, f, f.Token("root"), `query($n: Int!) { repository(owner: "acme",
			name: "access") { pullRequest(number: $n) { mergeCommit { oid
			associatedPullRequests(first: 9) { totalCount nodes { number } } } } } }`, object{"n": n})
		merge := at(data, "repository", "pullRequest", "mergeCommit")
		tied := rest(t, f, f.Token("root"), "/repos/acme/access/commits/%s/pulls", at(merge, "oid"))
		same(t, "late", len(tied.([]any)), want, f.Branch("main"), at(merge, "oid"), want,
			at(merge, "associatedPullRequests", "totalCount"))
		now.t = now.t.Add(3 * time.Second)
	}
}

// TestGraphQLListsPulls by their states, the latest update first.
func TestGraphQLListsPulls(t *testing.T) {
	f := start(t, Options{})
	for _, branch := range []string{"a", "b", "c"} {
		opened(t, f, "alice", branch)
	}
	must(f.Merge("root", 2))(t)
	for states, want := range map[string]string{"MERGED": "2", "[OPEN, MERGED]": "3 2 1",
		"OPEN": "3 1", "CLOSED": ""} {
		data, _ := graph(t, f, f.Token("root"), `{ repository(owner: "acme", name: "access") {
			pullRequests(states: `+states+`, first: 9, orderBy: {field: CREATED_AT, direction: DESC}) {
			nodes { number } } } }`, nil)
		var got []string
		for _, node := range at(data, "repository", "pullRequests", "nodes").([]any) {
			got = append(got, fmt.Sprint(at(node, "number")))
		}
		same(t, states, want, strings.Join(got, " "))
	}
}

// TestGraphQLPoints are counted apart from calls, for each account, and come back after an hour.
func TestGraphQLPoints(t *testing.T) {
	now := &clock{time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)}
	f := start(t, Options{Now: now.now, Points: 3})
	const query = `{ rateLimit { cost limit remaining used nodeCount resetAt } repository(owner: "acme",
		name: "access") { pullRequests(first: 100) { nodes { commits(first: 10) { nodes {
		commit { oid } } } } } } }`
	data, _ := graph(t, f, f.Token("root"), query, nil) // 1 + 100 connections: a point
	same(t, "points", 1, at(data, "rateLimit", "cost"), 2, at(data, "rateLimit", "remaining"), 1100,
		at(data, "rateLimit", "nodeCount"), "2026-11-23T09:00:00Z", at(data, "rateLimit", "resetAt"))
	graph(t, f, f.Token("root"), query, nil)
	graph(t, f, f.Token("root"), query, nil)
	if _, refused := graph(t, f, f.Token("root"), query, nil); len(refused) != 1 ||
		refused[0] != "RATE_LIMITED[]" {
		t.Errorf("%v", refused)
	}
	limits := rest(t, f, f.Token("root"), "/rate_limit")
	same(t, "limits", 0, at(limits, "resources", "graphql", "remaining"), 4999,
		at(limits, "resources", "core", "remaining"))
	if _, refused := graph(t, f, f.Token("bob"), query, nil); refused != nil {
		t.Errorf("bob is refused for root's points: %v", refused)
	}
	now.t = now.t.Add(time.Hour)
	r := must(http.NewRequest("POST", f.URL+"/graphql", strings.NewReader(
		`{"query": "{ viewer { login } }"}`)))(t)
	r.Header.Set("Authorization", "Bearer "+f.Token("root"))
	response := must(http.DefaultClient.Do(r))(t)
	defer response.Body.Close()
	if h := response.Header; h.Get("X-RateLimit-Resource") != "graphql" ||
		h.Get("X-RateLimit-Remaining") != "2" || h.Get("X-RateLimit-Limit") != "3" {
		t.Errorf("%v", h)
	}
}
