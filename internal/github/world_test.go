package github

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/testdata/forge"
	"github.com/pullgrant/pullgrant/testdata/roles"
)

// noon is when everything in these tests happens.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

const (
	requestName = "20261123-alice-inc-123"
	requestPath = "requests/prod-eu/payments-debug/" + requestName + ".yaml"
	policyPath  = "policies/payments-debug.yaml"
)

// The policy asks both teams, so that judging needs lookups about squad-a (who may ask) and squad-b
// (who may approve).
var repositoryFiles = map[string]string{
	".github/CODEOWNERS": "* @root\n/requests/prod-eu/payments-debug/ @bob @acme/squad-b\n",
	"policies/identities.yaml": `apiVersion: pullgrant.dev/v1alpha1
kind: IdentityMap
metadata: {name: identities}
spec:
  users:
    - {github: alice, githubID: 101, kubernetes: {username: alice@example.com}}
    - {github: bob, githubID: 102, kubernetes: {username: bob@example.com}}
`,
	policyPath: `apiVersion: pullgrant.dev/v1alpha1
kind: AccessPolicy
metadata: {name: payments-debug}
spec:
  description: Debug the payments service
  clusters: [prod-eu]
  subjects: [{kind: Group, name: acme/squad-a}]
  challenges: [{kind: CodeOwnerReview, count: 1}]
  target:
    defaultDuration: 1h
    maxDuration: 2h
    grants:
      - kind: KubernetesRoleBinding
        defaultNamespace: payments
        allowedNamespaces: [payments]
        roleRef: {kind: ClusterRole, name: payments-debug}
`,
	"README.md": "hello\n",
}

var requestFile = `apiVersion: pullgrant.dev/v1alpha1
kind: AccessRequest
metadata: {name: ` + requestName + `}
spec:
  cluster: prod-eu
  policy: payments-debug
  requester: alice
  duration: 1h
  reason: INC-123, checkout is slow
`

// world is a forge with people, teams and an access repository, and a client of it.
type world struct {
	*forge.Forge
	*testing.T
	client *Client
	token  string // that client and its variants use
}

func newWorld(t *testing.T, change ...func(*forge.Options)) world {
	t.Helper()
	return newWorldAt(t, func() time.Time { return noon }, change...)
}

// newWorldAt is newWorld with a clock.
func newWorldAt(t *testing.T, now func() time.Time, change ...func(*forge.Options)) world {
	t.Helper()
	var reading sync.Mutex // calls come beside each other, and a clock may go on with each
	options := forge.Options{Contract: true, Now: func() time.Time {
		reading.Lock()
		defer reading.Unlock()
		return now()
	}}
	for _, c := range change {
		c(&options)
	}
	f, err := forge.Start(t.TempDir(), options)
	if err != nil {
		t.Fatal(err)
	}
	w := world{Forge: f, T: t}
	t.Cleanup(func() {
		f.Close()
		for _, v := range f.Violations() {
			t.Errorf("contract: %s", v)
		}
	})
	for i, login := range []string{"alice", "bob", "carol", "root", "eve"} {
		f.AddUser(login, int64(101+i), login+"@example.com")
		f.SetPermission(login, []string{"write", "write", "write", "admin", "read"}[i])
	}
	f.AddTeam("squad-a", 201, "", "alice")
	f.AddTeam("squad-b", 202, "", "bob")
	f.SetTeamPermission("squad-b", "write")
	f.AddApp("pullgrant", 7001)
	f.AddApp("agent", 7002)
	f.Protect(forge.Rules{Off: true})
	_, err = f.Seed(roles.Catalogue(repositoryFiles, roles.Harmless), "Start", "root")
	w.check(err)
	w.token = f.AppToken("agent")
	w.client = w.clientOf(f.URL, w.token)
	return w
}

func (w world) check(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// clientOf is a client that does not wait between attempts, and reads by REST what REST tells: what
// GraphQL tells at once is in ahead_test.go.
func (w world) clientOf(address, token string) *Client {
	w.Helper()
	c, err := New(Config{APIURL: address, Owner: "acme", Repo: "access",
		Token: func(context.Context) (string, error) { return token, nil }})
	w.check(err)
	c.wire.pause, c.byREST = time.Millisecond, true
	return c
}

func (w world) push(change forge.Change) string {
	w.Helper()
	if change.User == "" {
		change.User = "alice"
	}
	if change.Message == "" {
		change.Message = "Ask"
	}
	sha, err := w.Push(change)
	w.check(err)
	return sha
}

func (w world) open(branch string) int {
	w.Helper()
	number, err := w.Open("alice", branch, "Ask")
	w.check(err)
	return number
}

// ask opens alice's pull request with the request file.
func (w world) ask() int {
	w.Helper()
	w.push(forge.Change{Branch: "ask", Files: map[string]string{requestPath: requestFile}})
	return w.open("ask")
}

func (w world) review(login string, number int, event string) {
	w.Helper()
	_, err := w.Review(login, number, event)
	w.check(err)
}

func (w world) merge(number int) string {
	w.Helper()
	sha, err := w.Merge("root", number)
	w.check(err)
	return sha
}

func (w world) facts(number int) policies.Facts {
	w.Helper()
	f, err := w.client.Facts(w.Context(), number, noon)
	w.check(err)
	return f
}

// refused gathers facts that must not come, and checks the error for every word.
func (w world) refused(number int, words ...string) {
	w.Helper()
	f, err := w.client.Facts(w.Context(), number, noon)
	if err == nil {
		w.Fatalf("facts were gathered; want an error with %q", words)
	}
	if f.Repository.ID != 0 || f.Files != nil || f.Users != nil {
		w.Errorf("an error came with partial facts: %+v", f)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			w.Errorf("error %q lacks %q", err, word)
		}
	}
	if strings.Contains(err.Error(), "forge-app-token") {
		w.Errorf("error %q holds the token", err)
	}
}

// between returns a client whose calls pass through handle, which may answer itself or leave the
// call to the forge.
func (w world) between(handle func(http.ResponseWriter, *http.Request) (answered bool)) *Client {
	w.Helper()
	var handling sync.Mutex // calls come beside each other
	handled := func(rw http.ResponseWriter, r *http.Request) bool {
		handling.Lock()
		defer handling.Unlock()
		return handle(rw, r)
	}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !handled(rw, r) {
			w.ServeHTTP(rw, r)
		}
	}))
	w.Cleanup(server.Close)
	return w.clientOf(server.URL, w.token)
}

// edited returns a client that sees the answers of one path changed; path is what follows
// /repos/acme/access.
func (w world) edited(path string, change func(body any) any) *Client {
	w.Helper()
	return w.between(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || strings.TrimPrefix(r.URL.Path,
			"/repos/acme/access") != path {
			return false
		}
		recorder := httptest.NewRecorder()
		w.ServeHTTP(recorder, r)
		if recorder.Code == http.StatusNotModified {
			rw.WriteHeader(recorder.Code)
			return true
		}
		var body any
		if err := json.Unmarshal(recorder.Body.Bytes(), &body); err != nil {
			w.Errorf("answer of %s: %v", path, err)
		}
		data, err := json.Marshal(change(body))
		if err != nil {
			w.Error(err)
		}
		for key, values := range recorder.Header() {
			if key != "Content-Length" {
				rw.Header()[key] = values
			}
		}
		rw.WriteHeader(recorder.Code)
		_, _ = rw.Write(data)
		return true
	})
}

// with sets fields of a JSON object.
func with(fields map[string]any) func(any) any {
	return func(body any) any {
		for key, value := range fields {
			body.(map[string]any)[key] = value
		}
		return body
	}
}
