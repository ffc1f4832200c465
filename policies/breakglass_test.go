package policies_test

import (
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/cases"
)

const (
	glassName = "20261120-alice-breakglass-inc-9"
	glassDebt = `apiVersion: pullgrant.dev/v1alpha1
kind: BreakGlassDebt
metadata: {name: 20261120-alice-breakglass-inc-9}
spec:
  cluster: prod-eu
  policy: payments-debug
  requester: alice
  subject: {kind: User, name: alice@example.com}
  pullRequest: 4
  owners: [acme/squad-b, bob]
  dueAt: 2026-11-21T10:00:00Z
`
	glassReview = `apiVersion: pullgrant.dev/v1alpha1
kind: BreakGlassReview
metadata: {name: 20261120-alice-breakglass-inc-9}
spec:
  request: 20261120-alice-breakglass-inc-9
  verdict: Justified
  text: |
    The service was down.
    A log told why.
`
)

// TestBreakGlassFiles: debts and reviews are read strictly, and written as they are read.
func TestBreakGlassFiles(t *testing.T) {
	at, review := requests.DebtPath("prod-eu", glassName), requests.ReviewPath(glassName)
	for _, c := range []struct{ path, text, old, new, rule string }{
		{at, glassDebt, "", "", ""},
		{at, glassDebt, "prod-eu", "prod-us", "path"},
		{at, glassDebt, "inc-9", "inc-8", "path"},
		{at, glassDebt, "[acme/squad-b, bob]", "[]", "empty-list"},
		{at, glassDebt, "bob]", "b ob]", "party"},
		{at, glassDebt, "  dueAt: 2026-11-21T10:00:00Z\n", "", "missing-field"},
		{at, glassDebt, "pullRequest: 4", "pullRequest: 0", "number"},
		{"x/" + at, glassDebt, "", "", "path"},
		{review, glassReview, "", "", ""},
		{review, glassReview, "Justified", "Fine", "verdict"},
		{review, glassReview, "  request: 20261120-alice-breakglass-inc-9\n", "", "missing-field"},
		{review, glassReview, "request: 20261120-alice-breakglass-inc-9", "request: 20261120-a-b", "path"},
		{review, glassReview, "    The service was down.\n    A log told why.\n", "    Yes\n", "text"},
		{"reviews/more/" + glassName + ".yaml", glassReview, "", "", "path"},
	} {
		text := strings.Replace(c.text, c.old, c.new, 1)
		var findings []requests.Finding
		var again []byte
		var err error
		if strings.Contains(c.path, "debts") {
			var d policies.Debt
			d, findings = policies.ParseDebt(c.path, []byte(text))
			again, err = d.Marshal()
		} else {
			var r policies.GlassReview
			r, findings = policies.ParseGlassReview(c.path, []byte(text))
			again, err = r.Marshal()
		}
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if len(findings) > 0 {
			got = findings[0].Rule
		}
		if got != c.rule {
			t.Errorf("%s with %q for %q: %v, want %q", c.path, c.new, c.old, findings, c.rule)
		}
		if c.rule != "" || strings.HasPrefix(c.path, "reviews") {
			continue
		}
		if d, f := policies.ParseDebt(at, again); len(f) > 0 || d.Metadata.Name != glassName {
			t.Errorf("it is written as\n%s%v", again, f)
		}
	}
}

// TestOwedMustBeTold: facts of break-glass that do not tell what is owed decide nothing (R76).
func TestOwedMustBeTold(t *testing.T) {
	n := 0
	for _, c := range cases.All(t) {
		if d := c.Judge(c.Facts); c.Facts.Owed == nil || d.Outcome != policies.Allowed {
			continue
		}
		n++
		f := cases.Copy(t, c.Facts)
		f.Owed = nil
		if d := c.Judge(f); d.Code != policies.EvaluationError {
			t.Errorf("%s without what is owed: %s %s", c.Name, d.Outcome, d.Code)
		}
	}
	if n < 3 {
		t.Errorf("only %d scenarios of break-glass are allowed", n)
	}
}

// TestMoreOwedAllowsNoMore: whatever else is owed, nothing becomes allowed by it.
func TestMoreOwedAllowsNoMore(t *testing.T) {
	for _, c := range cases.All(t) {
		before := c.Judge(c.Facts)
		if c.Facts.Owed == nil {
			continue
		}
		for _, more := range []policies.Owing{{Name: "20261101-x-breakglass-y", Unreadable: true},
			{Name: "20261101-carol-breakglass-y", Cluster: "prod-eu", Policy: "other", Requester: "carol"},
			{Name: "20261101-alice-breakglass-y", Cluster: "other", Policy: "other", Requester: "Alice"},
			{Name: "20261101-renamed-breakglass-y", Cluster: "other", Policy: "other", Requester: "renamed",
				RequesterID: 101}} {
			f := cases.Copy(t, c.Facts)
			f.Owed.Debts = append(f.Owed.Debts, more)
			after := c.Judge(f)
			if after.Outcome == policies.Allowed && (before.Outcome != policies.Allowed ||
				more.Requester != "carol") {
				t.Errorf("%s with %+v owed is allowed, before it was %s", c.Name, more, before.Outcome)
			}
		}
	}
}

// TestWidenedByBreakGlass: what break-glass makes possible is told, and what a rule lets through.
func TestWidenedByBreakGlass(t *testing.T) {
	const policy = `apiVersion: pullgrant.dev/v1alpha1
kind: AccessPolicy
metadata: {name: payments-debug}
spec:
  clusters: [prod-eu]
  subjects: [{kind: User, name: alice}]
  challenges: [{kind: CodeOwnerReview}]
%s  target:
    maxDuration: 2h
    grants:
      - kind: KubernetesRoleBinding
        allowedNamespaces: [payments]
        roleRef: {kind: ClusterRole, name: payments-debug}
`
	const glass = `  breakGlass:
    subjects: [{kind: User, name: alice}]
    maxDuration: 30m
    owners: [{kind: User, name: bob}]
    reviewWithin: 24h
`
	more := strings.NewReplacer("name: alice}]", "name: alice}, {kind: User, name: dave}]", "30m", "1h",
		"name: bob}]", "name: bob}, {kind: User, name: carol}]", "24h", "48h").Replace(glass)
	rule := "apiVersion: pullgrant.dev/v1alpha1\nkind: AccessRule\nmetadata: {name: freeze}\nspec:\n" +
		"  deny: {clusters: [prod-eu]}\n  reason: Nothing for now, ask later\n"
	tree := func(glass, rule string) policies.Tree {
		file := func(s string) policies.TreeFile {
			return policies.NewTreeFile(policies.PlainFile, "", []byte(s), int64(len(s)))
		}
		return policies.Tree{Files: map[string]policies.TreeFile{
			policies.Path("payments-debug"): file(strings.Replace(policy, "%s", glass, 1)),
			policies.RulePath("freeze"):     file(rule)}}
	}
	for _, c := range []struct {
		before, after policies.Tree
		want          string
	}{
		{tree("", rule), tree(glass, rule), "policy payments-debug: break-glass: alice may have it for at " +
			"most 30m before anybody looks at it; to be answered for by bob within 24h"},
		{tree(glass, rule), tree(more, rule), "policy payments-debug: dave may break the glass too\n" +
			"policy payments-debug: carol may answer for break-glass too\n" +
			"policy payments-debug: break-glass may last 1h instead of 30m\n" +
			"policy payments-debug: break-glass may stay 48h without an answer instead of 24h"},
		{tree(more, rule), tree("", rule), ""},
		{tree("", rule), tree("", rule+"  except: [BreakGlass]\n"), "rule freeze: it does not deny " +
			"BreakGlass any more"},
		{tree("", rule+"  except: [BreakGlass]\n"), tree("", rule), ""},
	} {
		if got := strings.Join(policies.Widened(c.before, c.after), "\n"); got != c.want {
			t.Errorf("told:\n%s\nwant:\n%s", got, c.want)
		}
	}
}

func FuzzGlassReview(f *testing.F) {
	f.Add([]byte(glassReview))
	f.Add([]byte(glassDebt))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, findings := policies.ParseGlassReview(requests.ReviewPath(glassName), data)
		_, ofDebt := policies.ParseDebt(requests.DebtPath("prod-eu", glassName), data)
		if len(findings) == 0 && len(ofDebt) == 0 {
			t.Error("it is both")
		}
	})
}
