package ledger

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/gitserver"
)

// asked is a request as a file, with more lines of its spec.
func asked(name, more string) (path, content string) {
	return requests.Path("prod-eu", "payments-debug", name), fmt.Sprintf(
		`apiVersion: pullgrant.dev/v1alpha1
kind: AccessRequest
metadata: {name: %s}
spec:
  cluster: prod-eu
  policy: payments-debug
  requester: alice
  reason: INC-123, checkout is slow
%s`, name, more)
}

// rulesOf are the rules of what an audit finds in the server's checkout.
func rulesOf(t *testing.T, s *gitserver.Server, now time.Time) (rules []string) {
	t.Helper()
	_, findings, err := Verify(t.Context(), s.WorkDir, nil, nil, now, policies.InTurn)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		rules = append(rules, f.Rule)
	}
	return rules
}

// TestVerifyOfAnOpenRequest: one that should have ended, by what it asks for or else by what its
// policy gives at most, is named once a minute has passed since; where neither tells, it is not.
func TestVerifyOfAnOpenRequest(t *testing.T) {
	const policy = `apiVersion: pullgrant.dev/v1alpha1
kind: AccessPolicy
metadata: {name: payments-debug}
spec:
  description: Debug the payments service
  clusters: [prod-eu]
  subjects: [{kind: User, name: alice}]
  challenges: [{kind: CodeOwnerReview, count: 1}]
  target:
    defaultDuration: 1h
    maxDuration: 2h
    grants:
      - kind: KubernetesRoleBinding
        defaultNamespace: payments
        allowedNamespaces: [payments]
        roleRef: {kind: ClusterRole, name: payments-debug}
`
	const came = 10 // o'clock, as gitserver dates commits
	at := time.Date(2026, 11, 22, came, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		more, policy string
		lasts        time.Duration // zero: nobody knows
	}{
		"asked for":          {"  duration: 30m\n", policy, 30 * time.Minute},
		"the policy's most":  {"", policy, 2 * time.Hour},
		"no policy":          {"", "", 0},
		"asked, and no most": {"  duration: 30m\n", "", 30 * time.Minute},
		"when a window opens": {"  duration: 30m\n", strings.Replace(policy, "  target:", "  windows: "+
			`[{days: [Mon], from: "08:00", to: "18:00", timeZone: UTC}]`+"\n  target:", 1),
			22*time.Hour + 30*time.Minute}, // 22 November is a Sunday
	} {
		t.Run(name, func(t *testing.T) {
			s := gitserver.New(t)
			path, content := asked("20261122-alice-waits", c.more)
			files := []string{path, content, "README", "hello"}
			if c.policy != "" {
				files = append(files, policies.Path("payments-debug"), c.policy)
			}
			s.Commit("ask", files...)
			end := at.Add(c.lasts + maxLateness)
			if rules := rulesOf(t, s, end); len(rules) > 0 {
				t.Errorf("a minute after its end: %v", rules)
			}
			rules := rulesOf(t, s, end.Add(1))
			if want := c.lasts > 0; slices.Equal(rules, []string{"no-revocation"}) != want ||
				!want && len(rules) > 0 {
				t.Errorf("more than a minute after its end: %v, want it: %t", rules, want)
			}
			if c.policy == "" {
				return
			}
			for _, of := range []string{policies.Path("payments-debug"), "policies"} {
				object := s.Work("rev-parse", "HEAD:"+of)
				if err := os.Remove(filepath.Join(s.WorkDir, ".git", "objects", object[:2],
					object[2:])); err != nil {
					t.Fatal(err)
				}
				_, _, err := Verify(t.Context(), s.WorkDir, nil, nil, end, policies.InTurn)
				if err == nil || !strings.Contains(err.Error(), "without --depth and --filter") {
					t.Errorf("without %s: %v", of, err)
				}
			}
		})
	}
}

// TestVerifyOfALateEnd: a minute is nobody's fault, and more is named; so is a window without
// length.
func TestVerifyOfALateEnd(t *testing.T) {
	for late, want := range map[time.Duration]string{
		maxLateness: "branch-trusted no-merge", maxLateness +
			time.Second: "branch-trusted late no-merge",
		-time.Hour: "branch-trusted no-merge window"} {
		path, content := ledgerEntry(t, "prod-eu", "20261122-alice-late")
		r, findings := requests.ParseRevocation(path, []byte(content))
		if len(findings) > 0 {
			t.Fatal(findings)
		}
		end := r.Status.ExpiresAt.Time
		r.Status.RevokedAt = requests.At(end.Add(late))
		if late < 0 {
			r.Status.ExpiresAt = r.Status.GrantedAt
		}
		r.Status.Evidence = requests.EvidenceBranch
		r.Status.MergeCommit, r.Status.PolicyCommit = strings.Repeat("a", 40),
			strings.Repeat("b", 40)
		data, err := r.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		s := gitserver.New(t)
		s.Commit("enter", path, string(data))
		rules := rulesOf(t, s, end.Add(time.Hour))
		slices.Sort(rules)
		if got := strings.Join(rules, " "); got != want {
			t.Errorf("%s after its end: %s, want %s", late, got, want)
		}
	}
}

// TestVerifyLacksAMerge: what the commit that an entry names changed cannot be told from a checkout
// that lacks a part of it.
func TestVerifyLacksAMerge(t *testing.T) {
	s := gitserver.New(t)
	s.Commit("start", "README", "hello")
	merge := s.Commit("another change", "policies/p", "1")
	path, content := ledgerEntry(t, "prod-eu", "20261122-alice-other")
	r, findings := requests.ParseRevocation(path, []byte(content))
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	r.Status.Evidence, r.Status.MergeCommit = requests.EvidenceBranch, merge
	data, err := r.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	s.Commit("enter", path, string(data))
	if rules := rulesOf(t, s, r.Status.RevokedAt.Time); !slices.Equal(rules,
		[]string{"branch-trusted", "no-request"}) {
		t.Errorf("found %v", rules)
	}
	tree := s.Work("rev-parse", merge+":policies")
	if err := os.Remove(filepath.Join(s.WorkDir, ".git", "objects", tree[:2],
		tree[2:])); err != nil {
		t.Fatal(err)
	}
	_, _, err = Verify(t.Context(), s.WorkDir, nil, nil, r.Status.RevokedAt.Time, policies.InTurn)
	if err == nil || !strings.Contains(err.Error(), "without --depth and --filter") {
		t.Errorf("error: %v", err)
	}
}

// TestNoCheckout: each error says what to clone instead.
func TestNoCheckout(t *testing.T) {
	s := gitserver.New(t)
	dirs := map[string]string{}
	for name, args := range map[string][]string{
		"it names its objects by SHA-256": {"init", "-q", "--object-format=sha256"},
		"find HEAD of":                    {"init", "-q"}} {
		dirs[name] = filepath.Join(t.TempDir(), "clone")
		s.Run(t.TempDir(), append(args, dirs[name])...)
	}
	dirs["so clone the access repository and name it"] = t.TempDir()
	for want, dir := range dirs {
		if local, head, err := openCheckout(dir); err == nil || local != nil || head != "" ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		for what, read := range map[string]func() error{
			"History": func() error { _, _, err := History(dir, nil); return err },
			"Verify": func() error {
				_, _, err := Verify(t.Context(), dir, nil, nil, time.Time{}, policies.InTurn)
				return err
			},
			"TreeAt": func() error { _, err := TreeAt(dir, "HEAD"); return err },
		} {
			if err := read(); err == nil || !strings.Contains(err.Error(), dir) {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
}
