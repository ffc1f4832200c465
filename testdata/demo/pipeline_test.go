package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/forge"
	"github.com/pullgrant/pullgrant/testdata/pipeline"
)

// shared is one stage for all tests of the package; each test uses requests of its own.
var shared *stage

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if binary, err = pipeline.Build(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(filepath.Dir(binary))
		code := m.Run()
		if shared != nil {
			shared.stop()
		}
		return code
	}())
}

var binary string

func stageFor(t *testing.T) *stage {
	t.Helper()
	if shared == nil {
		s, err := start(t.Context(), binary, forge.Manners{})
		if err != nil {
			t.Fatal(err)
		}
		shared = s
	}
	return shared
}

const request = `apiVersion: pullgrant.dev/v1alpha1
kind: AccessRequest
metadata: {name: %s}
spec:
  cluster: prod-eu
  policy: payments-debug
  requester: alice
  duration: 10m
  reason: INC-123, checkout is slow
`

// asked is one request of a test, with its pull request.
type asked struct {
	t      *testing.T
	s      *stage
	name   string
	number int
}

func (a asked) path() string { return requests.Path(cluster, policy, a.name) }

// ask pushes a request file in alice's name and opens its pull request.
func ask(t *testing.T, slug, content string) asked {
	t.Helper()
	a := asked{t: t, s: stageFor(t), name: "20261122-alice-" + slug}
	a.push("alice", content)
	number, err := a.s.forge.Open("alice", slug, slug)
	if err != nil {
		t.Fatal(err)
	}
	a.number = number
	return a
}

func (a asked) branch() string { return strings.TrimPrefix(a.name, "20261122-alice-") }

func (a asked) push(login, content string) {
	a.t.Helper()
	if _, err := a.s.forge.Push(forge.Change{User: login, Branch: a.branch(),
		Files: map[string]string{a.path(): content}, Message: "Ask"}); err != nil {
		a.t.Fatal(err)
	}
}

func (a asked) review(login, event string) {
	a.t.Helper()
	if _, err := a.s.forge.Review(login, a.number, event); err != nil {
		a.t.Fatal(err)
	}
}

// judged is the code that the Action gives.
func (a asked) judged() (code string, r result) {
	a.t.Helper()
	r, err := a.s.act(a.t.Context(), "pull_request_target", "opened", a.number)
	if err != nil {
		a.t.Fatal(err)
	}
	output, err := os.ReadFile(a.s.path("output"))
	if err != nil {
		a.t.Fatal(err)
	}
	lines := strings.Split(string(output), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "code<<") {
			return lines[i+1], r
		}
	}
	a.t.Fatalf("no output named code:\n%s\n%s", output, r.out)
	return "", r
}

// override merges as an administrator, past every rule.
func (a asked) override() {
	a.t.Helper()
	if _, err := a.s.forge.Merge("dave", a.number); err != nil {
		a.t.Fatal(err)
	}
}

// once runs one full pass of the agent.
func once(t *testing.T, s *stage) result {
	t.Helper()
	env, args := s.sync("--once")
	for try := 0; ; try++ {
		r, err := s.command(t.Context(), env, s.binary, args...)
		if err != nil {
			t.Fatal(err)
		}
		// A proof is for half a minute, so a pass with many requests leaves some for the next one.
		if try < 2 && strings.Contains(r.err, "the requests before it took too long") {
			continue
		}
		if r.code != 0 {
			t.Fatalf("pullgrant sync --once: exit %d\n%s", r.code, r.err)
		}
		return r
	}
}

// entry is what the ledger says of a request.
func (a asked) entry() requests.Revocation {
	a.t.Helper()
	entry, err := pipeline.Entry(a.s.forge, a.name)
	if err != nil {
		a.t.Fatal(err)
	}
	return entry
}

func (a asked) expectDenied(code string) {
	a.t.Helper()
	if status := a.entry().Status; status.Cause != requests.CauseDenied || status.Code != code ||
		len(status.GrantRefs) > 0 {
		a.t.Errorf("the agent entered %s %s with %v, want Denied %s", status.Cause, status.Code,
			status.GrantRefs, code)
	}
}

func expectNothingGranted(t *testing.T, s *stage) {
	t.Helper()
	if n, err := s.bindings(t.Context()); err != nil || n != 0 {
		t.Errorf("%d managed bindings, %v", n, err)
	}
	if can, err := s.canI(t.Context()); err != nil || can != "no" {
		t.Errorf("alice can list pods: %s, %v", can, err)
	}
}

// TestNothingIsGrantedWithoutApproval holds Action and agent to the same code for every way in
// which an approval is missing, each merged by an administrator all the same.
func TestNothingIsGrantedWithoutApproval(t *testing.T) {
	s := stageFor(t)
	var all []asked
	var codes []string
	for _, c := range []struct {
		code    string
		prepare func(asked)
	}{
		{"InsufficientApprovals", func(asked) {}},
		{"ApproverNotAllowed", func(a asked) { a.review("erin", "APPROVE") }},
		{"ChangesRequested", func(a asked) {
			a.review("bob", "APPROVE")
			a.review("carol",
				"REQUEST_CHANGES")
		}},
		{"ApprovalStale", func(a asked) {
			a.review("bob", "APPROVE")
			s.forge.Protect(forge.Rules{}) // else GitHub dismisses the approval
			a.push("alice", fmt.Sprintf(request, a.name)+"# one more line\n")
			pipeline.Protect(s.forge)
		}},
		{"ContributorApproval", func(a asked) {
			a.push("bob", fmt.Sprintf(request, a.name)+"# one more line\n")
			a.review("bob", "APPROVE")
		}},
		{"SelfApproval", func(a asked) {
			if _, err := s.forge.Review("alice", a.number, "APPROVE"); err == nil {
				t.Error("GitHub took alice's approval of her own pull request")
			}
			a.selfApprove()
		}},
	} {
		a := ask(t, strings.ToLower(c.code), fmt.Sprintf(request, "20261122-alice-"+
			strings.ToLower(c.code)))
		c.prepare(a)
		code, r := a.judged()
		if code != c.code || r.code != 8 {
			t.Errorf("the Action says %q, exit %d, want %q, exit 8\n%s", code, r.code,
				c.code, r.out)
		}
		a.override()
		all, codes = append(all, a), append(codes, c.code)
	}
	once(t, s)
	s.forge.Heal()
	for i, a := range all {
		a.expectDenied(codes[i])
	}
	expectNothingGranted(t, s)
}

// selfApprove has the forge claim an approval by the author, which GitHub would never take: Action
// and agent must not rely on that.
func (a asked) selfApprove() {
	review := fmt.Sprintf(`[{"id": 9001, "user": {"login": "alice", "id": 101, "type": "User"},
		"state": "APPROVED", "commit_id": %q,
		"submitted_at": %q}]`, a.s.forge.Branch(a.branch()), time.Now().UTC().Format(time.RFC3339))
	a.s.forge.Fail("GET", fmt.Sprintf("/repos/acme/access/pulls/%d/reviews", a.number), -1,
		200, review)
}

func TestFilePushedStraightToMainGrantsNothing(t *testing.T) {
	a := asked{t: t, s: stageFor(t), name: "20261122-alice-direct"}
	if _, err := a.s.forge.Push(forge.Change{User: "dave",
		Files:   map[string]string{a.path(): fmt.Sprintf(request, a.name)},
		Message: "Ask"}); err != nil {
		t.Fatal(err)
	}
	env, args := a.s.sync("--once")
	r, err := a.s.command(t.Context(), env, a.s.binary, args...)
	if err != nil || r.code == 0 || !strings.Contains(r.err, "GitHub can be late to know") {
		t.Errorf("exit %d, %v\n%s", r.code, err, r.err)
	}
	expectNothingGranted(t, a.s)
	a.s.age(t, 10*time.Minute)
	once(t, a.s)
	a.expectDenied("NoPullRequest")
	expectNothingGranted(t, a.s)
}

// age has the agent believe that GitHub has known of no pull request for longer than it did.
func (s *stage) age(t *testing.T, by time.Duration) {
	t.Helper()
	const annotation = "pullgrant.dev/no-pull-request"
	leases := s.client.CoordinationV1().Leases(requests.AgentNamespace)
	lease, err := leases.Get(t.Context(), "pullgrant-agent", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	since := map[string]time.Time{}
	if err := json.Unmarshal([]byte(lease.Annotations[annotation]), &since); err != nil {
		t.Fatal(err)
	}
	for what, at := range since {
		since[what] = at.Add(-by)
	}
	data, err := json.Marshal(since)
	if err != nil {
		t.Fatal(err)
	}
	lease.Annotations[annotation] = string(data)
	if _, err = leases.Update(t.Context(), lease, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// TestBadFilesAreRefusedEverywhere gives the same broken files to validate, the Action and the
// agent.
func TestBadFilesAreRefusedEverywhere(t *testing.T) {
	s := stageFor(t)
	good := func(name string) string { return fmt.Sprintf(request, name) }
	edit := func(old, new string) func(string) string {
		return func(name string) string { return strings.Replace(good(name), old, new, 1) }
	}
	cases := []struct {
		slug, code, at string
		content        func(name string) string
	}{
		{"documents", "ParseError", ":10:1:", func(name string) string {
			return good(name) +
				"---\nkind: AccessRequest\n"
		}},
		{"case", "SchemaError", ":7:3:", edit("requester:", "Requester:")},
		{"duplicate", "ParseError", ":9:3:", edit("  reason:", "  duration: 2h\n  reason:")},
		{"alias", "ParseError", ":7:14:", edit("requester: alice", "requester: *a")},
		{"tab", "FileRejected", ":8:12:", edit("duration: 10m", "duration:\t10m")},
		{"separator", "FileRejected", ":9:", edit("slow", "slow # fine\u2028  duration: 2h")},
		{"bom", "FileRejected", ":1:1:", func(name string) string { return "\ufeff" + good(name) }},
		{"unknown", "SchemaError", ":8:3:", edit("  duration:", "  ttl: 1h\n  duration:")},
		{"negative", "SchemaError", ":8:13:", edit("10m", "-1h")},
		{"disagrees", "SchemaError", ":5:12:", edit("prod-eu", "staging")},
	}
	var all []asked
	for _, c := range cases {
		a := ask(t, c.slug, c.content("20261122-alice-"+c.slug))
		code, r := a.judged()
		if code != c.code || r.code != 1 {
			t.Errorf("%s: the Action says %q, exit %d, want %q, exit 1\n%s", c.slug, code, r.code,
				c.code, r.out)
		}
		where := a.path() + c.at
		if !strings.Contains(r.out, where) {
			t.Errorf("%s: the Action does not point at %s:\n%s", c.slug, where, r.out)
		}
		checked := a.validate(c.content(a.name))
		if checked.code != 1 || !strings.Contains(checked.out, where) {
			t.Errorf("%s: validate exits %d, want 1, and %s in\n%s", c.slug, checked.code, where,
				checked.out)
		}
		a.override()
		all = append(all, a)
	}
	r := once(t, s)
	for i, a := range all {
		a.expectDenied(cases[i].code)
		if where := a.path() + cases[i].at; !strings.Contains(r.err, where) {
			t.Errorf("%s: the agent's log does not point at %s", cases[i].slug, where)
		}
	}
	expectNothingGranted(t, s)
}

// validate runs the offline check on a checkout with the file.
func (a asked) validate(content string) result {
	a.t.Helper()
	dir := a.t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/accessrepo")); err != nil {
		a.t.Fatal(err)
	}
	file := filepath.Join(dir, filepath.FromSlash(a.path()))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		a.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		a.t.Fatal(err)
	}
	r, err := a.s.command(a.t.Context(), nil, a.s.binary, "validate", "--dir", dir)
	if err != nil {
		a.t.Fatal(err)
	}
	return r
}

// TestDemo is `make demo`.
func TestDemo(t *testing.T) {
	if err := run(t.Context(), binary, false, true); err != nil {
		t.Fatal(err)
	}
}
