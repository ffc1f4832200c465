package action_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

// TestWhoPushedIsRecorded: what the Action leaves on every head suffices to know, once GitHub has
// forgotten, all who pushed.
func TestWhoPushedIsRecorded(t *testing.T) {
	w := newWorld(t)
	pass := func() { w.now = w.now.Add(time.Minute) }
	w.open(map[string]string{requestPath: fmt.Sprintf(request, "1h", "INC-123, checkout is slow")})
	judge := func() {
		t.Helper()
		pass()
		if _, err := w.judge(); err != nil {
			t.Fatal(err)
		}
	}
	judge()
	pass()
	if _, err := w.forge.Push(forge.Change{User: "carol", Branch: "ask", Message: "Mend",
		Files: map[string]string{requestPath: fmt.Sprintf(request, "2h", "INC-123, still slow")},
	}); err != nil {
		t.Fatal(err)
	}
	judge()
	w.approve("bob")
	judge()
	pass()
	if _, err := w.forge.Merge("bob", w.number); err != nil {
		t.Fatal(err)
	}
	if err := w.forge.SetBranch("alice", "ask", ""); err != nil {
		t.Fatal(err)
	}
	w.forge.SetManners(forge.Manners{NoActivityOfDeletedRef: true})
	client, err := github.New(github.Config{APIURL: w.forge.URL, Owner: "acme", Repo: "access",
		CheckApp: 7001,
		Token: func(context.Context) (string, error) {
			return w.forge.AppToken("pullgrant"),
				nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	f, err := client.Facts(t.Context(), w.number, w.now)
	if err != nil {
		t.Fatal(err)
	}
	pushers := map[string]bool{}
	for _, p := range f.Pushes {
		pushers[p.Actor.Login] = true
	}
	if f.PushesFrom != policies.FromCheckRuns || len(pushers) != 2 || !pushers["alice"] ||
		!pushers["carol"] {
		t.Errorf("from %s: %+v", f.PushesFrom, f.Pushes)
	}
	d := policies.EvaluateMerged(f, requestPath, f.Head.Files[requestPath].Blob, w.now)
	if d.Outcome != policies.Allowed {
		t.Errorf("%s %s: %s", d.Outcome, d.Code, d.Message)
	}
	data, err := f.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := policies.ParseFacts(data); err != nil ||
		again.PushesFrom != policies.FromCheckRuns {
		t.Errorf("the ledger keeps the source %q, error %v", again.PushesFrom, err)
	}
}
