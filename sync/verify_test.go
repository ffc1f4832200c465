package sync

import (
	"os/exec"
	"path/filepath"
	"strings"
	gosync "sync"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
	"github.com/pullgrant/pullgrant/sync/ledger"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

// verified is a stage with one grant that was asked for, approved, given, expired and recorded at
// path.
func verified(t *testing.T) (s *stage, signers *git.AllowedSigners,
	signer *git.Signer, path string) {
	t.Helper()
	signer = newSigner(t)
	s = newStage(t)
	name, request, content := s.requestFile("verify")
	s.pull("verify", true, map[string]string{request: content})
	s.once(options{github: true, signer: signer})
	s.SetClock(noon.Add(time.Hour))
	s.once(options{github: true, signer: signer})
	s.over(name, requests.CauseExpired, "")
	return s, signersOf(t, signer.AllowedSigner(s.Cluster)), signer,
		requests.RevocationPath(s.Cluster, name)
}

func (s *stage) clone() string {
	s.Helper()
	dir := filepath.Join(s.TempDir(), "access")
	if out, err := exec.Command(
		"git", "clone", "-q", s.GitDir(), dir).CombinedOutput(); err != nil {
		s.Fatalf("%v: %s", err, out)
	}
	return dir
}

// beside is policies.Each of all at once.
func beside(n int, do func(int)) {
	var all gosync.WaitGroup
	for i := range n {
		all.Go(func() { do(i) })
	}
	all.Wait()
}

// rules verifies a fresh clone, and gives the rule of each finding by path.
func (s *stage) rules(signers *git.AllowedSigners, now time.Time) string {
	s.Helper()
	_, findings, err := ledger.Verify(s.Context(), s.clone(), signers,
		s.agent(options{github: true}).github, now, beside)
	if err != nil {
		s.Fatal(err)
	}
	var rules []string
	for _, f := range findings {
		rules = append(rules, f.Rule)
	}
	return strings.Join(rules, " ")
}

func TestVerify(t *testing.T) {
	s, signers, signer, path := verified(t)
	now := noon.Add(2 * time.Hour)
	if rules := s.rules(signers, now); rules != "" {
		t.Errorf("a sound ledger: %s", rules)
	}
	stored := s.git("show", "main:"+path) + "\n"
	other := newSigner(t)
	if rules := s.rules(signersOf(t, other.AllowedSigner(s.Cluster)), now); rules != "granted-unsigned unsigned" {
		t.Errorf("signed by nobody that counts: %s", rules)
	}
	// Entries that the agent's own key signed and that tell something else than git and GitHub do.
	repository := s.agent(options{signer: signer}).branch.repository
	for _, c := range []struct{ old, new, want string }{
		{"reviewID: ", "reviewID: 9", "approvals-differ no-approval"},
		{"requester: alice", "requester: carol", "request-differs"},
		{"policy: payments-debug", "policy: payments-other", "request-differs"},
		{"grantedAt: \"2026-11-23T12:00:00Z\"",
			"grantedAt: \"2026-11-23T11:00:00Z\"", "granted-differs window window"},
		{"revokedAt: \"2026-11-23T13:00:00Z\"", "revokedAt: \"2026-11-23T13:02:00Z\"", "late"},
		{"evidence: github", "evidence: branch", "branch-trusted"},
		{"mergeCommit: ", "mergeCommit: 0000000000000000000000000000000000000000 #",
			"granted-differs no-merge not-merged"},
		{"headSHA: ", "headSHA: 0000000000000000000000000000000000000000 #",
			"evidence-differs not-merged"},
	} {
		changed := strings.Replace(stored, c.old, c.new, 1)
		if changed == stored {
			t.Fatalf("the entry has no %q:\n%s", c.old, stored)
		}
		s.rewrite(repository, signer, path, changed)
		if rules := s.rules(signers, now); rules != c.want {
			t.Errorf("%q: findings %q, want %q", c.new, rules, c.want)
		}
	}
	s.rewrite(repository, signer, path, stored)
	if rules := s.rules(signers, now); rules != "" {
		t.Errorf("the entry as it was: %s", rules)
	}
}

func (s *stage) rewrite(repository *git.Repository, signer *git.Signer, path, content string) {
	s.Helper()
	_, err := repository.Fetch(s.Context())
	s.Must(err)
	_, err = repository.Commit(s.Context(), func(string) (git.Change, error) {
		person := git.Person{Name: "pullgrant", Email: "pullgrant@example.com"}
		return git.Change{Put: map[string][]byte{path: []byte(content)}, Message: "Rewrite",
			Author: person, Committer: person, When: noon, Sign: signer}, nil
	})
	s.Must(err)
}

// TestVerifyNamesWhatNeverEnded: no agent took the request up, and its time is over.
func TestVerifyNamesWhatNeverEnded(t *testing.T) {
	s := newStage(t)
	signer := newSigner(t)
	_, path, content := s.requestFile("forgotten")
	at := &forge.Identity{Name: "alice", Email: "101+alice@users.noreply.github.com", When: noon}
	_, err := s.Push(forge.Change{User: "alice", Message: "Ask",
		Files: map[string]string{path: content}, Author: at, Committer: at})
	s.Must(err)
	signers := signersOf(t, signer.AllowedSigner(s.Cluster))
	for after, want := range map[time.Duration]string{time.Hour: "",
		24 * time.Hour: "no-revocation"} {
		if rules := s.rules(signers, noon.Add(after)); rules != want {
			t.Errorf("after %s: findings %q, want %q", after, rules, want)
		}
	}
}

// TestVerifyWaitsForAWindow: a request that is to begin later, or ends at a time of its own, is
// missed once that is over, and not before.
func TestVerifyWaitsForAWindow(t *testing.T) {
	for slug, spec := range map[string]string{
		"later": "  notBefore: 2026-11-24T10:00:00Z\n  duration: 2h\n",
		"until": "  until: 2026-11-24T12:00:00Z\n",
	} {
		t.Run(slug, func(t *testing.T) {
			s := newStage(t)
			_, path, content := s.requestFile(slug)
			at := &forge.Identity{Name: "alice", Email: "101+alice@users.noreply.github.com",
				When: noon}
			_, err := s.Push(forge.Change{User: "alice", Message: "Ask",
				Files: map[string]string{path: content + spec}, Author: at, Committer: at})
			s.Must(err)
			signers := signersOf(t, newSigner(t).AllowedSigner(s.Cluster))
			for after, want := range map[time.Duration]string{24 * time.Hour: "",
				24*time.Hour + 2*time.Minute: "no-revocation"} {
				if rules := s.rules(signers, noon.Add(after)); rules != want {
					t.Errorf("after %s: findings %q, want %q", after, rules, want)
				}
			}
		})
	}
}

// TestVerifyScheduled: a grant that began later is judged again by its facts, and gives the same
// window.
func TestVerifyScheduled(t *testing.T) {
	s := newStage(t)
	signer := newSigner(t)
	start := noon.Add(time.Hour)
	_, path, content := s.requestFile("later")
	s.pull("later", true, map[string]string{path: content + "  notBefore: 2026-11-23T13:00:00Z\n" +
		"  until: 2026-11-23T14:30:30Z\n"})
	for _, at := range []time.Time{noon, start, noon.Add(150*time.Minute + 30*time.Second)} {
		s.SetClock(at)
		s.once(options{github: true, signer: signer})
	}
	signers := signersOf(t, signer.AllowedSigner(s.Cluster))
	entry := requests.RevocationPath(s.Cluster, nameOf(path))
	if rules := s.rules(signers, noon.Add(4*time.Hour)); rules != "" {
		t.Errorf("a sound ledger: %s", rules)
	}
	stored := s.git("show", "main:"+entry) + "\n"
	repository := s.agent(options{signer: signer}).branch.repository
	for _, c := range []struct{ old, new string }{
		{"grantedAt: \"2026-11-23T13:00:00Z\"", "grantedAt: \"2026-11-23T12:59:59Z\""},
		{"expiresAt: \"2026-11-23T14:30:30Z\"", "expiresAt: \"2026-11-23T14:30:31Z\""},
	} {
		s.rewrite(repository, signer, entry, strings.Replace(stored, c.old, c.new, 1))
		if rules := s.rules(signers, noon.Add(4*time.Hour)); !strings.Contains(rules,
			"window window") {
			t.Errorf("%q: findings %q", c.new, rules)
		}
	}
}
