package sync

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/plan"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

// TestGrantToLedger is the whole way with proof through GitHub.
func TestGrantToLedger(t *testing.T) {
	s := newStage(t)
	name, path, content := s.requestFile("way")
	number := s.pull("way", true, map[string]string{path: content})
	merged := s.Branch("main")
	s.SetClock(noon.Add(10 * time.Second))
	s.allowed(false)
	s.once(options{github: true})
	s.allowed(true)
	b := s.Bindings()
	if len(b) != 1 || b[0].Annotations["pullgrant.dev/expires-at"] != "2026-11-23T13:00:00Z" ||
		b[0].Annotations["pullgrant.dev/commit"] != merged {
		t.Fatalf("bindings: %+v", b)
	}
	s.SetClock(noon.Add(time.Hour - time.Second))
	s.once(options{github: true})
	s.allowed(true)
	s.SetClock(noon.Add(time.Hour))
	s.once(options{github: true})
	r := s.over(name, requests.CauseExpired, "")
	status := r.Status
	if status.PullRequest != number || status.MergeCommit != merged || len(status.Approvers) != 1 ||
		status.Approvers[0].Login != "bob" ||
		status.GrantedAt.String() != "2026-11-23T12:00:00Z" ||
		status.ExpiresAt.String() != "2026-11-23T13:00:00Z" ||
		status.RevokedAt.String() != "2026-11-23T13:00:00Z" ||
		status.State != requests.StateExpired ||
		len(status.GrantRefs) != 2 || status.GrantRefs[0].UID != string(
		b[0].OwnerReferences[0].UID) || status.GrantRefs[1].UID != string(b[0].UID) ||
		r.Spec == nil || r.Spec.Reason != "INC-123, checkout is slow" {
		t.Errorf("the entry: %+v", r)
	}
	message := s.git("log", "-1", "--format=%B", "main")
	want := "Revoke " + name +
		": Expired\n\n@alice asked under policy payments-debug in #1, approved by @bob; " +
		"granted from 2026-11-23T12:00:00Z to 2026-11-23T13:00:00Z, ended at " +
		"2026-11-23T13:00:00Z.\n\n" +
		"Pullgrant-Event: revoked\nPullgrant-Cause: Expired\nPullgrant-Request: " + path +
		"\nPullgrant-Pull-Request: 1\n" +
		"Pullgrant-Merge-Commit: " + merged +
		"\nPullgrant-Granted-At: 2026-11-23T12:00:00Z\nPullgrant-Expires-At: 2026-11-23T13:00:00Z\n" +
		"Pullgrant-Revoked-At: 2026-11-23T13:00:00Z\nApproved-by: bob (102)"
	if message != want {
		t.Errorf("message\n%s\nwant\n%s", message, want)
	}
	if trailers := s.git("log", "-1", "--format=%(trailers:key=Approved-by,valueonly)",
		"main"); trailers != "bob (102)" {
		t.Errorf("git reads the trailer %q", trailers)
	}
	before := s.Branch("main")
	s.once(options{github: true})
	if s.Branch("main") != before {
		t.Error("a pass with nothing to do made a commit")
	}
}

// TestCommitDatesProveNothing: the window follows from GitHub's merge, whatever the commits are
// dated (R49).
func TestCommitDatesProveNothing(t *testing.T) {
	s := newStage(t)
	_, path, content := s.requestFile("dated")
	alice := &forge.Identity{Name: "alice", Email: "101+alice@users.noreply.github.com",
		When: noon.AddDate(50, 0, 0)}
	_, err := s.Push(forge.Change{User: "alice", Branch: "b", Message: "Ask",
		Files: map[string]string{path: content}, Author: alice, Committer: alice})
	s.Must(err)
	number, err := s.Open("alice", "b", "Ask")
	s.Must(err)
	_, err = s.Review("bob", number, "APPROVE")
	s.Must(err)
	_, err = s.Merge("root", number)
	s.Must(err)
	s.once(options{github: true})
	if b := s.Bindings(); len(b) != 1 ||
		b[0].Annotations["pullgrant.dev/expires-at"] != "2026-11-23T13:00:00Z" {
		t.Errorf("bindings: %+v", b)
	}
}

func TestRefused(t *testing.T) {
	for slug, test := range map[string]struct {
		do   func(s *stage, path, content string)
		code string
	}{
		"unapproved": {func(s *stage, path, content string) {
			s.pull("b", false,
				map[string]string{path: content})
		}, "InsufficientApprovals"},
		"pushed": {func(s *stage, path, content string) {
			s.pushFiles("alice", "Ask",
				map[string]string{path: content})
		}, "NoPullRequest"},
		"malformed": {func(s *stage, path, content string) {
			s.pull("b", true, map[string]string{path: content + "\tduration: 1h\n"})
		}, "FileRejected"},
		// A merge made by hand that brings more than was approved (R44).
		"smuggled": {func(s *stage, path, content string) {
			head, err := s.Push(forge.Change{User: "alice", Branch: "b", Message: "Ask",
				Files: map[string]string{path: content}})
			s.Must(err)
			number, err := s.Open("alice", "b", "Ask")
			s.Must(err)
			_, err = s.Review("bob", number, "APPROVE")
			s.Must(err)
			_, err = s.Push(forge.Change{User: "root", Message: "Merge", Parents: []string{head},
				Files: map[string]string{path: content, "more": "1"}})
			s.Must(err)
		}, "BlobMismatch"},
	} {
		t.Run(slug, func(t *testing.T) {
			s := newStage(t)
			name, path, content := s.requestFile(slug)
			test.do(s, path, content)
			if test.code == "NoPullRequest" {
				s.outlast(s.agent(githubOnly))
			}
			s.once(options{github: true})
			r := s.over(name, requests.CauseDenied, test.code)
			if r.Status.GrantedAt != nil || len(r.Status.GrantRefs) != 0 ||
				(r.Spec == nil) != (slug == "malformed") {
				t.Errorf("the entry: %+v", r)
			}
			// Put back after the refusal: the name is used, the file goes, the entry stays the only
			// one (G4).
			s.pull("again", true, map[string]string{path: content})
			s.once(options{github: true})
			s.over(name, requests.CauseDenied, test.code)
		})
	}
}

func TestRevertOfTheRevocationGrantsNothing(t *testing.T) {
	s := newStage(t)
	name := s.ask("revert")
	s.once(options{})
	s.allowed(true)
	before := s.Branch("main")
	s.SetClock(noon.Add(time.Hour))
	s.once(options{})
	if r := s.over(name, requests.CauseExpired, ""); r.Status.Evidence != requests.EvidenceBranch {
		t.Errorf("evidence %s", r.Status.Evidence)
	}
	if body := s.git("log", "-1", "--format=%b", "main"); !strings.Contains(body,
		"approved by nobody as far as is known, for the branch was trusted") {
		t.Errorf("the commit does not say what it rests on:\n%s", body)
	}
	_, path, content := s.requestFile("revert")
	s.pushFiles("root", "Put it back", map[string]string{path: content})
	s.once(options{})
	s.over(name, requests.CauseExpired, "")
	if subject := s.git("log", "-1", "--format=%s", "main"); subject != "Discard "+path+
		": the name is used" {
		t.Errorf("the last commit is %q", subject)
	}
	// Main set back to before the revocation: history was rewritten, and nothing is granted.
	s.Must(s.SetBranch("root", "main", before))
	err := s.agent(options{}).Once(t.Context())
	if err == nil || !strings.Contains(err.Error(),
		"kubectl -n pullgrant-system annotate --overwrite lease pullgrant-agent "+
			"pullgrant.dev/head=COMMIT") {
		t.Errorf("error: %v", err)
	}
	if len(s.Bindings()) != 0 {
		t.Error("granted on a branch that was rewritten")
	}
}

// TestNameUsedInAnotherCluster: the request goes, and no entry of this cluster is made for what it
// never saw.
func TestNameUsedInAnotherCluster(t *testing.T) {
	s := newStage(t)
	name, path, content := s.requestFile("elsewhere")
	s.pushFiles("alice", "Ask",
		map[string]string{path: content, requests.RevocationPath("prod-other", name): "used\n"})
	s.once(options{})
	if len(s.Bindings()) != 0 {
		t.Errorf("granted: %v", s.Bindings())
	}
	if files := s.git("diff", "--name-only", "main~1", "main"); files != path {
		t.Errorf("the agent changed %s", files)
	}
	if trailers := s.git("log", "-1", "--format=%(trailers:only)", "main"); trailers !=
		"Pullgrant-Event: revoked\nPullgrant-Cause: Denied\nPullgrant-Request: "+path {
		t.Errorf("trailers %s", trailers)
	}
}

// TestGitMustAgreeWithGitHub: the merge that GitHub names must be the commit that git says brought
// the file.
func TestGitMustAgreeWithGitHub(t *testing.T) {
	s := newStage(t)
	_, path, content := s.requestFile("agree")
	s.pull("b", true, map[string]string{path: content})
	agent := s.agent(options{github: true})
	main, err := agent.branch.fetch(t.Context())
	s.Must(err)
	s.Must(agent.prover.follow(t.Context(), main.Tip, false))
	parents := []string{s.git("rev-parse", "main^1")}
	var proof plan.Proof
	for hash, code := range map[string]policies.Code{main.Tip: "",
		s.git("rev-parse", "main^2"): policies.NoPullRequest} {
		d := agent.prover.judgeMerged(t.Context(), main.Tip, path, main.Requests[path],
			git.Commit{Hash: hash, Parents: parents, Changes: []git.PathChange{{Path: path}}},
			&proof)
		if d.Code != code {
			t.Errorf("file added by %s: %s %s, want %q", hash, d.Code, d.Message, code)
		}
	}
}

// TestDeleteIsOfOneUID: a binding made anew under the name is another one.
func TestDeleteIsOfOneUID(t *testing.T) {
	s := newStage(t)
	c := s.agent(options{}).cluster
	b := s.Foreign("pullgrant-uid")
	for _, test := range []struct {
		uid     string
		deleted bool
	}{{"11111111-2222-3333-4444-555555555555", false}, {string(b.UID), true},
		{string(b.UID), false}} {
		deleted, err := c.Delete(t.Context(), plan.Live{Kind: "RoleBinding", Namespace: s.Namespace,
			Name: b.Name, UID: test.uid})
		if err != nil || deleted != test.deleted {
			t.Errorf("%s: deleted %t, error %v; want %t", test.uid, deleted, err, test.deleted)
		}
	}
}

func TestRewrittenMainStillExpires(t *testing.T) {
	s := newStage(t)
	s.ask("one")
	running := s.agent(options{})
	s.Must(running.Once(t.Context()))
	s.allowed(true)
	root := s.git("rev-list", "--max-parents=0", "main")
	s.Must(s.SetBranch("root", "main", root))
	s.ask("two")
	for name, agent := range map[string]*Agent{"running": running, "cold": s.agent(options{})} {
		if err := agent.Once(t.Context()); err == nil || !strings.Contains(err.Error(),
			"nothing is granted or recorded") {
			t.Errorf("%s agent: %v", name, err)
		}
	}
	if len(s.Bindings()) != 1 {
		t.Errorf("bindings: %v", s.Bindings())
	}
	s.SetClock(noon.Add(time.Hour))
	if err := running.Once(t.Context()); err == nil {
		t.Error("no error on a rewritten branch")
	}
	s.allowed(false)
	// A person looked and accepts the branch as it is.
	s.SetClock(noon.Add(time.Hour + time.Minute))
	s.Must(running.cluster.Note(t.Context(), kube.AnnotationHead, s.Branch("main")))
	s.Must(running.Once(t.Context()))
	name, _, _ := s.requestFile("one")
	s.over(name, requests.CauseExpired, "")
}

func TestWithdrawnByTheRequester(t *testing.T) {
	for slug, relinquished := range map[string]bool{"gave-back": true, "taken": false} {
		t.Run(slug, func(t *testing.T) {
			s := newStage(t)
			name, path, content := s.requestFile(slug)
			s.pull("b", true, map[string]string{path: content})
			agent := s.agent(options{github: true})
			s.Must(agent.Once(t.Context()))
			s.allowed(true)
			s.SetClock(noon.Add(5 * time.Minute))
			cause, number := requests.CauseRevoked, 0
			if relinquished {
				cause = requests.CauseRelinquished
				number = s.pull("drop", false, map[string]string{path: "\x00removed"})
			} else {
				s.pushFiles("root", "Take it", map[string]string{path: "\x00removed"})
			}
			// GitHub cannot say who it was: access ends at once all the same, the entry waits.
			s.Fail("GET", "/repos/acme/access/commits", -1, 403,
				`{"message":"Resource not accessible by integration"}`)
			s.Must(agent.Once(t.Context()))
			s.allowed(false)
			if len(s.Records()) != 1 {
				t.Errorf("records: %v", s.Records())
			}
			s.Heal()
			s.SetClock(noon.Add(6 * time.Minute))
			if !relinquished { // nobody is not taken for an answer at once: GitHub may be late
				s.once(options{github: true})
				s.SetClock(noon.Add(15 * time.Minute))
				s.once(options{github: true})
				if len(s.Records()) != 1 {
					t.Errorf("records: %v", s.Records())
				}
				s.SetClock(noon.Add(16 * time.Minute))
			}
			s.once(options{github: true})
			r := s.over(name, cause, "")
			if at := r.Status.RevokedAt.String(); at != "2026-11-23T12:05:00Z" {
				t.Errorf("revoked at %s", at)
			}
			if relinquished {
				s.endedBy(r, "alice", number)
			} else if by := r.Status.EndedBy; by != nil {
				t.Errorf("ended by %v, though nobody knows", by)
			}
		})
	}
}

func TestDryRunChangesNothing(t *testing.T) {
	s := newStage(t)
	name := s.ask("dry")
	tip := s.Branch("main")
	steps, err := s.agent(options{}).DryRun(t.Context())
	s.Must(err)
	if len(steps) != 1 || steps[0].String() != "grant "+name+
		" to alice@example.com until 2026-11-23T13:00:00Z, payments-debug in "+s.Namespace {
		t.Errorf("steps: %v", steps)
	}
	if _, err := s.Admin.CoordinationV1().Leases(kube.Namespace).Get(
		t.Context(), kube.LeaseName, metav1.GetOptions{}); err == nil ||
		len(s.Bindings())+len(s.Records()) > 0 || s.Branch("main") != tip {
		t.Error("a dry run changed something")
	}
}
