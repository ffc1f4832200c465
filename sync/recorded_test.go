package sync

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

// record does what the Action does on the head of a pull request, in the name of an App: it judges,
// and leaves in its check run who pushed.
func (s *stage) record(app string, number int) {
	s.Helper()
	client, err := github.New(github.Config{APIURL: s.URL, Owner: "acme", Repo: "access",
		Clock: s.Clock, Token: func(context.Context) (string, error) {
			return s.AppToken(app),
				nil
		}})
	s.Must(err)
	f, err := client.Facts(s.Context(), number, s.Clock())
	s.Must(err)
	pushed, known := github.PushedBy(f)
	if !known {
		s.Fatalf("nobody knows who pushed: %+v", f.Pushes)
	}
	d := policies.Evaluate(f.Base, f, s.Clock())
	_, err = client.PostCheck(s.Context(), github.Check{HeadSHA: f.PullRequest.HeadSHA,
		Name: policies.CheckName, Conclusion: "success", Title: d.Outcome.String(),
		Summary: d.Message, Pushed: []github.Pushed{pushed}})
	s.Must(err)
}

// push has a user push a head whose commit is alice's, as git knows it.
func (s *stage) push(user, branch, path, content string) {
	s.Helper()
	alice := &forge.Identity{Name: "alice", Email: "alice@example.com"}
	_, err := s.Push(forge.Change{User: user, Branch: branch, Message: "Mend", Author: alice,
		Committer: alice, Files: map[string]string{path: content}})
	s.Must(err)
}

// forgotten merges a pull request that bob approves, and has GitHub delete its branch and all that
// it knew of who pushed there.
func (s *stage) forgotten(branch string, number int) {
	s.Helper()
	_, err := s.Review("bob", number, "APPROVE")
	s.Must(err)
	_, err = s.Merge("root", number)
	s.Must(err)
	s.Must(s.SetBranch("root", branch, ""))
	s.SetManners(forge.Manners{NoActivityOfDeletedRef: true})
}

// TestGrantedByCheckRuns: where GitHub tells the activity of a branch no longer, what the Action's
// App recorded on every head is proof of who pushed, and the ledger keeps that it was.
func TestGrantedByCheckRuns(t *testing.T) {
	s := newStage(t)
	name, path, content := s.requestFile("recorded")
	number := s.open("alice", "recorded", map[string]string{path: content + "\n"})
	s.record("pullgrant", number)
	s.pause()
	s.push("root", "recorded", path, content)
	s.record("pullgrant", number)
	s.forgotten("recorded", number)
	s.once(githubOnly)
	s.granted(name)
	s.SetClock(s.Clock().Add(time.Hour))
	s.once(githubOnly)
	status := s.over(name, requests.CauseExpired, "").Status
	kept := s.read(requests.FactsPath(requests.RevocationPath(s.Cluster, name)))
	facts, err := policies.ParseFacts([]byte(kept))
	s.Must(err)
	var pushers []string
	for _, p := range facts.Pushes {
		pushers = append(pushers, p.Actor.Login)
	}
	slices.Sort(pushers)
	if facts.PushesFrom != policies.FromCheckRuns ||
		!slices.Equal(slices.Compact(pushers), []string{"alice", "root"}) {
		t.Errorf("the ledger keeps the source %q: %+v", facts.PushesFrom, facts.Pushes)
	}
	if len(status.Approvers) != 1 || status.Approvers[0].Login != "bob" {
		t.Errorf("approved by %+v", status.Approvers)
	}
}

// TestCheckRunsTakeApprovalsAway: whoever is recorded to have pushed has not approved.
func TestCheckRunsTakeApprovalsAway(t *testing.T) {
	s := newStage(t)
	name, path, content := s.requestFile("pushed")
	number := s.open("alice", "pushed", map[string]string{path: content + "\n"})
	s.record("pullgrant", number)
	s.pause()
	s.push("bob", "pushed", path, content)
	s.record("pullgrant", number)
	s.forgotten("pushed", number)
	s.once(githubOnly)
	s.over(name, requests.CauseDenied, string(policies.ContributorApproval))
}

// TestHeadWithoutARecord: nobody knows who pushed it, so that nothing is granted; nor is anything
// refused for good, and once GitHub tells again the requests are granted.
func TestHeadWithoutARecord(t *testing.T) {
	s := newStage(t)
	s.AddApp("other", 7003)
	asked := map[string][]string{} // by request, what the error says was asked
	for slug, app := range map[string]string{"none": "", "foreign": "other"} {
		name, path, content := s.requestFile(slug)
		number := s.open("alice", slug, map[string]string{path: content + "\n"})
		s.record("pullgrant", number)
		s.SetClock(s.Clock().Add(time.Second)) // what is pushed while it opens is of its opening
		s.push("root", slug, path, content)
		if app != "" {
			s.record(app, number)
		}
		head := s.Branch(slug)
		s.forgotten(slug, number)
		asked[name] = []string{"asked for the activity of its branch " + requests.Quote(slug),
			"for all that the repository has",
			"nor do the check runs of the App 7001: none on " + head + " tells who pushed it"}
	}
	for _, after := range []time.Duration{0, patience} {
		s.SetClock(s.Clock().Add(after))
		err := s.agent(githubOnly).Once(t.Context())
		for name, all := range asked {
			for _, words := range all {
				if err == nil || !strings.Contains(err.Error(), words) {
					t.Errorf("%s after %s: it does not say %q: %v", name, after, words, err)
				}
			}
		}
		if len(s.Bindings())+len(s.Records()) > 0 {
			t.Fatalf("after %s: %v, %v", after, s.Bindings(), s.Records())
		}
	}
	s.SetManners(forge.Manners{})
	s.once(githubOnly)
	for name := range asked {
		s.granted(name)
	}
}
