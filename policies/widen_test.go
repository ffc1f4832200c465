package policies_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/cases"
)

func exampleTree(t *testing.T) policies.Tree {
	t.Helper()
	tree, err := policies.ReadTree(os.DirFS("../testdata/accessrepo"), "")
	if err != nil {
		t.Fatal(err)
	}
	tree.Commit = "commit"
	return tree
}

// with is the tree with a text of one file replaced by another, or with a file more.
func with(t *testing.T, tree policies.Tree, path, old, text string) policies.Tree {
	t.Helper()
	files := map[string]policies.TreeFile{}
	for name, file := range tree.Files {
		files[name] = file
	}
	content := strings.Replace(files[path].Content, old, text, 1)
	if old != "" && content == files[path].Content {
		t.Fatalf("%s has no %q", path, old)
	}
	files[path] = policies.NewTreeFile("100644", "blob", []byte(content), int64(len(content)))
	return policies.Tree{Commit: tree.Commit, Files: files}
}

func TestWidened(t *testing.T) {
	const path = "policies/payments-debug.yaml"
	before := exampleTree(t)
	for _, c := range []struct{ path, old, text, want string }{
		{path, "maxDuration: 2h", "maxDuration: 4h", "policy payments-debug: access may last 4h " +
			"instead of 2h"},
		{path, "maxDuration: 2h", "maxDuration: 1h", ""},
		{"policies/app-config.yaml", "containers: [app]\n", "containers: [app]\n        once: true\n", ""},
		{path, "{kind: User, name: alice}", "{kind: User, name: carol}",
			"policy payments-debug: carol may ask too"},
		{path, "allowedNamespaces: [payments]", "allowedNamespaces: [payments, shop]",
			"policy payments-debug: it gives ClusterRole payments-debug in namespace shop"},
		{path, "name: payments-debug}", "name: edit}", "policy payments-debug: it gives " +
			"ClusterRole edit in namespace payments"},
		{path, "clusters: [prod-eu]", "clusters: [prod-eu, prod-us]", "policy payments-debug: " +
			"it holds for the cluster prod-us too"},
		{path, "kind: CodeOwnerReview, count: 1", "kind: PeerReview, reviewers: [{kind: User, " +
			"name: dave}], count: 1",
			"policy payments-debug: 1 approval by code owners is no longer asked for; now it " +
				"takes 1 approval by dave"},
		{path, "kind: CodeOwnerReview, count: 1", "kind: CodeOwnerReview, count: 2", ""},
		{path, "  challenges:\n    - {kind: CodeOwnerReview, count: 1}", "  allowWithoutReview: true\n" +
			"  challenges: []", "policy payments-debug: access may be given with nobody's review\n" +
			"policy payments-debug: 1 approval by code owners is no longer asked for; now it takes " +
			"nobody's approval"},
		{"policies/incident-logs.yaml", "https://checks.example.com/access", "https://other.example.com/access",
			"policy incident-logs: a yes of https://checks.example.com/access is no longer asked for; now " +
				"it takes an open ticket of INC in https://acme.atlassian.net, which the reason names and a yes of " +
				"https://other.example.com/access"},
		{path, "  challenges:", "  onBehalfOf: [{kind: User, name: bob}]\n  challenges:",
			"policy payments-debug: it may be asked for on behalf of bob too"},
		{path, "    grants:", "    allowDangerous: [{role: payments-debug, dangers: [tokens]}]\n" +
			"    grants:", "policy payments-debug: access may be kept beyond its end: whoever is " +
			"given payments-debug can make tokens, by serviceaccounts/token or a Secret, which " +
			"outlive the access (tokens)"},
		{path, "  target:", "  limits: {maxPending: 72h}\n  target:",
			"policy payments-debug: requests may wait 72h and approvals may be 24h old instead " +
				"of 24h and 24h"},
		{path, "  target:", "  limits: {maxLeadTime: 72h}\n  target:",
			"policy payments-debug: access may start 72h after the merge instead of 24h"},
		{path, "  target:", "  limits: {maxLeadTime: 2h}\n  target:", ""},
		// who is told gives nobody anything
		{path, "  target:", "  notifications: [{channel: oncall, events: [Requested]}]\n  target:", ""},
		{path, "maxDuration: 2h", "maxDuration: 2h\n    backstop: optional",
			"policy payments-debug: access may be given where nothing ends it but the agent"},
		{path, "maxDuration: 2h", "maxDuration: 2h\n    backstop: required", ""},
		{path, "  target:", "  conditions: [{expression: 'true', message: never}]\n" +
			"  reasonPattern: INC\n  fields: [{name: ticket, type: string, required: true}]\n  target:", ""},
		{"policies/groups.yaml", "members: [bob", "members: [erin, bob",
			"erin joins the group squad-b"},
		{"policies/identities.yaml", "username: alice@example.com", "username: root@example.com",
			`alice (101) is the Kubernetes user "root@example.com"`},
		{"policies/identities.yaml", "{username: alice@example.com}",
			"{username: alice@example.com}" +
				"\n      clusters: {prod-eu: {username: root@example.com}}",
			`alice (101) is the Kubernetes user "root@example.com" on prod-eu`},
		{"policies/identities.yaml", "{username: alice@example.com}",
			"{username: alice@example.com}" +
				"\n      clusters: {prod-eu: {username: alice@example.com}}", ""},
		{"policies/identities.yaml", "{username: alice@example.com}",
			"{username: alice@example.com}" +
				"\n      aws: {arn: 'arn:aws:iam::111122223333:user/mallory'}",
			`alice (101) comes in through aws-auth as "arn:aws:iam::111122223333:user/mallory"`},
		{"policies/more.yaml", "", "", ""},
	} {
		if got := strings.Join(policies.Widened(before, with(t, before, c.path, c.old, c.text)),
			"\n"); got != c.want {
			t.Errorf("%s to %s: %q, want %q", c.old, c.text, got, c.want)
		}
	}
	strict := with(t, before, path, "kind: CodeOwnerReview, count: 1",
		"kind: CodeOwnerReview, count: 2")
	if got := strings.Join(policies.Widened(strict, before),
		"\n"); got != "policy payments-debug: "+
		"2 approvals by code owners is no longer asked for; now it takes 1 approval by code "+
		"owners" {
		t.Errorf("a lower count: %q", got)
	}
	old := with(t, before, path, "  target:", "  limits: {maxApprovalAge: 48h}\n  target:")
	if got := strings.Join(policies.Widened(before, old), "\n"); got != "policy payments-debug: "+
		"requests may wait 24h and approvals may be 48h old instead of 24h and 24h" {
		t.Errorf("older approvals: %q", got)
	}
	const asks = "  conditions: [{expression: request.duration < policy.maxDuration, message: less}]\n" +
		"  reasonPattern: ^INC\n  fields:\n    - {name: ticket, type: string, pattern: ^INC}\n" +
		"    - {name: urgent, type: boolean, required: true}\n    - {name: note, type: string}\n  target:"
	strict = with(t, before, path, "  target:", asks)
	for _, c := range []struct{ old, text, want string }{
		{"maxDuration, message: less", "maxDuration, message: fewer", ""},
		{"  reasonPattern", "  reasonHelp: an incident\n  reasonPattern", ""},
		{"note, type: string", "note, type: string, required: true", ""},
		{"{name: note, type: string}", "{name: remark, type: string}", ""},
		{"request.duration < ", "request.duration <= ",
			`the condition "request.duration < policy.maxDuration" no longer has to be true`},
		{"^INC\n", "^CHG\n", `the reason no longer has to match "^INC"`},
		{", pattern: ^INC", "", "the field ticket is no longer asked for as it was: ticket, a " +
			"string that matches ^INC"},
		{", required: true", "", "the field urgent is no longer asked for as it was: urgent, a boolean"},
	} {
		want := c.want
		if want != "" {
			want = "policy payments-debug: " + want
		}
		got := strings.Join(policies.Widened(strict, with(t, strict, path, c.old, c.text)), "\n")
		if got != want {
			t.Errorf("%q to %q: %q, want %q", c.old, c.text, got, want)
		}
	}
	added := policies.Tree{Files: map[string]policies.TreeFile{path: before.Files[path]}}
	if got := policies.Widened(policies.Tree{}, added); len(got) != 1 || !strings.HasPrefix(got[0],
		"policy payments-debug is new: acme/squad-a, alice may ask for "+
			"ClusterRole payments-debug in namespace payments on prod-eu, for at most 2h, with 1 "+
			"approval by code owners") {
		t.Errorf("a new policy: %q", got)
	}
}

// TestRolesAreShownBesideWhatIsHeld: of a role that the requester has in the namespace already,
// nothing is new.
func TestRolesAreShownBesideWhatIsHeld(t *testing.T) {
	tree := exampleTree(t)
	file := func(name string) policies.TreeFile {
		text := "apiVersion: " + requests.APIVersion + "\nkind: AccessRequest\nmetadata: {name: " +
			name + "}\n" +
			"spec: {cluster: prod-eu, policy: payments-debug, requester: alice, reason: INC-123 is slow}\n"
		return policies.NewTreeFile("100644", "blob", []byte(text), int64(len(text)))
	}
	path := func(name string) string { return requests.Path("prod-eu", "payments-debug", name) }
	f := policies.Facts{
		Head: policies.Tree{Files: map[string]policies.TreeFile{path("20261123-alice-new"): file(
			"20261123-alice-new")}},
		Files: []policies.File{{Path: path("20261123-alice-new"), Status: "added"}},
	}
	d := policies.Preview(tree, path("20261123-alice-new"),
		f.Head.Files[path("20261123-alice-new")])
	if len(d.Roles) != 1 || !d.Roles[0].Catalogued || d.Roles[0].Holds ||
		len(d.Roles[0].Permissions) == 0 ||
		len(d.Roles[0].Beyond) != len(d.Roles[0].Permissions) {
		t.Errorf("with nothing held: %+v", d.Roles)
	}
	f = cases.Base(t).Facts
	f.Base.Files, f.Head.Files = tree.Files,
		map[string]policies.TreeFile{cases.Path: f.Head.Files[cases.Path]}
	f.Live = []policies.Live{{Path: path("20261122-alice-old"), File: file("20261122-alice-old"),
		Policy: tree.Files["policies/payments-debug.yaml"]}}
	judge := func() policies.Decision {
		f.Changes = nil
		for _, reviewed := range f.Base.Reviewed(cases.Path) {
			f.Changes = append(f.Changes, policies.Change{Path: reviewed})
		}
		return policies.Evaluate(f.Base, f, f.ObservedAt.Add(time.Second))
	}
	d = judge()
	if len(d.Roles) != 1 || !d.Roles[0].Holds || len(d.Roles[0].Beyond) != 0 {
		t.Errorf("with the same held: %s %s %+v", d.Code, d.Message, d.Roles)
	}
	// alice-sre's requests begin as alice's do, and what is merged is not yet granted.
	held := f.Live[0]
	other := path("20261122-alice-sre-old")
	content := strings.ReplaceAll(held.File.Content, "alice-old", "alice-sre-old")
	ungranted := held
	ungranted.Ungranted = policies.InsufficientApprovals
	for name, live := range map[string]policies.Live{
		"of another person": {Path: other, Policy: held.Policy, File: policies.NewTreeFile("100644",
			"blob", []byte(strings.Replace(content, "requester: alice", "requester: alice-sre", 1)),
			1)},
		"for another subject": {Path: held.Path, Policy: held.Policy,
			File: policies.NewTreeFile("100644", "blob", []byte(strings.Replace(held.File.Content,
				"requester: alice",
				"requester: alice, subject: {kind: User, name: root@example.com}", 1)), 1)},
		"not granted": ungranted,
		"by an identity": {Path: held.Path, File: held.File, Policy: policies.NewTreeFile("100644",
			"blob", []byte(impersonating.Replace(held.Policy.Content)), 1)},
	} {
		f.Live[0] = live
		if d = judge(); len(d.Roles) != 1 || d.Roles[0].Holds ||
			len(d.Roles[0].Beyond) != len(d.Roles[0].Permissions) {
			t.Errorf("with the same held %s: %s %s %+v", name, d.Code, d.Message, d.Roles)
		}
	}
	f.Live[0] = held
	f.Base = with(t, f.Base, "policies/payments-debug.yaml", "name: payments-debug}",
		"name: unknown}")
	f.Base = with(t, f.Base, "policies/payments-debug.yaml", "    grants:", "    allowDangerous: "+
		"[{role: unknown, dangers: [rbac, escalate, bind, tokens, impersonate]}]\n    grants:")
	d = judge()
	if len(d.Roles) != 1 || d.Roles[0].Catalogued || len(d.Roles[0].Risks) != 2 ||
		!d.Roles[0].Risks[1].High || d.Roles[0].Risks[0].Code != "danger-allowed" {
		t.Errorf("without a catalogue: %s %s %+v", d.Code, d.Message, d.Roles)
	}
}
