package policies_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/cases"
	"github.com/pullgrant/pullgrant/testdata/findings"
)

const (
	paymentsPath  = "policies/payments-debug.yaml"
	certifiedPath = "policies/certified/payments-debug.yaml"
)

// recertified is the example repository, in which a policy must be certified and was.
func recertified(t *testing.T) policies.Tree {
	t.Helper()
	tree := with(t, exampleTree(t), paymentsPath, "  target:\n", "  recertify: 90d\n  target:\n")
	return with(t, tree, certifiedPath, "", certification(t, tree))
}

// certification is the file that certifies the policy of a tree.
func certification(t *testing.T, tree policies.Tree) string {
	t.Helper()
	policy, _, findings := tree.Policy("payments-debug")
	data, err := tree.Certify(policy, time.Date(2026, 11, 23, 23, 59, 0, 0, time.UTC))
	if err != nil || len(findings) > 0 {
		t.Fatal(err, findings)
	}
	return string(data)
}

// TestCertificationsAreWhatDecides: the certification of its policy is read for each request and is a
// trust root, its change is dated, and whoever approves a request does not go by it (R56).
func TestCertificationsAreWhatDecides(t *testing.T) {
	for path, wanted := range map[string]bool{certifiedPath: true,
		"policies/certified/other.yaml": false, "policies/certified": false} {
		if policies.Wanted(policies.KindRequest, cases.Path)(path) != wanted ||
			!policies.IsTrustRoot(path) || policies.DecidesChanges(path) {
			t.Errorf("%s is taken for another kind of file", path)
		}
	}
	tree := recertified(t)
	if slices.Contains(tree.Reviewed(cases.Path), certifiedPath) ||
		!slices.Contains(tree.Dated(cases.Path), certifiedPath) ||
		slices.Contains(exampleTree(t).Dated(cases.Path), certifiedPath) {
		t.Errorf("approvers go by %v, dated are %v", tree.Reviewed(cases.Path), tree.Dated(cases.Path))
	}
}

// TestWhoAndWhat: what is certified names everybody and everything.
func TestWhoAndWhat(t *testing.T) {
	tree := recertified(t)
	tree = with(t, tree, paymentsPath, "  subjects:\n", "  onBehalfOf: [{kind: User, name: bob}]\n"+
		"  subjects:\n    - {kind: Group, name: developers}\n")
	policy, _, findings := tree.Policy("payments-debug")
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	got := strings.Join(tree.WhoAndWhat(policy), "\n")
	for _, want := range []string{"carol, of the group developers, may ask\n", "on behalf of bob too\n",
		"whoever is in the GitHub team acme/squad-a may ask\n", "\nalice may ask\n", "on prod-eu\n",
		"for ClusterRole payments-debug in namespace payments\nfor at most 2h"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

// TestCertifiedLessIsTold: a policy that must be certified less often, or whose time begins by
// something else than a certification, is told in a change.
func TestCertifiedLessIsTold(t *testing.T) {
	certified := recertified(t)
	never := with(t, exampleTree(t), paymentsPath, "  target:\n", "  recertify: 90d\n  target:\n")
	gone := with(t, certified, paymentsPath, "", "")
	delete(gone.Files, certifiedPath)
	edited := func(tree policies.Tree, old, text string) policies.Tree {
		tree = with(t, tree, paymentsPath, old, text)
		file := tree.Files[paymentsPath]
		file.Blob = "another"
		tree.Files[paymentsPath] = file
		return tree
	}
	for name, c := range map[string]struct {
		before, after policies.Tree
		want          string
	}{
		"longer": {certified, edited(certified, "90d", "180d"),
			"policy payments-debug: it must be certified every 180d only instead of every 90d"},
		"shorter": {certified, edited(certified, "90d", "30d"), ""},
		"no more": {certified, edited(certified, "  recertify: 90d\n", ""),
			"policy payments-debug: it need not be certified any more every 90d"},
		"from now on": {exampleTree(t), never, ""},
		"taken away": {certified, gone, "policy payments-debug: its certification is taken away, so its " +
			"90d count from the merge that changed the policy last"},
		"begun anew": {never, edited(never, "maxDuration: 2h", "maxDuration: 1h"), "policy payments-debug: " +
			"nobody certified it yet, and its 90d begin anew with this change"},
		"changed when certified": {certified, edited(certified, "maxDuration: 2h", "maxDuration: 1h"), ""},
	} {
		if got := strings.Join(policies.Widened(c.before, c.after), "\n"); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestSoon: a policy's time is nearly over when a third is left, and at most 30 days.
func TestSoon(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	for _, c := range []struct {
		every      requests.Days
		ago        time.Duration
		soon, over bool
	}{
		{90, 60*day - time.Second, false, false}, {90, 60 * day, true, false},
		{90, 90*day - time.Second, true, false}, {90, 90 * day, true, true},
		{365, 335*day - time.Second, false, false}, {365, 335 * day, true, false},
		{3, 2 * day, true, false}, {3, 2*day - time.Second, false, false}, {0, 900 * day, false, false},
	} {
		soon, over := policies.PolicySpec{Recertify: c.every}.Soon(now.Add(-c.ago), now)
		if soon != c.soon || over != c.over {
			t.Errorf("%s, begun %s ago: soon %t, over %t", c.every, c.ago, soon, over)
		}
	}
}

// TestCertificationRoundTrip: what is written is what is read.
func TestCertificationRoundTrip(t *testing.T) {
	tree := recertified(t)
	text := tree.Files[certifiedPath].Content
	c, findings := policies.ParseCertification(certifiedPath, []byte(text))
	policy, _, _ := tree.Policy("payments-debug")
	if len(findings) > 0 || c.Spec.Day.String() != "2026-11-23" ||
		!slices.Equal(c.Spec.List, tree.WhoAndWhat(policy)) {
		t.Errorf("%+v %v of\n%s", c, findings, text)
	}
}

// TestCertifiedCases: a case of a policy test says how long ago its policy was certified.
func TestCertifiedCases(t *testing.T) {
	tree := recertified(t)
	const asked = "request: {cluster: prod-eu, policy: payments-debug, requester: alice, reason: " +
		"checkout is slow}, approvals: [{by: bob}]"
	for name, want := range map[string]string{"": "allowed", ", certified: 89d": "allowed",
		", certified: 90d": "denied NotCertified", ", certified: 89d, pullRequest: merged": "allowed",
		", waited: 20h": "allowed"} {
		text := testHead + "  organization: acme\n  teams: [{name: acme/squad-a, members: [alice]}, " +
			"{name: acme/squad-b, members: [bob]}]\n  cases: [{name: a, " + asked + name +
			", want: {decision: allowed}}]\n"
		results, findings := with(t, tree, "tests/x.yaml", "", text).RunTests()
		i := slices.IndexFunc(results, func(r policies.TestResult) bool { return r.File == "tests/x.yaml" })
		if i < 0 ||
			results[i].Got.String() != want {
			t.Errorf("%q: %+v %v, want %s", name, results, findings, want)
		}
	}
}

// FuzzParseCertification reads whatever bytes as a certification: findings lie within the file, and
// one that is accepted names its policy, a day and something to look at.
func FuzzParseCertification(f *testing.F) {
	f.Add([]byte("apiVersion: pullgrant.dev/v1alpha1\nkind: Certification\nmetadata: {name: " +
		"payments-debug}\nspec: {day: 2026-11-23, list: [alice may ask]}\n"))
	f.Add([]byte("kind: Certification\nspec: {day: 2026-02-30, list: []}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, found := policies.ParseCertification(certifiedPath, data)
		findings.Within(t, data, found)
		if len(found) == 0 && (c.Metadata.Name != "payments-debug" || c.Spec.Day.IsZero() &&
			c.Spec.Day.String() != "0001-01-01" || len(c.Spec.List) == 0 || slices.Contains(c.Spec.List, "")) {
			t.Fatalf("accepted: %+v", c)
		}
	})
}

// TestListOfWhoBreaksTheGlass: whoever may have access before anybody looks at it is in the list that
// certifies a policy, also where they may ask for nothing else under it.
func TestListOfWhoBreaksTheGlass(t *testing.T) {
	policy := policies.AccessPolicy{Spec: policies.PolicySpec{
		Subjects: []policies.Party{{Kind: policies.PartyUser, Name: "alice"}},
		BreakGlass: &policies.BreakGlass{MaxDuration: requests.Duration(30 * time.Minute),
			Subjects: []policies.Party{{Kind: policies.PartyUser, Name: "mallory"}}}}}
	if list := (policies.Tree{}).WhoAndWhat(policy); !slices.Contains(list,
		"mallory may break the glass, for at most 30m") {
		t.Errorf("the list: %q", list)
	}
}
