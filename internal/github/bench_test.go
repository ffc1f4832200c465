package github

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/testdata/forge"
	"github.com/pullgrant/pullgrant/testdata/roles"
)

// far is GitHub at some distance.
type far struct {
	next  http.RoundTripper
	calls *atomic.Int32
}

func (f far) RoundTrip(r *http.Request) (*http.Response, error) {
	f.calls.Add(1)
	time.Sleep(80 * time.Millisecond)
	return f.next.RoundTrip(r)
}

// BenchmarkFacts gathers the facts of a pull request with one approval, by a client that knows
// nothing yet, from a GitHub that is 80 ms away.
func BenchmarkFacts(b *testing.B) {
	must := func(err error) {
		if err != nil {
			b.Helper()
			b.Fatal(err)
		}
	}
	f, err := forge.Start(b.TempDir(), forge.Options{Now: func() time.Time { return noon }})
	must(err)
	b.Cleanup(f.Close)
	for i, login := range []string{"alice", "bob", "root"} {
		f.AddUser(login, int64(101+i), login+"@example.com")
		f.SetPermission(login, []string{"write", "write", "admin"}[i])
	}
	f.AddTeam("squad-a", 201, "", "alice")
	f.AddTeam("squad-b", 202, "", "bob")
	f.SetTeamPermission("squad-b", "write")
	f.AddApp("agent", 7002)
	f.Protect(forge.Rules{Off: true})
	_, err = f.Seed(roles.Catalogue(repositoryFiles, roles.Harmless), "Start", "root")
	must(err)
	_, err = f.Push(forge.Change{User: "alice", Branch: "ask", Message: "Ask",
		Files: map[string]string{requestPath: requestFile}})
	must(err)
	number, err := f.Open("alice", "ask", "Ask")
	must(err)
	_, err = f.Review("bob", number, "APPROVE")
	must(err)
	token := f.AppToken("agent")
	var calls atomic.Int32
	for b.Loop() {
		client, err := New(Config{APIURL: f.URL, Owner: "acme", Repo: "access",
			Token: func(context.Context) (string, error) { return token, nil }})
		must(err)
		client.wire.next = far{client.wire.next, &calls}
		_, err = client.Facts(b.Context(), number, noon)
		must(err)
	}
	b.ReportMetric(float64(calls.Load())/float64(b.N), "calls/op")
}
