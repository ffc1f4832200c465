package sync

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
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
	return s.edited(policyPath, before[from:from+len("maxDuration: 2h")], fmt.Sprintf(
		"maxDuration: %dh", hours))
}

// change opens a pull request of alice's, has it approved unless by is empty, merges it, and lets a
// minute pass, so that approvals of requests come after it (R56).
func (s *stage) change(branch, by string, files map[string]string) (number int) {
	s.Helper()
	_, err := s.Push(forge.Change{User: "alice", Branch: branch, Message: "Change", Files: files})
	s.Must(err)
	number, err = s.Open("alice", branch, "Change")
	s.Must(err)
	if by != "" {
		_, err = s.Review(by, number, "APPROVE")
		s.Must(err)
	}
	_, err = s.Merge("root", number)
	s.Must(err)
	s.pause()
	return number
}

func (s *stage) pause() { s.SetClock(s.Clock().Add(time.Minute)) }

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
	if r := s.entry(name); r.Status.Cause != requests.CauseDenied || r.Status.Code != code ||
		r.Status.GrantedAt != nil {
		s.Errorf("the entry of %s says %s %s, want %s", name, r.Status.Cause, r.Status.Code, code)
	}
}

// granted tells whether a request has its binding.
func (s *stage) granted(name string) {
	s.Helper()
	for _, b := range s.Bindings() {
		if b.Name == requests.ObjectName(name, 0) {
			return
		}
	}
	s.Errorf("%s is not granted; main: %s", name, s.git("log", "-3", "--format=%s", "main"))
}

func TestApprovedChangeOfPolicyGrants(t *testing.T) {
	s := newStage(t)
	s.change("policy", "root", map[string]string{
		"policies/payments-late.yaml": strings.Replace(s.read(policyPath), "name: payments-debug}",
			"name: payments-late}", 1)})
	s.change("owners", "root", s.edited(ownersPath, "* @root\n", "* @root\n/README.md @alice\n"))
	name, _, content := s.requestFile("after")
	s.pull("after", true, map[string]string{
		requests.Path(s.Cluster, "payments-late", name): strings.Replace(content,
			"policy: payments-debug", "policy: payments-late", 1)})
	s.once(githubOnly)
	s.granted(name)
	if n := strings.Count(s.Log.String(), "a change of policies is proven"); n != 2 {
		t.Errorf("%d changes proven", n)
	}
}

// TestPolicyPushedDirectly: who can push can write any policy, so nothing is granted under it, and
// what is live stays.
func TestPolicyPushedDirectly(t *testing.T) {
	s := newStage(t)
	live := s.request("live")
	agent := s.agent(githubOnly)
	s.Must(agent.Once(t.Context()))
	s.granted(live)
	s.pause()
	s.pushFiles("root", "Longer", s.longer(4))
	s.pause()
	one, two := s.request("one"), s.request("two")
	s.outlast(agent)
	s.Must(agent.Once(t.Context()))
	s.refused(one, "PolicyUnproven")
	s.refused(two, "PolicyUnproven")
	s.granted(live)
	if !strings.Contains(s.Log.String(), "it was pushed without a pull request") {
		t.Error("the log does not tell why")
	}
	s.SetClock(noon.Add(time.Hour))
	s.Must(agent.Once(t.Context()))
	s.over(live, requests.CauseExpired, "")
}

// TestOwnersChangedByAdmin: an administrator's merge without approval proves nothing (R47); those
// who owned the file before can put it right.
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

// TestOwnersOfTheirOwnMaking: whoever pushes CODEOWNERS and is an owner by it approves no policy by
// that.
func TestOwnersOfTheirOwnMaking(t *testing.T) {
	s := newStage(t)
	s.pushFiles("bob", "Own everything", s.edited(ownersPath, "* @root", "* @bob"))
	s.pause()
	s.change("policy", "bob", s.longer(4))
	one := s.request("one")
	s.outlast(s.agent(githubOnly))
	s.once(githubOnly)
	s.refused(one, "PolicyUnproven")
	s.pause()
	// CODEOWNERS is right again, the policy is not
	s.change("repair", "root", s.edited(ownersPath, "* @bob", "* @root"))
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
	s.outlast(s.agent(githubOnly))
	s.once(githubOnly)
	s.refused(name, "PolicyUnproven")
}

// TestOldPolicyPutBack: a content that was proven once is not proven when it comes back without a
// pull request.
func TestOldPolicyPutBack(t *testing.T) {
	s := newStage(t)
	old := map[string]string{policyPath: s.read(policyPath)}
	s.change("policy", "root", s.longer(1))
	s.once(githubOnly)
	s.pushFiles("bob", "As before", old)
	s.pause()
	name := s.request("one")
	s.outlast(s.agent(githubOnly))
	s.once(githubOnly)
	s.refused(name, "PolicyUnproven")
}

// TestUnprovenAtTheMerge: that the policy was put right later does not help a request that was
// merged before.
func TestUnprovenAtTheMerge(t *testing.T) {
	s := newStage(t)
	s.pushFiles("bob", "Longer", s.longer(4))
	s.pause()
	name := s.request("one")
	s.pause()
	s.change("right", "root", s.longer(2))
	s.outlast(s.agent(githubOnly))
	s.once(githubOnly)
	s.refused(name, "PolicyUnproven")
}

// TestUnprovenNow: a policy that was proven when the request was merged, and is not now.
func TestUnprovenNow(t *testing.T) {
	s := newStage(t)
	name := s.request("one")
	s.pause()
	s.pushFiles("bob", "Longer", s.longer(4))
	s.outlast(s.agent(githubOnly))
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
	s.Must(s.agent(options{github: true, root: root}).Once(t.Context()))
	s.granted(one)
	// Back to the first commit: what was given is so no more.
	s.pause()
	two := s.request("two")
	s.outlast(s.agent(options{github: true, root: first}))
	s.Must(s.agent(options{github: true, root: first}).Once(t.Context()))
	s.refused(two, "PolicyUnproven")
	s.granted(one)
	// A commit beside the branch's first-parent line is no root.
	s.pause()
	three := s.request("three")
	err := s.agent(options{github: true, root: s.git("rev-parse", "main^2")}).Once(t.Context())
	if err == nil || !strings.Contains(err.Error(),
		"of --trust-root is not on the branch's first-parent line") {
		t.Errorf("error: %v", err)
	}
	if slices.ContainsFunc(s.Bindings(),
		func(b rbacv1.RoleBinding) bool { return b.Name == requests.ObjectName(three, 0) }) {
		t.Error("granted without a root")
	}
}

// TestRestartRemembersProofs: who approved a policy may lose their rights later; a restart asks
// nothing again.
func TestRestartRemembersProofs(t *testing.T) {
	s := newStage(t)
	s.AddUser("carol", 105, "carol@example.com")
	s.SetPermission("carol", "write")
	s.AddTeam("platform", 201, "", "carol")
	s.SetTeamPermission("platform", "write")
	s.change("owners", "root", s.edited(
		ownersPath, "* @root\n", "* @root\n/policies/ @acme/platform\n"))
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
	s.Must(s.Admin.CoreV1().ConfigMaps(kube.Namespace).Delete(
		t.Context(), kube.TrustName, metav1.DeleteOptions{}))
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
	s.Fail("GET", fmt.Sprintf("/repos/acme/access/pulls/%d/reviews", number), -1, 403,
		`{"message":"Resource not accessible by integration"}`)
	agent := s.agent(githubOnly)
	if err := agent.Once(t.Context()); err == nil || !strings.Contains(err.Error(),
		"who approved the policies is not known") {
		t.Errorf("error: %v", err)
	}
	if len(s.Bindings()) != 0 {
		t.Errorf("granted: %v", s.Bindings())
	}
	s.Heal()
	if err := agent.Once(t.Context()); err == nil || !strings.Contains(err.Error(),
		"it is tried again at 2026-11-23T12:01:05Z") {
		t.Errorf("error: %v", err)
	}
	s.pause()
	s.Must(agent.Once(t.Context()))
	s.granted(name)
}

// TestProofGetsFurther: how long it was tried to prove one change puts off no try of the next one, nor a
// judgement that waits for both.
func TestProofGetsFurther(t *testing.T) {
	s := newStage(t)
	agent := s.agent(githubOnly)
	fail := func(number int) {
		s.Fail("GET", fmt.Sprintf("/repos/acme/access/pulls/%d/reviews", number), -1, 403,
			`{"message":"Resource not accessible by integration"}`)
	}
	one := s.change("one", "root", s.longer(3))
	two := s.change("two", "root", s.longer(4))
	name := s.request("one")
	fail(one)
	for _, pause := range []time.Duration{firstPause, 2 * firstPause, 4 * firstPause} {
		if err := agent.Once(t.Context()); err == nil {
			t.Error("no error")
		}
		s.SetClock(s.Clock().Add(pause))
	}
	s.Heal()
	fail(two)
	if err := agent.Once(t.Context()); err == nil || !strings.Contains(err.Error(),
		fmt.Sprintf("acme/access#%d", two)) {
		t.Errorf("error: %v", err)
	}
	s.Heal()
	s.SetClock(s.Clock().Add(firstPause))
	s.Must(agent.Once(t.Context()))
	s.granted(name)
}

// TestBranchEvidenceProvesNothing: there is nobody to ask.
func TestBranchEvidenceProvesNothing(t *testing.T) {
	s := newStage(t)
	s.pushFiles("root", "Longer", s.longer(4))
	name := s.ask("one")
	s.once(options{})
	s.granted(name)
	s.pause()
	two := s.request("two")
	agent := s.agent(githubOnly)
	s.outlast(agent)
	s.Must(agent.Once(t.Context()))
	s.refused(two, "PolicyUnproven")
}
