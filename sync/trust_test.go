package sync

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

const (
	ownersPath   = ".github/CODEOWNERS"
	policyPath   = "policies/payments-debug.yaml"
	identityPath = "policies/identities.yaml"
)

var githubOnly = options{github: true}

// read is a file as it stands on main.
func (s *stage) read(path string) string {
	s.Helper()
	return s.git("show", "main:"+path) + "\n"
}

// edited is a file of main with something replaced, as a change to push.
func (s *stage) edited(path, old, new string) map[string]string {
	s.Helper()
	before := s.read(path)
	after := strings.Replace(before, old, new, 1)
	if after == before {
		s.Fatalf("%s does not hold %q", path, old)
	}
	return map[string]string{path: after}
}

func (s *stage) longer(hours int) map[string]string {
	s.Helper()
	before := s.read(policyPath)
	from := strings.Index(before, "maxDuration: ")
	return s.edited(policyPath, before[from:from+len("maxDuration: 2h")], fmt.Sprintf("maxDuration: %dh", hours))
}

// change opens a pull request of alice's, has it approved unless by is empty, merges it, and lets a minute pass, so that
// approvals of requests come after it (R56).
func (s *stage) change(branch, by string, files map[string]string) (number int) {
	s.Helper()
	_, err := s.Push(forge.Change{User: "alice", Branch: branch, Message: "Change", Files: files})
	s.must(err)
	number, err = s.Open("alice", branch, "Change")
	s.must(err)
	if by != "" {
		_, err = s.Review(by, number, "APPROVE")
		s.must(err)
	}
	_, err = s.Merge("root", number)
	s.must(err)
	s.pause()
	return number
}

func (s *stage) pause() { s.setClock(s.clock().Add(time.Minute)) }

// request merges an approved request of alice's.
func (s *stage) request(slug string) (name string) {
	s.Helper()
	name, path, content := s.requestFile(slug)
	s.pull(slug, true, map[string]string{path: content})
	return name
}

// refused is what must be true of a request that was refused, while others may live.
func (s *stage) refused(name, code string) {
	s.Helper()
	if r := s.entry(name); r.Status.Cause != requests.CauseDenied || r.Status.Code != code || r.Status.GrantedAt != nil {
		s.Errorf("the entry of %s says %s %s, want %s", name, r.Status.Cause, r.Status.Code, code)
	}
}

// granted tells whether a request has its binding.
func (s *stage) granted(name string) {
	s.Helper()
	for _, b := range s.bindings() {
		if b.Name == requests.ObjectName(name, 0) {
			return
		}
	}
	s.Errorf("%s is not granted; main: %s", name, s.git("log", "-3", "--format=%s", "main"))
}

func TestApprovedChangeOfPolicyGrants(t *testing.T) {
	s := newStage(t)
	s.change("policy", "root", map[string]string{
		"policies/payments-late.yaml": strings.Replace(s.read(policyPath), "name: payments-debug}", "name: payments-late}", 1)})
	s.change("owners", "root", s.edited(ownersPath, "* @root\n", "* @root\n/README.md @alice\n"))
	name, _, content := s.requestFile("after")
	s.pull("after", true, map[string]string{
		requests.Path(s.cluster, "payments-late", name): strings.Replace(content, "policy: payments-debug", "policy: payments-late", 1)})
	s.once(githubOnly)
	s.granted(name)
	if n := strings.Count(s.log.String(), "a change of policies is proven"); n != 2 {
		t.Errorf("%d changes proven", n)
	}
}

// TestPolicyPushedDirectly: who can push can write any policy, so nothing is granted under it, and what is live stays.
func TestPolicyPushedDirectly(t *testing.T) {
	s := newStage(t)
	live := s.request("live")
	agent := s.agent(githubOnly)
	s.must(agent.Once(t.Context()))
	s.granted(live)
	s.pause()
	s.pushFiles("root", "Longer", s.longer(4))
	s.pause()
	one, two := s.request("one"), s.request("two")
	s.must(agent.Once(t.Context()))
	s.refused(one, "PolicyUnproven")
	s.refused(two, "PolicyUnproven")
	s.granted(live)
	if !strings.Contains(s.log.String(), "it was pushed without a pull request") {
		t.Error("the log does not tell why")
	}
	s.setClock(noon.Add(time.Hour))
	s.must(agent.Once(t.Context()))
	s.over(live, requests.CauseExpired, "")
}

// TestOwnersChangedByAdmin: an administrator's merge without approval proves nothing (R47); those who owned the file
// before can put it right.
func TestOwnersChangedByAdmin(t *testing.T) {
	s := newStage(t)
	s.change("takeover", "", s.edited(ownersPath, "* @root", "* @alice"))
	one := s.request("one")
	s.once(githubOnly)
	s.refused(one, "PolicyUnproven")
	s.pause()
	s.change("repair", "root", s.edited(ownersPath, "* @alice", "* @root"))
	two := s.request("two")
	s.once(githubOnly)
	s.granted(two)
}

// TestOwnersOfTheirOwnMaking: whoever pushes CODEOWNERS and is an owner by it approves no policy by that.
func TestOwnersOfTheirOwnMaking(t *testing.T) {
	s := newStage(t)
	s.pushFiles("bob", "Own everything", s.edited(ownersPath, "* @root", "* @bob"))
	s.pause()
	s.change("policy", "bob", s.longer(4))
	one := s.request("one")
	s.once(githubOnly)
	s.refused(one, "PolicyUnproven")
	s.pause()
	s.change("repair", "root", s.edited(ownersPath, "* @bob", "* @root")) // CODEOWNERS is right again, the policy is not
	two := s.request("two")
	s.once(githubOnly)
	s.refused(two, "PolicyUnproven")
	s.pause()
	s.change("again", "root", s.longer(3))
	three := s.request("three")
	s.once(githubOnly)
	s.granted(three)
}

func TestIdentitiesPushedDirectly(t *testing.T) {
	s := newStage(t)
	s.pushFiles("bob", "Be alice", s.edited(identityPath, "username: bob@", "username: robert@"))
	s.pause()
	name := s.request("one")
	s.once(githubOnly)
	s.refused(name, "PolicyUnproven")
}

// TestOldPolicyPutBack: a content that was proven once is not proven when it comes back without a pull request.
func TestOldPolicyPutBack(t *testing.T) {
	s := newStage(t)
	old := map[string]string{policyPath: s.read(policyPath)}
	s.change("policy", "root", s.longer(1))
	s.once(githubOnly)
	s.pushFiles("bob", "As before", old)
	s.pause()
	name := s.request("one")
	s.once(githubOnly)
	s.refused(name, "PolicyUnproven")
}

// TestUnprovenAtTheMerge: that the policy was put right later does not help a request that was merged before.
func TestUnprovenAtTheMerge(t *testing.T) {
	s := newStage(t)
	s.pushFiles("bob", "Longer", s.longer(4))
	s.pause()
	name := s.request("one")
	s.pause()
	s.change("right", "root", s.longer(2))
	s.once(githubOnly)
	s.refused(name, "PolicyUnproven")
}

// TestUnprovenNow: a policy that was proven when the request was merged, and is not now.
func TestUnprovenNow(t *testing.T) {
	s := newStage(t)
	name := s.request("one")
	s.pause()
	s.pushFiles("bob", "Longer", s.longer(4))
	s.once(githubOnly)
	s.refused(name, "PolicyUnproven")
}

func TestTrustRoot(t *testing.T) {
	s := newStage(t)
	first := s.Branch("main")
	s.pushFiles("root", "Longer", s.longer(4))
	root := s.Branch("main")
	s.pause()
	one := s.request("one")
	s.must(s.agent(options{github: true, root: root}).Once(t.Context()))
	s.granted(one)
	// Back to the first commit: what was given is so no more.
	s.pause()
	two := s.request("two")
	s.must(s.agent(options{github: true, root: first}).Once(t.Context()))
	s.refused(two, "PolicyUnproven")
	s.granted(one)
	// A commit beside the branch's first-parent line is no root.
	s.pause()
	three := s.request("three")
	err := s.agent(options{github: true, root: s.git("rev-parse", "main^2")}).Once(t.Context())
	if err == nil || !strings.Contains(err.Error(), "of --trust-root is not on the branch's first-parent line") {
		t.Errorf("error: %v", err)
	}
	if slices.ContainsFunc(s.bindings(), func(b rbacv1.RoleBinding) bool { return b.Name == requests.ObjectName(three, 0) }) {
		t.Error("granted without a root")
	}
}

// TestRestartRemembersProofs: who approved a policy may lose their rights later; a restart asks nothing again.
func TestRestartRemembersProofs(t *testing.T) {
	s := newStage(t)
	s.AddUser("carol", 105, "carol@example.com")
	s.SetPermission("carol", "write")
	s.AddTeam("platform", 201, "", "carol")
	s.SetTeamPermission("platform", "write")
	s.change("owners", "root", s.edited(ownersPath, "* @root\n", "* @root\n/policies/ @acme/platform\n"))
	number := s.change("policy", "carol", s.longer(3))
	s.once(githubOnly)
	s.SetTeamMember("platform", "carol", "")
	one, asked := s.request("one"), len(s.Requests())
	s.once(githubOnly)
	s.granted(one)
	for _, r := range s.Requests()[asked:] {
		if strings.HasSuffix(r.Path, fmt.Sprintf("/pulls/%d", number)) {
			t.Errorf("asked again: %s %s", r.Method, r.Path)
		}
	}
	// Without its memory it finds out that carol may not approve, now.
	s.must(s.admin.CoreV1().ConfigMaps(Namespace).Delete(t.Context(), trustName, metav1.DeleteOptions{}))
	s.pause()
	two := s.request("two")
	s.once(githubOnly)
	s.refused(two, "PolicyUnproven")
}

// TestProofNotToBeHad: what GitHub does not say is neither proven nor refused; it is tried again.
func TestProofNotToBeHad(t *testing.T) {
	s := newStage(t)
	number := s.change("policy", "root", s.longer(3))
	name := s.request("one")
	s.Fail("GET", fmt.Sprintf("/repos/acme/access/pulls/%d/reviews", number), -1, 403, `{"message":"Resource not accessible by integration"}`)
	agent := s.agent(githubOnly)
	if err := agent.Once(t.Context()); err == nil || !strings.Contains(err.Error(), "who approved the policies is not known") {
		t.Errorf("error: %v", err)
	}
	if len(s.bindings()) != 0 {
		t.Errorf("granted: %v", s.bindings())
	}
	s.Heal()
	if err := agent.Once(t.Context()); err == nil || !strings.Contains(err.Error(), "it is tried again at 2026-11-23T12:01:05Z") {
		t.Errorf("error: %v", err)
	}
	s.pause()
	s.must(agent.Once(t.Context()))
	s.granted(name)
}

// TestBranchEvidenceProvesNothing: there is nobody to ask.
func TestBranchEvidenceProvesNothing(t *testing.T) {
	s := newStage(t)
	s.pushFiles("root", "Longer", s.longer(4))
	name := s.ask("one")
	s.once(options{})
	s.granted(name)
	if _, err := s.admin.CoreV1().ConfigMaps(Namespace).Get(t.Context(), trustName, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("ConfigMap: %v", err)
	}
}

// TestTrustIsBounded: however often a file changes, few versions are kept, the one proven last among them.
func TestTrustIsBounded(t *testing.T) {
	known := trust{root: "r", files: map[string][]version{ownersPath: {{Commit: "r", Mode: "100644", Blob: "given"}}}}
	for n := range 20 {
		known.add(ownersPath, version{Commit: fmt.Sprint(n), Mode: "100644", Blob: fmt.Sprint("b", n), Code: policies.NoPullRequest, Problem: "pushed"})
	}
	if all := known.files[ownersPath]; len(all) != maxVersions || all[0].Commit != "19" || all[maxVersions-1].Commit != "r" {
		t.Errorf("kept: %+v", all)
	}
	if file := known.instead()[ownersPath]; file.Blob != "given" {
		t.Errorf("instead of what is not proven: %+v", file)
	}
	known.add(ownersPath, version{Commit: "20", Mode: "100644", Blob: "b20"})
	if len(known.instead()) != 0 {
		t.Error("a proven file is replaced")
	}
	known.add(policyPath, version{Commit: "21", Mode: "100644", Blob: "b21"})
	known.add(policyPath, version{Commit: "22"})
	if _, kept := known.files[policyPath]; kept {
		t.Error("a policy that was taken away is kept")
	}
}

// TestTrustDoubts: what is not there any more has a last change too, and GitHub's files must be those of git.
func TestTrustDoubts(t *testing.T) {
	const request = "requests/prod/payments-debug/20261123-alice-a.yaml"
	removed := version{Commit: "c2", Code: policies.NoPullRequest, Problem: "pushed"}
	given := version{Commit: "c0", Mode: "100644", Blob: "b"}
	file := policies.TreeFile{Mode: "100644", Blob: "b"}
	for name, test := range map[string]struct {
		files map[string][]version
		tree  map[string]policies.TreeFile
		later map[string]bool
		code  policies.Code
	}{
		"proven":                  {map[string][]version{ownersPath: {given}}, map[string]policies.TreeFile{ownersPath: file}, nil, ""},
		"removed directly":        {map[string][]version{ownersPath: {removed, given}}, nil, nil, policies.PolicyUnproven},
		"before the removal":      {map[string][]version{ownersPath: {removed, given}}, map[string]policies.TreeFile{ownersPath: file}, map[string]bool{"c2": true}, ""},
		"after the root only":     {map[string][]version{ownersPath: {removed, given}}, nil, map[string]bool{"c0": true, "c2": true}, ""},
		"another blob":            {map[string][]version{ownersPath: {given}}, map[string]policies.TreeFile{ownersPath: {Mode: "100644", Blob: "x"}}, nil, policies.EvaluationError},
		"another mode":            {map[string][]version{ownersPath: {given}}, map[string]policies.TreeFile{ownersPath: {Mode: "120000", Blob: "b"}}, nil, policies.EvaluationError},
		"unknown to git":          {nil, map[string]policies.TreeFile{ownersPath: file}, nil, policies.EvaluationError},
		"missing on GitHub":       {map[string][]version{ownersPath: {given}}, nil, nil, policies.EvaluationError},
		"of no interest":          {map[string][]version{"policies/other.yaml": {removed}}, nil, nil, ""},
		"changed too often since": {map[string][]version{ownersPath: slices.Repeat([]version{removed}, maxVersions)}, nil, map[string]bool{"c2": true}, policies.EvaluationError},
	} {
		known := trust{root: "c0", files: test.files}
		if code, problem := known.doubt(policies.Wanted(policies.KindRequest, request), policies.Tree{Commit: "t", Files: test.tree}, test.later); code != test.code {
			t.Errorf("%s: %s %s, want %q", name, code, problem, test.code)
		}
	}
}

// TestEveryFileThatDecidesIsFollowed: what judges a request or a change is a file whose changes are proven.
func TestEveryFileThatDecidesIsFollowed(t *testing.T) {
	wanted := policies.Wanted(policies.KindRequest, "requests/prod/payments-debug/20261123-alice-a.yaml")
	for _, path := range []string{".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", identityPath, "policies/groups.yaml", policyPath, "catalog/prod/view.yaml"} {
		if !wanted(path) || !policies.IsTrustRoot(path) {
			t.Errorf("%s: wanted %t, followed %t", path, wanted(path), policies.IsTrustRoot(path))
		}
	}
	for _, path := range []string{"requests/a.yaml", "revocations/a.yaml", "README.md"} {
		if policies.IsTrustRoot(path) {
			t.Errorf("%s is followed", path)
		}
	}
}

// TestBranchRewritten: a branch that a person accepted after it was rewritten is followed from its root again.
func TestBranchRewritten(t *testing.T) {
	s := newStage(t)
	first := s.Branch("main")
	s.change("policy", "root", s.longer(3))
	s.once(githubOnly)
	s.must(s.SetBranch("root", "main", first))
	s.pushFiles("bob", "Other history", s.longer(4))
	s.pause()
	name := s.request("one")
	agent := s.agent(githubOnly)
	s.must(agent.cluster.setHead(t.Context(), s.Branch("main")))
	s.must(agent.Once(t.Context()))
	s.refused(name, "PolicyUnproven")
}

// TestLongHistory: a root far back is found, commit by commit of the first-parent line.
func TestLongHistory(t *testing.T) {
	s := newStage(t)
	s.pushFiles("bob", "Longer", s.longer(4))
	for n := range 80 {
		s.pushFiles("bob", "More", map[string]string{"README.md": fmt.Sprint(n)})
	}
	s.pause()
	name := s.request("one")
	s.once(githubOnly)
	s.refused(name, "PolicyUnproven")
}

// TestBrokenTrust: state that somebody broke proves nothing.
func TestBrokenTrust(t *testing.T) {
	s := newStage(t)
	s.once(githubOnly)
	m, err := s.admin.CoreV1().ConfigMaps(Namespace).Get(t.Context(), trustName, metav1.GetOptions{})
	s.must(err)
	m.BinaryData["files"], err = packFiles(map[string][]version{policyPath: {}})
	s.must(err)
	_, err = s.admin.CoreV1().ConfigMaps(Namespace).Update(t.Context(), m, metav1.UpdateOptions{})
	s.must(err)
	s.request("one")
	if err := s.agent(githubOnly).Once(t.Context()); err == nil || !strings.Contains(err.Error(), "delete it to have everything proven again") {
		t.Errorf("error: %v", err)
	}
	if len(s.bindings()) != 0 {
		t.Error("granted")
	}
}
