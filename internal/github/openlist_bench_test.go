package github

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/testdata/forge"
)

// asBefore is GitHub where nothing changes any more: it says so to whoever knows an answer.
type asBefore struct{ next http.RoundTripper }

func (u asBefore) RoundTrip(r *http.Request) (*http.Response, error) {
	if etag := r.Header.Get("If-None-Match"); etag != "" {
		return &http.Response{StatusCode: http.StatusNotModified, Body: http.NoBody,
			Header: http.Header{"Etag": {etag}}, Request: r}, nil
	}
	return u.next.RoundTrip(r)
}

// BenchmarkUnchangedList looks again at a hundred open pull requests that are as they were, as the
// agent does in each pass.
func BenchmarkUnchangedList(b *testing.B) {
	must := func(err error) {
		if err != nil {
			b.Helper()
			b.Fatal(err)
		}
	}
	f, err := forge.Start(b.TempDir(), forge.Options{PageSize: 100,
		Now: func() time.Time { return noon }})
	must(err)
	b.Cleanup(f.Close)
	f.AddUser("alice", 101, "alice@example.com")
	f.SetPermission("alice", "admin")
	f.AddApp("agent", 7002)
	f.Protect(forge.Rules{Off: true})
	_, err = f.Seed(repositoryFiles, "Start", "alice")
	must(err)
	head, err := f.Push(forge.Change{User: "alice", Branch: "b", Message: "Ask",
		Files: map[string]string{"b": "x"}})
	must(err)
	for i := range 100 {
		branch := fmt.Sprint("b", i)
		must(f.SetBranch("alice", branch, head))
		_, err := f.Open("alice", branch, "Ask")
		must(err)
	}
	token := f.AppToken("agent")
	client, err := New(Config{APIURL: f.URL, Owner: "acme", Repo: "access",
		Token: func(context.Context) (string, error) { return token, nil }})
	must(err)
	client.wire.next = asBefore{client.wire.next}
	list := client.FollowOpen()
	b.ReportAllocs()
	for b.Loop() {
		pulls, err := list.Read(b.Context(), noon)
		must(err)
		if len(pulls) != 100 {
			b.Fatalf("%d are open", len(pulls))
		}
	}
}
