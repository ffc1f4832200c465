// Package answers is a GitHub on loopback that knows nothing but one scenario: it answers the API
// out of its facts, and what they do not tell it does not answer. The forge next door is the GitHub
// that people act on; here they have acted, also in ways that the real one would stop.
package answers

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/storage/memory"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/testdata/cases"
	"github.com/pullgrant/pullgrant/testdata/forge/graphql"
	"github.com/pullgrant/pullgrant/testdata/forge/openapi"
)

// Server is a running one. Both its requests and its answers are held against GitHub's description
// of the API.
type Server struct {
	URL      string         // root of the REST API, without a trailing slash
	Scenario cases.Scenario // with the names that git gives to its commits and files
	Brought  string         // the commit that brought a merged scenario's changes to the default branch

	contract *openapi.Contract
	mux      *http.ServeMux
	store    *memory.Storage
	names    map[string]string

	mu     sync.Mutex
	checks []Check
}

// Check is a check run that was posted.
type Check struct {
	Name, Conclusion string
	HeadSHA          string `json:"head_sha"`
	Output           struct{ Title, Summary string }
}

// Start writes the scenario's commits and files into store and serves until the test ends, which
// fails for a request that GitHub would not take. Every token is good.
func Start(t testing.TB, c cases.Scenario, store *memory.Storage) *Server {
	t.Helper()
	h := &history{store: store, names: map[string]string{}, blobs: map[string]node{}}
	c.Facts, c.Diff = cases.Copy(t, c.Facts), maps.Clone(c.Diff)
	c, brought, err := h.write(c)
	if err != nil {
		t.Fatalf("%s as git objects: %v", c.Name, err)
	}
	contract, err := openapi.Load()
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Scenario: c, Brought: brought.String(), contract: contract, store: store,
		names: h.names}
	mux := http.NewServeMux()
	s.mux = mux
	for _, o := range s.operations() {
		route := contract.Route(o.method, o.path)
		if route == nil {
			t.Fatalf("%s %s is not in GitHub's description", o.method, o.path)
		}
		mux.Handle(o.method+" "+strings.ReplaceAll(o.path, ":.+}", "...}"),
			s.serve(route, o.answer))
	}
	mux.HandleFunc("POST /graphql", s.graphQL)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		contract.Violation("request %s %s: nobody was expected to ask", r.Method, r.URL)
		http.NotFound(w, r)
	})
	server := httptest.NewServer(mux)
	s.URL = server.URL
	t.Cleanup(func() {
		server.Close()
		for _, v := range contract.Violations() {
			t.Errorf("not GitHub's API: %s", v)
		}
	})
	return s
}

// Plain is a text with the scenario's names in the place of those that git gave.
func (s *Server) Plain(text string) string {
	var whole, short []string
	for scenarios, gits := range s.names {
		whole = append(whole, gits, scenarios)
		short = append(short, gits[:7], scenarios[:min(7, len(scenarios))])
	}
	return strings.NewReplacer(append(whole, short...)...).Replace(text)
}

// Checks are the check runs posted so far.
func (s *Server) Checks() []Check {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.checks)
}

// graphQL has no merged pull request beside those that a commit's list tells of, and whose the
// commits are.
func (s *Server) graphQL(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Query     string
		Variables fields
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // whoever asked does not want to know any more
	}
	err = json.Unmarshal(body, &in)
	var asked *graphql.Operation
	if err == nil {
		asked, err = graphql.Parse(in.Query, in.Variables)
	}
	answer := fields{}
	switch {
	case err != nil:
	case strings.Contains(in.Query, "includesCreatedEdit"):
		answer["data"], _, err = asked.Answer(fields{"repository": fields{"pullRequest": fields{
			"reviews": s.said()}}})
	case strings.Contains(in.Query, "pullRequests(") || strings.Contains(in.Query, "pageInfo"):
		answer["data"], _, err = asked.Answer(fields{"repository": fields{"pullRequests": fields{
			"nodes": []any{}}, "pullRequest": fields{"commits": s.authored()}}})
	default:
		var problems []any
		if answer["data"], problems, err = asked.Answer(s.overREST().Query()); problems != nil {
			answer["errors"] = problems
		}
	}
	if err != nil {
		s.contract.Violation("GraphQL: %v", err)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Date", s.Scenario.Now.UTC().Format(http.TimeFormat))
	_ = json.NewEncoder(w).Encode(answer)
}

// overREST has GraphQL tell what REST does, and no more of what the facts leave open.
func (s *Server) overREST() graphql.REST {
	facts := s.Scenario.Facts
	return graphql.REST{Owner: facts.Repository.Owner, Repo: facts.Repository.Name,
		Get: func(path string) (int, []byte) {
			recorder := httptest.NewRecorder()
			s.mux.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, nil))
			return recorder.Code, recorder.Body.Bytes()
		},
		Authors: func(commit string) []any {
			for _, c := range facts.Commits {
				if c.SHA == commit {
					return authorsOf(c)
				}
			}
			return nil
		},
		Merge: func(number string) string {
			if number != fmt.Sprint(facts.PullRequest.Number) {
				return ""
			}
			return facts.PullRequest.MergeCommitSHA
		}}
}

type fields = map[string]any

// silence is the status of an answer that the facts do not give, or that GitHub would not.
const silence = http.StatusInternalServerError

// serve gives an answer, completed with what GitHub always sends.
func (s *Server) serve(
	route *openapi.Route, answer func(*http.Request) (int, any),
) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			s.contract.Violation("request %s %s: %v", r.Method, r.URL, err)
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		exchange := s.contract.Request(route, r, body)
		status, value := answer(r)
		data, header := []byte(nil),
			http.Header{"Date": {s.Scenario.Now.UTC().Format(http.TimeFormat)}}
		if value != nil {
			header.Set("Content-Type", "application/json; charset=utf-8")
			data, err = s.contract.Encode(route, status, value)
		}
		if err == nil {
			err = exchange.Response(status, header, data)
		}
		if err != nil {
			// a string always marshals
			problem, _ := json.Marshal(fields{"message": "GitHub would not say this: " +
				err.Error()})
			status, data = silence, problem
		}
		for key, values := range header {
			w.Header()[key] = values
		}
		w.WriteHeader(status)
		_, _ = w.Write(data)
	}
}

func (s *Server) operations() []operation {
	const repo = "/repos/{owner}/{repo}"
	const pull = repo + "/pulls/{pull_number}"
	return []operation{
		{"GET", repo, s.repository},
		{"GET", repo + "/codeowners/errors", s.codeownersErrors},
		{"GET", repo + "/collaborators/{username}/permission", s.permission},
		{"GET", repo + "/activity", s.activity},
		{"GET", "/orgs/{org}/members/{username}", s.member},
		{"GET", "/orgs/{org}/teams/{team_slug}", s.team},
		{"GET", "/orgs/{org}/teams/{team_slug}/memberships/{username}", s.membership},

		{"GET", repo + "/pulls", s.openPulls},
		{"GET", pull, s.one(s.pull)},
		{"PATCH", pull, s.one(s.closed)},
		{"GET", pull + "/files", s.one(s.files)},
		{"GET", pull + "/commits", s.one(s.commits)},
		{"GET", pull + "/reviews", s.one(s.reviews)},
		{"GET", repo + "/issues/{issue_number}/events", s.one(s.events)},
		{"GET", repo + "/issues/{issue_number}/comments", s.one(func() (int,
			any) {
			return http.StatusOK, []any{}
		})},
		{"POST", repo + "/issues/{issue_number}/comments", s.one(func() (int,
			any) {
			return http.StatusCreated, fields{"id": 1}
		})},
		{"POST", repo + "/check-runs", s.createCheck},

		{"GET", repo + "/git/ref/{ref:.+}", s.ref},
		{"GET", repo + "/git/commits/{commit_sha}", s.commit},
		{"GET", repo + "/git/trees/{tree_sha}", s.tree},
		{"GET", repo + "/git/blobs/{file_sha}", s.blob},
		{"GET", repo + "/commits", s.lastTouched},
		{"GET", repo + "/commits/{commit_sha}/pulls", s.pullsOf},
	}
}

type operation struct {
	method, path string
	answer       func(*http.Request) (int, any)
}

// one serves what GitHub has of the one pull request there is.
func (s *Server) one(answer func() (int, any)) func(*http.Request) (int, any) {
	return func(r *http.Request) (int, any) {
		number := fmt.Sprint(s.Scenario.Facts.PullRequest.Number)
		if r.PathValue("pull_number") != number && r.PathValue("issue_number") != number {
			return missing()
		}
		return answer()
	}
}

func missing() (int, any) { return http.StatusNotFound, fields{"message": "Not Found"} }

// untold is the answer to a question that the facts leave open.
func untold() (int, any) {
	return silence,
		fields{"message": "the facts of the scenario do not tell"}
}

func (s *Server) createCheck(r *http.Request) (int, any) {
	var c Check
	if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
		return http.StatusUnprocessableEntity, fields{"message": err.Error()}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checks = append(s.checks, c)
	return http.StatusCreated, fields{"id": len(s.checks), "name": c.Name, "head_sha": c.HeadSHA,
		"app": fields{"id": 7001, "slug": "pullgrant"}}
}

// Describe is cases.Describe with the scenario's names.
func (s *Server) Describe(d policies.Decision, want string) string {
	d.Message = s.Plain(d.Message)
	return s.Plain(cases.Describe(d, want))
}

// account is an account as GitHub writes it: a deleted one is null.
func account(u policies.User) any {
	if u == (policies.User{}) {
		return nil
	}
	url := "https://api.github.com/users/" + u.Login
	return fields{"login": u.Login, "id": u.ID, "type": u.Type, "node_id": fmt.Sprintf("U_%d",
		u.ID),
		"site_admin": false, "url": url,
		"html_url": "https://github.com/" + u.Login, "repos_url": url + "/repos",
		"organizations_url": url + "/orgs"}
}

// hash is the object that a part of the path names.
func hash(r *http.Request, part string) plumbing.Hash { return plumbing.NewHash(r.PathValue(part)) }
