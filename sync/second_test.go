package sync

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

// TestSecondUnderOneName: of two requests that were merged under one name within a second, the one
// that the branch had first is granted and the other refused, with a word on which one has the
// name; whatever comes first by its path, however they were merged, and whenever the agent saw
// them.
func TestSecondUnderOneName(t *testing.T) {
	s := newStage(t)
	s.SetManners(forge.Manners{Rebase: true})
	s.change("policy", "root", map[string]string{"policies/again.yaml": strings.Replace(
		s.read(policyPath), "name: payments-debug}", "name: again}", 1)})
	for i, method := range []string{"merge", "squash", "rebase"} {
		for _, firstPolicy := range []string{"again", "payments-debug"} {
			for _, fetches := range []int{1, 2} {
				t.Run(fmt.Sprintf("%s %s %d", method, firstPolicy, fetches), func(t *testing.T) {
					slug := fmt.Sprintf("%s-%d-%d", firstPolicy, i, fetches)
					agent := s.agent(githubOnly)
					s.Must(agent.Once(s.Context()))
					var numbers []int
					var paths []string
					name, _, content := s.requestFile(slug)
					for _, policy := range []string{"payments-debug", "again"} {
						path := requests.Path(s.Cluster, policy, name)
						numbers = append(numbers, s.open("alice", slug+"-by-"+policy,
							map[string]string{path: strings.Replace(content,
								"policy: payments-debug", "policy: "+policy, 1)}))
						paths = append(paths, path)
						_, err := s.Review("bob", numbers[len(numbers)-1], "APPROVE")
						s.Must(err)
					}
					order := []int{0, 1}
					if firstPolicy == "again" {
						order = []int{1, 0}
					}
					for _, at := range order {
						s.Must(s.Do(s.Token("root"), http.MethodPut, fmt.Sprintf(
							"/repos/acme/access/pulls/%d/merge", numbers[at]),
							map[string]any{"merge_method": method}, nil))
						if fetches == 2 {
							s.Must(agent.Once(s.Context()))
						}
					}
					s.Must(agent.Once(s.Context()))
					s.granted(name)
					if b := s.Bindings(); len(b) != 1 {
						t.Errorf("bindings: %+v", b)
					}
					first, second := order[0], order[1]
					s.says(numbers[first], "### Access until")
					s.says(numbers[second], "### Refused: RequestIdReused",
						fmt.Sprintf("of #%d, which was on the branch first", numbers[first]))
					if left := s.git("ls-tree", "-r", "--name-only", "main",
						"requests/"); left != paths[first] {
						t.Errorf("on main: %s", left)
					}
					if message := s.git("log", "-1", "--format=%B",
						"main", "--", requests.Folder); !strings.Contains(message,
						paths[first]+" has the name") {
						t.Errorf("the commit does not name the first:\n%s", message)
					}
					s.open("alice", slug+"-drop", removed(paths[first]))
					s.pause()
					s.Must(agent.Once(s.Context()))
					s.over(name, requests.CauseRelinquished, "")
				})
			}
		}
	}
}

// TestSecondWhileNothingIsPushed: one that came second, and was to wait as the server took no push, is told
// whose name it is once the server takes one, and nothing else.
func TestSecondWhileNothingIsPushed(t *testing.T) {
	s := newStage(t)
	s.change("policy", "root", map[string]string{"policies/again.yaml": strings.Replace(
		s.read(policyPath), "name: payments-debug}", "name: again}", 1)})
	name, path, content := s.requestFile("late")
	first := s.pull("first", true, map[string]string{path: content})
	second := s.pull("second", true, map[string]string{requests.Path(s.Cluster, "again", name): strings.Replace(
		content, "policy: payments-debug", "policy: again", 1)})
	agent := s.agent(githubOnly)
	s.Fail(http.MethodPost, "/acme/access.git/git-receive-pack", -1, http.StatusForbidden,
		"GH013: Repository rule violations")
	if agent.Once(t.Context()) == nil {
		t.Fatal("no error")
	}
	s.says(second, "### Merged, not granted yet", "PushRefused")
	s.Heal()
	s.pause()
	_ = agent.Once(t.Context())
	s.says(second, "### Refused: RequestIdReused", fmt.Sprintf("of #%d, which was on the branch first", first))
}

// TestOverwrittenRequest: whoever merges over the file of a request gets nothing, and is told whose
// name it is; the first one, which is on the branch no more as it was approved, is not granted, and
// ends when it was (R44).
func TestOverwrittenRequest(t *testing.T) {
	for _, seen := range []bool{false, true} {
		t.Run(fmt.Sprint("seen before: ", seen), func(t *testing.T) {
			s := newStage(t)
			name, path, content := s.requestFile("over")
			first := s.pull("first", true, map[string]string{path: content})
			agent := s.agent(githubOnly)
			if seen {
				s.Must(agent.Once(t.Context()))
				s.granted(name)
			}
			second := s.pull("second", true, map[string]string{path: strings.Replace(content,
				"INC-123", "INC-124", 1)})
			s.pause()
			s.Must(agent.Once(t.Context()))
			s.Must(agent.Once(t.Context()))
			if seen {
				s.over(name, requests.CauseRevoked, "")
			} else {
				s.over(name, requests.CauseDenied, "BlobMismatch")
			}
			s.says(second, "### Refused: RequestIdReused",
				fmt.Sprintf("of #%d, which was on the branch first", first))
		})
	}
}

// TestNameInTheLedgerIsTold: a request that comes under a name which is over is told so.
func TestNameInTheLedgerIsTold(t *testing.T) {
	s := newStage(t)
	name, path, content := s.requestFile("told")
	first := s.pull("first", false, map[string]string{path: content})
	agent := s.agent(githubOnly)
	s.Must(agent.Once(t.Context()))
	s.over(name, requests.CauseDenied, "InsufficientApprovals")
	second := s.pull("second", true, map[string]string{path: content})
	s.Must(agent.Once(t.Context()))
	s.over(name, requests.CauseDenied, "InsufficientApprovals")
	s.says(second, "### Refused: RequestIdReused", "revocations&#47;",
		fmt.Sprintf("of #%d, which was on the branch first", first))
}

// TestFilePutBackIsToldNobody: the file of a request that is over, pushed onto the branch again, came
// with no pull request; its first one goes on saying what became of it.
func TestFilePutBackIsToldNobody(t *testing.T) {
	s := newStage(t)
	name, path, content := s.requestFile("back")
	first := s.pull("first", false, map[string]string{path: content})
	agent := s.agent(githubOnly)
	s.Must(agent.Once(t.Context()))
	s.over(name, requests.CauseDenied, "InsufficientApprovals")
	s.pushFiles("root", "Put it back", map[string]string{path: content})
	s.Must(agent.Once(t.Context()))
	s.over(name, requests.CauseDenied, "InsufficientApprovals") // whose file is off the branch
	s.says(first, "### Refused: InsufficientApprovals")
}

// TestRefusedByAnotherMeanwhile: a request that another process refuses, and takes from the branch,
// while it is judged has not used up its own name: why it was refused stays told, also where nobody could
// judge it for long.
func TestRefusedByAnotherMeanwhile(t *testing.T) {
	for _, waited := range []bool{false, true} {
		t.Run(fmt.Sprint("it waited: ", waited), func(t *testing.T) {
			s := newStage(t)
			agent := s.agent(githubOnly)
			name, path, content := s.requestFile("both")
			number := s.pull("both", false, map[string]string{path: content})
			if waited {
				s.Fail(http.MethodGet, fmt.Sprintf("/repos/acme/access/pulls/%d/reviews", number), -1,
					http.StatusInternalServerError, "{}")
				if agent.Once(t.Context()) == nil {
					t.Fatal("no error")
				}
				s.Heal()
				s.pause()
			}
			s.Before(http.MethodGet, fmt.Sprint(".*/pulls/", number), func() { s.once(githubOnly) })
			if err := agent.Once(t.Context()); err == nil || !strings.Contains(err.Error(), "the branch moved") {
				t.Errorf("the one that is late: %v", err)
			}
			s.once(githubOnly)
			s.over(name, requests.CauseDenied, "InsufficientApprovals")
			s.says(number, "### Refused: InsufficientApprovals")
			for _, line := range s.told() {
				if strings.Contains(line, "RequestIdReused") {
					t.Errorf("told: %s", line)
				}
			}
		})
	}
}
