package ledger

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
	"github.com/pullgrant/pullgrant/testdata/gitserver"
	"github.com/pullgrant/pullgrant/testdata/sshkey"
)

// newSigner makes a key for the ledger.
func newSigner(t *testing.T) *git.Signer {
	t.Helper()
	private, _ := sshkey.New(t)
	signer, err := git.ParseSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func signersOf(t *testing.T, file string) *git.AllowedSigners {
	t.Helper()
	signers, err := git.ParseAllowedSigners([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	return signers
}

func ledgerEntry(t *testing.T, cluster, name string) (path, content string) {
	t.Helper()
	at := requests.At(time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC))
	end := requests.At(at.Add(time.Hour))
	spec := requests.RequestSpec{Cluster: cluster, Policy: "payments-debug", Requester: "alice",
		Reason: "INC-123, checkout is slow"}
	data, err := requests.Revocation{APIVersion: requests.APIVersion,
		Kind:     requests.KindAccessRequest,
		Metadata: requests.Metadata{Name: name}, Spec: &spec,
		Status: requests.Status{State: requests.StateExpired, Cause: requests.CauseExpired,
			Path:     requests.Path(cluster, "payments-debug", name),
			Evidence: requests.EvidenceGitHub, GrantedAt: &at, ExpiresAt: &end,
			RevokedAt: end}}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return requests.RevocationPath(cluster, name), string(data)
}

// commitAs puts a file on the branch as an agent does, signed by a key.
func commitAs(t *testing.T, s *gitserver.Server, by *git.Signer, path, content string) {
	t.Helper()
	repository, err := git.NewRepository(s.URL, "main", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = repository.Commit(t.Context(), func(string) (git.Change, error) {
		agent := git.Person{Name: "pullgrant", Email: "agent@example.com"}
		return git.Change{Put: map[string][]byte{path: []byte(content)},
			Message: "Record what happened", Author: agent, Committer: agent,
			When: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC), Sign: by}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Work("pull", "-q", "origin", "main")
}

// TestHistory: an entry is the agent's by its signature, whoever it says wrote it (R50).
func TestHistory(t *testing.T) {
	const asked = "requests/prod-eu/payments-debug/20261122-alice-waits.yaml"
	signer := newSigner(t)
	other := newSigner(t)
	s := gitserver.New(t)
	s.Commit("start", "README.md", "hello")
	s.Commit("ask", asked, `apiVersion: pullgrant.dev/v1alpha1
kind: AccessRequest
metadata: {name: 20261122-alice-waits}
spec: {cluster: prod-eu, policy: payments-debug, requester: alice, reason: "INC-123, checkout is slow"}
`)
	for name, by := range map[string]*git.Signer{"20261122-alice-good": signer,
		"20261122-alice-changed": signer,
		"20261122-alice-other":   other, "20261122-alice-removed": signer} {
		path, content := ledgerEntry(t, "prod-eu", name)
		commitAs(t, s, by, path, content)
	}
	forgedPath, forged := ledgerEntry(t, "prod-eu", "20261122-alice-forged")
	s.Commit("forge", forgedPath, forged)
	changedPath, changed := ledgerEntry(t, "prod-eu", "20261122-alice-changed")
	s.Commit("rewrite the past", changedPath,
		strings.Replace(changed, "requester: alice", "requester: bob", 1))
	removedPath, _ := ledgerEntry(t, "prod-eu", "20261122-alice-removed")
	s.Work("rm", "-q", removedPath)
	remover := s.Commit("forget")
	// A signed commit on top of what others wrote does not vouch for it.
	path, content := ledgerEntry(t, "prod-eu", "20261122-alice-later")
	commitAs(t, s, signer, path, content)

	signers := signersOf(t, signer.AllowedSigner("prod-eu")+"\n"+
		other.AllowedSigner("prod-us")+"\n")
	accounts, findings, err := History(s.WorkDir, signers)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, a := range accounts {
		got[a.Name] = string(a.Proof) + ": " + a.Doubt
	}
	for name, want := range map[string]string{
		"20261122-alice-waits":   "none: ",
		"20261122-alice-good":    "signed: ",
		"20261122-alice-later":   "signed: ",
		"20261122-alice-forged":  "unproven: the commit has no signature",
		"20261122-alice-changed": "unproven: the commit has no signature",
		"20261122-alice-other":   "unproven: the commit is signed by SHA256:",
	} {
		if !strings.HasPrefix(got[name], want) {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
	if len(accounts) != 6 {
		t.Errorf("%d accounts, want 6", len(accounts))
	}
	rules := map[string]string{}
	for _, f := range findings {
		rules[f.File] = f.Rule + " " + f.Message
	}
	if len(rules) != 1 || !strings.HasPrefix(rules[removedPath], "ledger-removed commit "+remover) {
		t.Errorf("findings %q", rules)
	}

	unchecked, _, err := History(s.WorkDir, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range unchecked {
		if (a.Proof == requests.Unchecked) != (a.Status != nil) {
			t.Errorf("%s without signers: %s", a.Name, a.Proof)
		}
	}
}

func TestHistoryNeverReadsTheWorktree(t *testing.T) {
	s := gitserver.New(t)
	path, content := ledgerEntry(t, "prod-eu", "20261122-alice-good")
	s.Commit("start", path, content)
	s.Write(path, "changed")
	s.Write("docs/CON.yaml", "a name that stops a worktree of go-git")
	if err := os.Remove(filepath.Join(s.WorkDir, ".git", "index")); err != nil {
		t.Fatal(err)
	}
	accounts, findings, err := History(s.WorkDir, nil)
	if err != nil || len(findings) > 0 || len(accounts) != 1 {
		t.Fatalf("%v, %v, %v", accounts, findings, err)
	}
}

func TestHistoryOfAShallowCheckout(t *testing.T) {
	s := gitserver.New(t)
	path, content := ledgerEntry(t, "prod-eu", "20261122-alice-good")
	s.Commit("start", path, content)
	s.Commit("more", "README.md", "hello")
	shallow := filepath.Join(t.TempDir(), "shallow")
	s.Run(t.TempDir(), "clone", "-q", "--depth", "1", "file://"+s.Bare, shallow)
	if _, _, err := History(shallow, nil); err == nil || !strings.Contains(err.Error(),
		"git fetch --unshallow") {
		t.Fatalf("error %v, want one that says how to get the rest", err)
	}
}
