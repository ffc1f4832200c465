package policies_test

import (
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/findings"
)

const testHead = "apiVersion: pullgrant.dev/v1alpha1\nkind: PolicyTest\nmetadata: {name: " +
	"x}\nspec:\n"

// runTest judges the spec of a policy test against the example repository, and tells results and
// findings in short.
func runTest(t testing.TB, name, content string) (results, findings []string) {
	t.Helper()
	tree, err := policies.ReadTree(os.DirFS(accessrepo), "")
	if err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(tree.Files, func(path string, _ policies.TreeFile) bool {
		return strings.HasPrefix(path, policies.TestsFolder+"/")
	})
	tree.Files[name] = policies.NewTreeFile("100644", "", []byte(content), int64(len(content)))
	got, found := tree.RunTests()
	for _, r := range got {
		results = append(results, fmt.Sprintf("%d %s: %v, %s (%v)", r.Line, r.Name, r.Passed, r.Got,
			r.Message))
	}
	for _, f := range found {
		findings = append(findings, f.String())
	}
	return results, findings
}

func TestPolicyTestResults(t *testing.T) {
	const (
		teams = "  organization: acme\n  teams: [{name: acme/squad-a, members: [alice]}, {name: " +
			"ACME/squad-b, members: [Bob, carol, grace]}]\n"
		asked = "request: {cluster: prod-eu, policy: payments-debug, requester: alice, reason: " +
			"checkout is slow}"
	)
	for name, test := range map[string]struct{ spec, want string }{
		"as wanted": {teams + "  cases: [{name: a, " + asked + ", approvals: [{by: " +
			"bob}], want: {decision: allowed}}]\n", "7 a: true, allowed"},
		"not as wanted": {teams + "  cases: [{name: a, " + asked +
			", want: {decision: allowed}}]\n",
			"7 a: false, pending InsufficientApprovals (CodeOwnerReview needs 1"},
		"another code": {teams + "  cases: [{name: a, " + asked + ", want: {decision: " +
			"pending, code: SelfApproval}}]\n", "7 a: false, pending InsufficientApprovals"},
		"draft": {teams + "  cases: [{name: a, " + asked + ", pullRequest: draft, " +
			"want: {decision: pending, code: DraftPullRequest}}]\n", "7 a: true, pending Draft"},
		"closed": {teams + "  cases: [{name: a, " + asked + ", pullRequest: closed, " +
			"want: {decision: denied, code: PullRequestNotMerged}}]\n", "7 a: true"},
		"merged": {teams + "  cases: [{name: a, " + asked + ", pullRequest: merged, " +
			"approvals: [{by: carol}], want: {decision: allowed}}]\n", "7 a: true, allowed"},
		"merged too early": {teams + "  cases: [{name: a, " + asked + ", pullRequest: merged, " +
			"want: {decision: denied, code: InsufficientApprovals}}]\n", "7 a: true"},
		"changes requested": {teams + "  cases: [{name: a, " + asked + ", approvals: [{by: " +
			"bob}, {by: carol, state: CHANGES_REQUESTED}], want: {decision: pending, code: " +
			"ChangesRequested}}]\n",
			"7 a: true"},
		"dismissed": {teams + "  cases: [{name: a, " + asked + ", approvals: [{by: bob}, " +
			"{by: bob, state: DISMISSED}], want: {decision: pending, code: " +
			"InsufficientApprovals}}]\n",
			"7 a: true"},
		"may not write": {teams + "  permissions: [{login: BOB, permission: read}]\n  cases: " +
			"[{name: a, " + asked + ", approvals: [{by: bob}], want: {decision: pending, code: " +
			"ApproverNotAllowed}}]\n", "8 a: true"},
		"unknown person": {teams + "  cases: [{name: a, " + asked + ", approvals: [{by: " +
			"grace}], want: {decision: allowed}}]\n", "7 a: true"},
		"unknown team": {"  organization: acme\n  cases: [{name: a, " + asked +
			", want: {decision: allowed}}]\n",
			"6 a: false, error EvaluationError (the test does not say who is in the team " +
				"acme/squad-a; add it to spec.teams)"},
		"no organization": {"  cases: [{name: a, " + asked + ", want: {decision: denied, code: " +
			"RequesterNotAllowed}}]\n", "5 a: false, error EvaluationError"},
	} {
		t.Run(name, func(t *testing.T) {
			results, findings := runTest(t, "tests/x.yaml", testHead+test.spec)
			if len(findings) > 0 || len(results) != 1 || !strings.HasPrefix(results[0], test.want) {
				t.Errorf("%v, %v; want %s", results, findings, test.want)
			}
		})
	}
}

func TestPolicyTestFindings(t *testing.T) {
	const good = "  cases: [{name: a, request: {cluster: c, policy: p, requester: alice, " +
		"reason: checkout is slow}, want: {decision: allowed}}]\n"
	for name, test := range map[string]struct{ file, content, want string }{
		"no cases": {"tests/x.yaml", testHead + "  cases: []\n", "tests/x.yaml:5:10: " +
			"spec.cases is empty; name at least one [empty-list]"},
		"another name": {"tests/y.yaml", testHead + good, "tests/y.yaml:3:18: metadata.name " +
			"is \"x\"; it must be the file's name without .yaml [path]"},
		"a folder below": {"tests/y/x.yaml", testHead + good, "tests/y/x.yaml:1:1: tests/ " +
			"holds one <name>.yaml a policy test, nothing else [path]"},
		"no test": {"tests/README.md", "Hello.", "tests/README.md:1:1: tests/ holds"},
		"a word": {"tests/x.yaml", testHead + strings.Replace(good, "allowed", "fine", 1),
			"tests/x.yaml:5:116: spec.cases[0].want.decision is \"fine\"; allowed: denied, " +
				"pending, allowed, error [value]"},
		"no code": {"tests/x.yaml", testHead + strings.Replace(good, "allowed", "denied",
			1), "[missing-field]"},
		"a code too much": {"tests/x.yaml", testHead + strings.Replace(good, "allowed",
			"allowed, code: NoPolicy", 1), "[code]"},
		"a bad request": {"tests/x.yaml", testHead + strings.Replace(good, "cluster: c",
			"cluster: C", 1), "tests/x.yaml:5:40: spec.cases[0].request.cluster is \"C\"; it " +
			"must be 1 to 63"},
		"an unknown field": {"tests/x.yaml", testHead + strings.Replace(good, "policy: p",
			"policy: p, when: never", 1), "[unknown-field]"},
		"a group": {"tests/x.yaml", testHead + "  teams: [{name: squad-b, members: []}]\n" +
			good, "tests/x.yaml:5:18: spec.teams[0].name is \"squad-b\"; a GitHub team is " +
			"organization/team-slug"},
	} {
		t.Run(name, func(t *testing.T) {
			results, findings := runTest(t, test.file, test.content)
			if len(results) > 0 || len(findings) == 0 || !strings.Contains(strings.Join(findings,
				"\n"), test.want) {
				t.Errorf("%v, %v; want %s", results, findings, test.want)
			}
			checked, _, err := policies.Validate(fstest.MapFS{test.file: {
				Data: []byte(test.content)}},
				"", policies.InTurn, "tests")
			if err != nil || len(checked) != len(findings) {
				t.Errorf("validate finds %v, %v", checked, err)
			}
		})
	}
}

// FuzzParsePolicyTest reads whatever bytes as a policy test: findings lie within the file, and what
// is accepted can be judged and says what it wants.
func FuzzParsePolicyTest(f *testing.F) {
	const head = "{apiVersion: pullgrant.dev/v1alpha1, kind: PolicyTest, metadata: {name: " +
		"payments-debug}, spec: {cases: [{name: a, "
	f.Add([]byte(head + "request: {cluster: c, policy: p, requester: bob, reason: ten letters}, " +
		"want: {decision: allowed}}]}}"))
	f.Add([]byte(testHead + "  cases: [{name: a, request: {}, want: {decision: error}}]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		test, found := policies.ParsePolicyTest(policies.TestPath("payments-debug"), data)
		if findings.Within(t, data, found); len(found) > 0 {
			return
		}
		if test.Metadata.Name != "payments-debug" || len(test.Spec.Cases) == 0 {
			t.Fatalf("accepted: %+v", test)
		}
		for _, c := range test.Spec.Cases {
			if (c.Want.Decision == "allowed") != (c.Want.Code == "") ||
				requests.CheckLogin(c.Request.Requester) != "" || c.Request.Reason == "" {
				t.Fatalf("accepted the case %+v", c)
			}
		}
	})
}

// TestPolicyTestTimes: approvals of a case come one after the other, and it can have waited.
func TestPolicyTestTimes(t *testing.T) {
	const path = "tests/payments-debug.yaml"
	people := func(login string) string {
		return "{kind: PeerReview, reviewers: [{kind: User, name: " + login + "}]"
	}
	for name, test := range map[string]struct{ challenges, approvals, waited, want string }{
		"in order": {"{kind: AllOf, inOrder: true, challenges: [" + people("bob") + "}, " + people("carol") +
			"}]}", "{by: bob}, {by: carol}", "1m", "allowed"},
		"out of order": {"{kind: AllOf, inOrder: true, challenges: [" + people("bob") + "}, " +
			people("carol") + "}]}", "{by: carol}, {by: bob}", "1m", "pending ApprovalStale"},
		"too early": {people("bob") + ", after: 30m}", "{by: bob}", "29m", "pending InsufficientApprovals"},
		"in time":   {people("bob") + ", after: 30m}", "{by: bob}", "30m", "allowed"},
	} {
		tree := with(t, exampleTree(t), "policies/payments-debug.yaml", "    - {kind: CodeOwnerReview, count: 1}",
			"    - "+test.challenges)
		content := testHead + "  organization: acme\n  teams: [{name: acme/squad-a, members: [alice]}]\n" +
			"  cases: [{name: a, request: {cluster: prod-eu, policy: payments-debug, requester: alice, " +
			"reason: checkout is slow}, waited: " + test.waited + ", approvals: [" + test.approvals +
			"], want: {decision: allowed}}]\n"
		content = strings.Replace(content, "name: x", "name: payments-debug", 1)
		tree.Files[path] = policies.NewTreeFile("100644", "", []byte(content), int64(len(content)))
		results, findings := tree.RunTests()
		for _, r := range results {
			if r.File == path && r.Got.String() != test.want {
				t.Errorf("%s: %s (%s), want %s", name, r.Got, r.Message, test.want)
			}
		}
		if len(findings) > 0 {
			t.Errorf("%s: %v", name, findings)
		}
	}
}
