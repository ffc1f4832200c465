package sync

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

// live is a request of alice's, approved by bob, that the agent has granted.
func (s *stage) live(slug string) (agent *Agent, name, path string) {
	s.Helper()
	name = s.request(slug)
	agent = s.agent(githubOnly)
	s.Must(agent.Once(s.Context()))
	s.granted(name)
	s.pause()
	return agent, name, requests.Path(s.Cluster, "payments-debug", name)
}

func removed(paths ...string) map[string]string {
	files := map[string]string{}
	for _, path := range paths {
		files[path] = forge.Removed
	}
	return files
}

// pullState tells whether a pull request is open, closed or merged.
func (s *stage) pullState(number int) string {
	s.Helper()
	var pull struct {
		State  string
		Merged bool
	}
	s.Must(s.Do(s.Token("root"), http.MethodGet, fmt.Sprintf("/repos/acme/access/pulls/%d", number),
		nil, &pull))
	if pull.Merged {
		return "merged"
	}
	return pull.State
}

// TestWithdrawnWhileOpen: access ends in the next pass, the agent's record removes the file, and
// the pull request is closed with a word on where that stands.
func TestWithdrawnWhileOpen(t *testing.T) {
	for slug, test := range map[string]struct{ login, branch, cause string }{
		"requester": {"alice", "drop", requests.CauseRelinquished},
		"approver":  {"bob", "drop", requests.CauseRevoked},
		"fork":      {"alice", "alice:drop", requests.CauseRelinquished},
	} {
		t.Run(slug, func(t *testing.T) {
			s := newStage(t)
			agent, name, path := s.live(slug)
			number := s.open(test.login, test.branch, removed(path))
			s.Must(agent.Once(t.Context()))
			r := s.over(name, test.cause, "")
			if r.Status.RevokedAt.String() != "2026-11-23T12:01:00Z" {
				t.Errorf("revoked at %s", r.Status.RevokedAt)
			}
			s.endedBy(r, test.login, number)
			if state := s.pullState(number); state != "closed" {
				t.Errorf("the withdrawal is %s", state)
			}
			said := s.said(number)
			for _, words := range []string{"### Done: " + test.cause, "commit " + s.Branch("main"),
				"revocations&#47;"} {
				if !strings.Contains(said, words) {
					t.Errorf("%q is not in\n%s", words, said)
				}
			}
			tip := s.Branch("main")
			s.Must(agent.Once(t.Context()))
			if s.Branch("main") != tip || s.said(number) != said {
				t.Error("a pass with nothing to do did something")
			}
		})
	}
}

// endedBy is what must be true of an entry that a person ended the grant of by a pull request, and
// of the commit that brought it.
func (s *stage) endedBy(r requests.Revocation, login string, number int) {
	s.Helper()
	id := map[string]int64{"alice": 101, "bob": 102}[login]
	if r.Status.EndedBy == nil || *r.Status.EndedBy != (requests.Person{Login: login, ID: id,
		PullRequest: number}) {
		s.Errorf("ended by %v, want @%s in #%d", r.Status.EndedBy, login, number)
	}
	message := s.git("log", "-1", "--format=%B", "main", "--", requests.RevocationsFolder)
	for _, words := range []string{fmt.Sprintf(" by @%s in #%d.\n", login, number),
		fmt.Sprintf("\nEnded-by: %s (%d)", login, id)} {
		if !strings.Contains(message, words) {
			s.Errorf("%q is not in\n%s", words, message)
		}
	}
	said := s.said(r.Status.PullRequest)
	if words := fmt.Sprintf("&#64;%s</code> in #%d", login, number); !strings.Contains(said,
		words) {
		s.Errorf("%q is not in\n%s", words, said)
	}
}

// TestNoWithdrawal: what is not exactly that, by one of exactly those, ends nothing.
func TestNoWithdrawal(t *testing.T) {
	s := newStage(t)
	s.AddUser("carol", 103, "carol@example.com")
	s.SetPermission("carol", "write")
	agent, name, path := s.live("kept")
	other := s.ask("other")
	s.outlast(agent)
	s.Must(s.SetBranch("root", "stable", s.Branch("main")))
	stranger := s.open("carol", "drop-carol", removed(path))
	pulls := []int{stranger, s.open("root", "drop-root", removed(path)),
		s.open("alice", "two", removed(path, requests.Path(s.Cluster, "payments-debug", other))),
		s.open("alice", "more", map[string]string{path: forge.Removed, "README.md": "hello\n"}),
		s.open("alice", "edit", map[string]string{path: s.read(path) + "# longer\n"})}
	draft, elsewhere, shut := s.open("alice", "draft", removed(path)),
		s.open("alice", "elsewhere", removed(path)), s.open("alice", "shut", removed(path))
	s.Must(s.Do(s.Token("alice"), http.MethodPost, "/graphql", map[string]any{"query": fmt.Sprintf(
		`mutation { convertPullRequestToDraft(input: {pullRequestId: "PR_%d"}) { pullRequest { id } } }`,
		draft)}, nil))
	s.Must(s.Do(s.Token("alice"), http.MethodPatch, fmt.Sprintf("/repos/acme/access/pulls/%d",
		elsewhere), map[string]any{"base": "stable"}, nil))
	s.Must(s.Do(s.Token("alice"), http.MethodPatch, fmt.Sprintf("/repos/acme/access/pulls/%d",
		shut), map[string]any{"state": "closed"}, nil))
	before := len(s.Requests())
	s.Must(agent.Once(t.Context()))
	s.granted(name)
	for _, number := range append(pulls, draft, elsewhere) {
		if state := s.pullState(number); state != "open" || s.said(number) != "" {
			t.Errorf("#%d is %s, and the agent says %q", number, state, s.said(number))
		}
	}
	for _, r := range s.Requests()[before:] {
		if r.User == "agent[bot]" && strings.HasPrefix(r.Path, fmt.Sprintf(
			"/repos/acme/access/pulls/%d", stranger)) {
			t.Errorf("a stranger's pull request costs a call: %s", r.Path)
		}
	}

	// Ready for review, the draft is a withdrawal like any other.
	s.Must(s.Do(s.Token("alice"), http.MethodPost, "/graphql", map[string]any{"query": fmt.Sprintf(
		`mutation { markPullRequestReadyForReview(input: {pullRequestId: "PR_%d"}) { pullRequest { id } } }`, draft)},
		nil))
	s.pause()
	s.Must(agent.Once(t.Context()))
	s.over(name, requests.CauseRelinquished, "")
}

// TestOpenPullRequestsCostNothing: while none moves, a pass makes only calls that GitHub does not
// count.
func TestOpenPullRequestsCostNothing(t *testing.T) {
	s := newStage(t)
	agent, name, path := s.live("quiet")
	number := s.open("alice", "readme", map[string]string{"README.md": "hello\n"})
	for range 3 { // looking at it has GitHub try the merge, which changes the list; then where it ends is asked
		s.Must(agent.Once(t.Context()))
	}
	before := len(s.Requests())
	s.pause()
	s.Must(agent.Once(t.Context()))
	for _, r := range s.Requests()[before:] {
		if !strings.HasPrefix(r.Path, "/acme/access.git") && r.Status != http.StatusNotModified {
			t.Errorf("%s %s: %d", r.Method, r.Path, r.Status)
		}
	}
	// The same pull request moves to another head, which is a withdrawal.
	_, err := s.Push(forge.Change{User: "alice", Branch: "readme", From: "main", Message: "Drop",
		Files: removed(path)})
	s.Must(err)
	s.Must(agent.Once(t.Context()))
	s.over(name, requests.CauseRelinquished, "")
	if state := s.pullState(number); state != "closed" {
		t.Errorf("the withdrawal is %s", state)
	}
}

// TestSomebodyElsesWithdrawal: one who is known but has nothing to do with the grant waits for a
// code owner; what they opened is left alone, also when the grant ends otherwise.
func TestSomebodyElsesWithdrawal(t *testing.T) {
	s := newStage(t)
	s.AddUser("carol", 103, "carol@example.com")
	s.SetPermission("carol", "write")
	s.change("people", "root", s.edited(identityPath, "    - {github: bob",
		"    - {github: carol, githubID: 103, kubernetes: {username: carol@example.com}}\n    - "+
			"{github: bob"))
	agent, name, path := s.live("kept")
	other := s.open("carol", "drop-carol", removed(path))
	s.Must(agent.Once(t.Context()))
	s.granted(name)
	if len(agent.withdrawals.open) != 1 {
		t.Errorf("open: %v", agent.withdrawals.open)
	}
	s.open("alice", "drop", removed(path))
	s.Must(agent.Once(t.Context()))
	s.over(name, requests.CauseRelinquished, "")
	if state := s.pullState(other); state != "open" || s.said(other) != "" {
		t.Errorf("it is %s, and the agent says %q", state, s.said(other))
	}
	// Its head moves on: until that has been looked at, it withdraws nothing.
	_, err := s.Push(forge.Change{User: "carol", Branch: "drop-carol", Message: "More",
		Files: map[string]string{"README.md": "hello\n"}})
	s.Must(err)
	s.Must(agent.Once(t.Context()))
	if len(agent.withdrawals.open) != 0 {
		t.Errorf("open: %v", agent.withdrawals.open)
	}
}

// TestWithdrawnBeforeItWasGranted: what is given back before the agent came to it is never given.
func TestWithdrawnBeforeItWasGranted(t *testing.T) {
	s := newStage(t)
	name := s.request("early")
	number := s.open("alice", "drop", removed(requests.Path(s.Cluster, "payments-debug", name)))
	agent := s.agent(githubOnly)
	s.Must(agent.Once(t.Context()))
	if r := s.over(name, requests.CauseRelinquished, ""); r.Status.GrantedAt != nil ||
		len(r.Status.GrantRefs) != 0 {
		t.Errorf("the entry: %+v", r)
	}
	if said := s.said(1); !strings.Contains(said, "### Never granted: Relinquished") {
		t.Errorf("the request's pull request says\n%s", said)
	}
	if message := s.git("log", "-1", "--format=%B", "main"); !strings.Contains(message,
		"never granted, ended at 2026-11-23T12:00:00Z") {
		t.Errorf("message %s", message)
	}
	s.Must(agent.Once(t.Context()))
	if state := s.pullState(number); state != "closed" {
		t.Errorf("the withdrawal is %s", state)
	}
}

// TestEveryCallOfAWithdrawalFails: while a call of GitHub's fails, either nothing ends or
// everything ends as it should; nothing is granted that is withdrawn, and recording goes on.
func TestEveryCallOfAWithdrawalFails(t *testing.T) {
	calls := map[string]bool{ // whether access ends all the same
		"GET /repos/acme/access":                          false,
		"GET /repos/acme/access/pulls":                    false,
		"GET /repos/acme/access/pulls/[0-9]+":             false,
		"GET /repos/acme/access/pulls/[0-9]+/files":       false,
		"GET /repos/acme/access/rules/branches/main":      true,
		"POST /graphql":                                   true,
		"GET /repos/acme/access/issues/[0-9]+/comments":   true,
		"POST /repos/acme/access/issues/[0-9]+/comments":  true,
		"PATCH /repos/acme/access/issues/comments/[0-9]+": true,
		"PATCH /repos/acme/access/pulls/[0-9]+":           true,
	}
	for i, call := range slices.Sorted(maps.Keys(calls)) {
		t.Run(strings.ReplaceAll(call, "/", "|"), func(t *testing.T) {
			s := newStage(t)
			_, name, path := s.live(fmt.Sprint("call-", i))
			number := s.open("alice", "drop", removed(path))
			method, pattern, _ := strings.Cut(call, " ")
			for _, status := range []int{http.StatusForbidden, http.StatusOK} {
				s.Fail(method, pattern, -1, status, "{}")
				agent := s.agent(githubOnly) // of another day: it knows nothing
				err := agent.Once(t.Context())
				if !calls[call] {
					s.granted(name)
					if err == nil {
						t.Errorf("%d: no error", status)
					}
				} else {
					s.over(name, requests.CauseRelinquished, "")
				}
				s.Heal()
			}
			s.pause()
			s.once(githubOnly)
			s.over(name, requests.CauseRelinquished, "")
			if state := s.pullState(number); state != "closed" {
				t.Errorf("the withdrawal is %s", state)
			}
		})
	}
}

// TestGitHubDown: with nothing but git, what is live ends on time and is recorded, and nothing new
// begins.
func TestGitHubDown(t *testing.T) {
	s := newStage(t)
	agent, name, _ := s.live("down")
	waits := s.request("waits")
	s.Fail("", "/(repos|graphql|orgs|user).*", -1, 500, `{"message": "down"}`)
	for _, agent := range []*Agent{agent, s.agent(githubOnly)} {
		if err := agent.Once(t.Context()); err == nil {
			t.Error("no error")
		}
		s.granted(name)
		if b := s.Bindings(); len(b) != 1 {
			t.Errorf("bindings %v", b)
		}
	}
	s.SetClock(noon.Add(time.Hour))
	if err := agent.Once(t.Context()); err == nil {
		t.Error("no error")
	}
	if r := s.entry(name); r.Status.Cause != requests.CauseExpired {
		t.Errorf("it ended by %s", r.Status.Cause)
	}
	s.Heal()
	s.SetClock(noon.Add(time.Hour + 2*time.Minute))
	if err := agent.Once(t.Context()); err != nil && !strings.Contains(err.Error(),
		"tried again at") {
		t.Error(err)
	}
	if b := s.Bindings(); len(b) > 1 {
		t.Errorf("bindings %v; %s may wait, no other", b, waits)
	}
}

// TestWithdrawnHoweverManyAreOpen: the next pass finds it, also when the last page of the list
// before was exactly full; the forge serves pages of two.
func TestWithdrawnHoweverManyAreOpen(t *testing.T) {
	for _, others := range []int{1, 2, 3, 4} {
		t.Run(fmt.Sprint(others), func(t *testing.T) {
			s := newStage(t)
			agent, name, path := s.live("drop")
			for i := range others {
				file := fmt.Sprintf("docs/%d.md", i)
				s.open("root", fmt.Sprint("b", i), map[string]string{file: "x\n"})
			}
			s.Must(agent.Once(t.Context()))
			s.granted(name)
			s.open("alice", "drop", removed(path))
			s.Must(agent.Once(t.Context()))
			s.over(name, requests.CauseRelinquished, "")
		})
	}
}
