package sync

import (
	"context"
	"strings"
	"testing"
	"time"

	gogithub "github.com/google/go-github/v60/github"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

// setState closes or opens a pull request.
func (s *stage) setState(login string, number int, state string) {
	s.Helper()
	api, err := gogithub.NewClient(nil).WithAuthToken(s.Token(login)).WithEnterpriseURLs(s.URL, s.URL)
	s.Must(err)
	api.BaseURL.Path = "/"
	_, _, err = api.PullRequests.Edit(context.Background(), "acme", "access", number,
		&gogithub.PullRequest{State: &state})
	s.Must(err)
}

// TestRefusedForEver: a request that bob refuses and that is closed is in the ledger, with who and his
// words; opened again, approved and merged, it gives nothing. What is closed without a word is free.
func TestRefusedForEver(t *testing.T) {
	s := newStage(t)
	open := func(slug string) (name string, number int) {
		name, path, content := s.requestFile(slug)
		_, err := s.Push(forge.Change{User: "alice", Branch: slug, Message: "Ask",
			Files: map[string]string{path: content}})
		s.Must(err)
		number, err = s.Open("alice", slug, "Ask")
		s.Must(err)
		return name, number
	}
	name, number := open("refused")
	other, silent := open("silent")
	signer := newSigner(t)
	a := s.agent(options{github: true, signer: signer})
	s.Must(a.Once(t.Context()))
	id, err := s.Review("bob", number, "REQUEST_CHANGES", "Use the <dashboard>, `please`", "Pullgrant-Event: x")
	s.Must(err)
	s.setState("alice", number, "closed")
	s.setState("alice", silent, "closed")
	s.Must(a.Once(t.Context()))
	status := s.over(name, requests.CauseDenied, string(policies.Refused)).Status
	by := status.RefusedBy
	if by == nil || by.Login != "bob" || by.ID != 102 || by.ReviewID != id ||
		by.Words != "Use the <dashboard>, `please` Pullgrant-Event: x" || status.PullRequest != number {
		t.Errorf("the entry: %+v, %+v", status, by)
	}
	if said := plainText(s.said(number)); !strings.Contains(said, "requested changes, and it was closed") ||
		!strings.Contains(said, "Use the &#60;dashboard&#62;") {
		t.Errorf("it says\n%s", said)
	}
	message := s.git("log", "-1", "--format=%B", "main")
	if strings.Contains(message, "dashboard") || strings.Contains(message, "Pullgrant-Event: x") {
		t.Errorf("the words are in\n%s", message)
	}
	before := len(s.Requests())
	s.Must(a.Once(t.Context()))
	for _, r := range s.Requests()[before:] {
		if strings.Contains(r.Path, "/reviews") {
			t.Errorf("what was looked at is looked at again: %s", r.Path)
		}
	}
	s.setState("alice", number, "open")
	s.setState("alice", silent, "open")
	for _, n := range []int{number, silent} {
		_, err = s.Review("bob", n, "APPROVE")
		s.Must(err)
		_, err = s.Merge("root", n)
		s.Must(err)
	}
	s.Must(a.Once(t.Context()))
	if b := s.Bindings(); len(b) != 1 || !strings.Contains(b[0].Name, other) {
		t.Errorf("bindings: %+v", b)
	}
	if rules := s.rules(signersOf(t, signer.AllowedSigner(s.Cluster)), s.Clock()); rules != "" {
		t.Errorf("the audit finds %s", rules)
	}
}

// TestRefusedUnderANameThatIsUsed: a request that bob refuses is asked for again, approved and granted.
// Where its file is taken from main then, and who took it is not known yet, its name is used all the
// same: an agent that looks only now enters no refusal, and then what became of what was granted.
func TestRefusedUnderANameThatIsUsed(t *testing.T) {
	s := newStage(t)
	name, path, content := s.requestFile("again")
	_, err := s.Push(forge.Change{User: "alice", Branch: "first", Message: "Ask first",
		Files: map[string]string{path: content}})
	s.Must(err)
	refused, err := s.Open("alice", "first", "Ask")
	s.Must(err)
	_, err = s.Review("bob", refused, "REQUEST_CHANGES")
	s.Must(err)
	s.setState("alice", refused, "closed")
	granted := s.pull("second", true, map[string]string{path: content})
	s.Must(s.agent(options{github: true}).Once(t.Context()))
	if b := s.Bindings(); len(b) != 1 {
		t.Fatalf("bindings: %+v", b)
	}
	s.pushFiles("root", "Take it", map[string]string{path: forge.Removed})
	a := s.agent(options{github: true})
	s.Must(a.Once(t.Context()))
	if b := s.Bindings(); len(b) != 0 {
		t.Errorf("bindings: %+v", b)
	}
	if s.entered(name) {
		t.Errorf("the ledger has it as %+v", s.entry(name).Status)
	}
	s.SetClock(noon.Add(15 * time.Minute))
	s.outlast(a)
	if status := s.entry(name).Status; status.Cause != requests.CauseRevoked ||
		status.PullRequest != granted || status.GrantedAt == nil {
		t.Errorf("the ledger has it as %+v", status)
	}
}

// TestRefusedAsItsNameIsTaken: another pull request brings a request under the name while the refusal is
// on its way to main. The name is that one's (R73): nothing is entered, and it is granted.
func TestRefusedAsItsNameIsTaken(t *testing.T) {
	s := newStage(t)
	s.change("policy", "root", map[string]string{"policies/again.yaml": strings.Replace(
		s.read(policyPath), "name: payments-debug}", "name: again}", 1)})
	for _, policy := range []string{"payments-debug", "again"} {
		name, path, content := s.requestFile("taken-" + policy)
		refused := s.open("alice", "refused-"+policy, map[string]string{path: content})
		_, err := s.Review("bob", refused, "REQUEST_CHANGES")
		s.Must(err)
		s.setState("alice", refused, "closed")
		path = requests.Path(s.Cluster, policy, name)
		second := s.open("alice", "second-"+policy, map[string]string{path: strings.Replace(content,
			"policy: payments-debug", "policy: "+policy, 1)})
		_, err = s.Review("bob", second, "APPROVE")
		s.Must(err)
		a := s.agent(githubOnly)
		s.BeforeReceive(func() {
			_, err := s.Merge("root", second)
			s.Must(err)
		})
		s.Must(a.Once(t.Context()))
		s.wantPull(second, "merged")
		if s.entered(name) || strings.Contains(s.said(refused), "ledger") {
			t.Errorf("under %s: entered %v; #%d says\n%s", policy, s.entered(name), refused, s.said(refused))
		}
		s.Must(a.Once(t.Context()))
		s.granted(name)
		s.pushFiles("root", "Take it away", removed(path))
		s.outlast(a)
		s.Must(a.Once(t.Context()))
	}
}
