package sync

import (
	"fmt"
	"log/slog"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

// calls are those of GitHub's API that the agent made since, and those of them that count.
func (s *stage) calls(since int) (all, counted int) {
	for _, r := range s.Requests()[since:] {
		if r.User == "agent[bot]" && !strings.HasPrefix(r.Path, "/acme/access.git") {
			if all++; r.Status != http.StatusNotModified {
				counted++
			}
		}
	}
	return all, counted
}

// TestManyOpenPullRequests: with 1,501 open pull requests, a pass of an agent that knows none makes
// no more than 130 calls, and it has looked at those by somebody who could end a grant, a hundred a
// pass; from then on a pass makes one, which does not count. What is withdrawn meanwhile ends in
// the next pass; the withdrawal that has waited longest, when all had their turn.
func TestManyOpenPullRequests(t *testing.T) {
	const many, hers, perPass = 1501, 376, 130
	s := newStage(t, func(o *forge.Options) { o.PageSize, o.Contract = 100, false })
	first, second, third := s.request("first"), s.request("second"), s.request("third")
	s.once(githubOnly)
	begin := s.Clock()
	drop := func(name string) (number int) {
		return s.open("alice", "drop-"+name, removed(requests.Path(s.Cluster, "payments-debug",
			name)))
	}
	head, err := s.Push(forge.Change{User: "alice", Branch: "b", Message: "Change",
		Files: map[string]string{"docs/a.md": "x\n"}})
	s.Must(err)
	var branches strings.Builder
	for i := range many {
		fmt.Fprintf(&branches, "create refs/heads/b%d %s\n", i, head)
	}
	command := exec.Command("git", "--git-dir", s.GitDir(), "update-ref", "--stdin")
	command.Stdin = strings.NewReader(branches.String())
	s.Must(command.Run())
	for i := range many {
		s.SetClock(begin.Add(time.Duration(i) * time.Second / 2))
		if i == 0 {
			drop(first)
			continue
		}
		_, err := s.Open([]string{"alice", "root", "root", "root"}[i%4], fmt.Sprint("b", i),
			"Change")
		s.Must(err)
	}
	agent := s.agent(githubOnly)
	pass := func() (all, counted int) {
		before := len(s.Requests())
		s.SetClock(s.Clock().Add(10 * time.Second))
		s.Must(agent.Once(t.Context()))
		return s.calls(before)
	}
	ended := func(name string) bool {
		return !slices.ContainsFunc(s.Bindings(), func(b rbacv1.RoleBinding) bool {
			return b.Name == requests.ObjectName(name, 0)
		})
	}
	if ended(first) || ended(second) || ended(third) {
		t.Fatalf("not granted: %v", s.Bindings())
	}
	peak := 0
	for n := 1; n <= (hers+maxLooks-1)/maxLooks; n++ {
		if n == 2 {
			drop(second)
		}
		all, _ := pass()
		if peak = max(peak, all); all > perPass {
			t.Errorf("pass %d made %d calls", n, all)
		}
		if n == 2 && (!ended(second) || ended(first)) {
			t.Error("what was withdrawn last, while others waited, did not end first")
		}
	}
	if !ended(first) {
		t.Error("one withdrawal never had its turn")
	}
	pass()
	for range 3 {
		if all, counted := pass(); all > 2 || counted > 0 {
			t.Errorf("with nothing new a pass made %d calls, %d of which count", all, counted)
		}
	}
	drop(third)
	if all, _ := pass(); all > 20 || !ended(third) {
		t.Errorf("a withdrawal took %d calls; ended: %t", all, ended(third))
	}
	t.Logf("%d calls in a pass at most", peak)
}

// TestTurns: however many are updated between two passes, what waits has its turn, and what was
// updated last does not wait.
func TestTurns(t *testing.T) {
	const old, newInAPass = 450, 80
	x := &withdrawals{looks: map[int]look{}, log: slog.New(slog.DiscardHandler)}
	var wait []github.OpenPull // updated last first
	number := 0
	arrive := func(many int, at time.Time) {
		for range many {
			number++
			wait = append([]github.OpenPull{{Number: number}}, wait...)
			x.looks[number] = look{since: at}
		}
	}
	arrive(old, noon)
	for pass := range old / (maxLooks / 2) {
		at := noon.Add(time.Duration(pass+1) * time.Minute)
		arrive(newInAPass, at)
		newest := number
		turns := x.turns(slices.Clone(wait))
		if len(turns) != maxLooks || turns[0].Number != newest {
			t.Errorf("pass %d: %d looks, first at #%d; want #%d", pass, len(turns), turns[0].Number,
				newest)
		}
		wait = slices.DeleteFunc(wait, func(p github.OpenPull) bool {
			return slices.Contains(turns, p)
		})
	}
	for _, p := range wait {
		if p.Number <= old {
			t.Errorf("#%d never had its turn", p.Number)
		}
	}
}

// TestIdentitiesAreReadOnce: what identities.yaml says is kept as long as it is the same file; another
// one is read, and of one that cannot be read nobody is known.
func TestIdentitiesAreReadOnce(t *testing.T) {
	file := func(id int) []byte {
		return fmt.Appendf(nil, `apiVersion: pullgrant.dev/v1alpha1
kind: IdentityMap
metadata: {name: identities}
spec:
  users: [{github: alice, githubID: %d, kubernetes: {username: alice@example.com}}]
`, id)
	}
	x := &withdrawals{}
	expect := func(content []byte, want int64) {
		t.Helper()
		x.identify(content)
		var id int64
		for _, u := range x.identities.Spec.Users {
			id = u.GitHubID
		}
		if id != want {
			t.Errorf("known is %d, want %d", id, want)
		}
	}
	expect(file(101), 101)
	x.identities.Spec.Users[0].GitHubID = 7 // so that reading it again would show
	expect(file(101), 7)
	expect(file(102), 102)
	expect([]byte("{"), 0)
	expect(file(102), 102)
	expect(nil, 0)
}
