package policies_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/cases"
	"github.com/pullgrant/pullgrant/testdata/findings"
)

const addedPath = "policies/rules/added.yaml"

// rule is the file of a rule.
func rule(deny, more string) string {
	return "apiVersion: pullgrant.dev/v1alpha1\nkind: AccessRule\nmetadata: {name: added}\nspec:\n" +
		"  deny: {" + deny + "}\n  reason: Nothing moves for now\n" + more
}

func frozen(t *testing.T, tree policies.Tree, deny, more string) policies.Tree {
	t.Helper()
	return with(t, tree, addedPath, "", rule(deny, more))
}

// anyRule makes rules, some of which do not read.
func anyRule(random *rand.Rand) string {
	var lists []string
	for _, list := range [][]string{
		{`subjects: [{kind: User, name: alice}]`, `subjects: [{kind: User, name: bob}]`,
			`subjects: [{kind: Group, name: reviewers}]`, `subjects: [{kind: Group, name: acme/squad-a}]`},
		{`clusters: ["*"]`, `clusters: [prod-eu]`, `clusters: ["staging*"]`, `clusters: [Prod]`},
		{`namespaces: [payments]`, `namespaces: ["*"]`, `namespaces: [kube-system]`},
		{`roles: [payments-debug]`, `roles: [other]`, `roles: ["*-debug"]`},
		{`resources: [pods]`, `resources: [secrets, pods/exec]`, `resources: [pod]`},
		{`from: 2026-11-23T10:30:00Z`, `from: 2026-11-24T10:30:00Z`, `from: now`},
		{`until: 2026-11-23T10:30:00Z`, `until: 2026-11-22T10:30:00Z`},
	} {
		if random.IntN(3) == 0 {
			lists = append(lists, list[random.IntN(len(list))])
		}
	}
	return rule(strings.Join(lists, ", "), "")
}

// TestNoRuleAllows adds rules of all kinds to each scenario: whatever was refused stays refused, and
// what was allowed is denied by the rule or still allowed (R70).
func TestNoRuleAllows(t *testing.T) {
	seen := map[string]int{}
	for name, c := range scenarios(t) {
		before := c.Judge(c.Facts)
		for seed := range uint64(12) {
			f := c.Facts
			text := anyRule(rand.New(rand.NewPCG(seed, 58)))
			file := policies.NewTreeFile(policies.PlainFile, "rule", []byte(text), int64(len(text)))
			add := func(tree policies.Tree) policies.Tree {
				tree.Files = maps.Clone(tree.Files)
				if tree.Files != nil {
					tree.Files[addedPath] = file
				}
				return tree
			}
			f.Base = add(f.Base)
			if f.Merge != nil && seed%2 == 0 {
				merge := *f.Merge
				merge.FirstParent, f.Merge = add(merge.FirstParent), &merge
			}
			f.Changes = append(slices.Clone(f.Changes), policies.Change{Path: addedPath})
			after := c.Judge(f)
			if after.Outcome == policies.Allowed && before.Outcome != policies.Allowed {
				t.Errorf("%s: %s, and allowed with\n%s", name, before.Code, text)
			}
			if before.Outcome == policies.Allowed && before.Kind == policies.KindRequest {
				seen[string(after.Code)]++
			}
		}
	}
	for code := range seen {
		if code != "" && code != string(policies.AccessDenied) {
			t.Errorf("what was allowed is %s by a rule, %d times", code, seen[code])
		}
	}
	if seen[""] < 100 || seen[string(policies.AccessDenied)] < 100 {
		t.Errorf("%v; the test has lost its teeth", seen)
	}
}

// TestAskedBeforeThereIsAPullRequest: what the files tell of rules is told at once; who is in a
// team, and when access would be, is not known, and refuses nothing yet.
func TestAskedBeforeThereIsAPullRequest(t *testing.T) {
	base := cases.Base(t).Facts
	file := base.Head.Files[cases.Path]
	at := base.ObservedAt
	for deny, want := range map[string][2]policies.Outcome{ // without the time and the teams, with them
		`roles: [payments-debug]`: {policies.Denied, policies.Denied},
		`roles: [other]`:          {policies.Allowed, policies.Allowed},
		`clusters: [prod-eu], until: 2026-11-23T12:00:00Z`:       {policies.Allowed, policies.Denied},
		`clusters: [prod-eu], until: 2026-11-23T09:00:00Z`:       {policies.Allowed, policies.Allowed},
		`subjects: [{kind: Group, name: acme/squad-a}]`:          {policies.Allowed, policies.Denied},
		`subjects: [{kind: Group, name: acme/contractors}]`:      {policies.Allowed, policies.Allowed},
		`subjects: [{kind: User, name: ALICE}]`:                  {policies.Denied, policies.Denied},
		`clusters: [prod-eu], until: 2026-11-23T12:00:00Z, x: y`: {policies.Denied, policies.Denied},
	} {
		tree := frozen(t, base.Base, deny, "")
		known := base
		known.ObservedAt = at
		known.Answers = maps.Clone(known.Answers)
		known.Answers[policies.AboutMember("acme/contractors", "alice")] = false
		for n, d := range []policies.Decision{policies.Preview(tree, cases.Path, file),
			policies.Ask(tree, cases.Path, file, known)} {
			if d.Outcome != want[n] || d.Outcome == policies.Denied && d.Code != policies.AccessDenied {
				t.Errorf("%s (%d): %s %s %s", deny, n, d.Outcome, d.Code, d.Message)
			}
		}
	}
}

// TestBranchAsEvidenceAsksNoTeam: who is in a team of a rule cannot be looked up there, so whoever
// may be is denied.
func TestBranchAsEvidenceAsksNoTeam(t *testing.T) {
	base := cases.Base(t).Facts
	now := base.ObservedAt.Time
	content := []byte(base.Head.Files[cases.Path].Content)
	open := with(t, base.Base, "policies/payments-debug.yaml", "{kind: Group, name: acme/squad-a}",
		"{kind: User, name: alice}")
	for deny, want := range map[string]policies.Code{
		`subjects: [{kind: Group, name: acme/contractors}]`:                      policies.AccessDenied,
		`subjects: [{kind: Group, name: acme/contractors}], clusters: [staging]`: "",
		`subjects: [{kind: User, name: bob}]`:                                    "",
	} {
		d := policies.EvaluateBranch(frozen(t, open, deny, ""), cases.Path, "commit", "blob", content,
			nil, now.Add(-time.Minute), now)
		if d.Code != want {
			t.Errorf("%s: %s %s", deny, d.Code, d.Message)
		}
	}
}

// TestLiveAccessUnderRules: access that was given before is told of, and ended only by a rule that
// says so, that surely denies what is left of it, and that has begun.
func TestLiveAccessUnderRules(t *testing.T) {
	at := func(hour, minute int) requests.Time {
		return requests.At(time.Date(2026, 11, 23, hour, minute, 0, 0, time.UTC))
	}
	grant := exampleGrant
	grant.Window = requests.Window{Start: at(10, 0), End: at(12, 0)}
	const ends = "  endsLive: true\n"
	for name, c := range map[string]struct {
		deny, more string
		now        requests.Time
		told       string
		ended      bool
	}{
		"told":         {`clusters: [prod-eu]`, "", at(10, 30), "it ends no access", false},
		"ends":         {`clusters: [prod-eu]`, ends, at(10, 30), "Nothing moves for now", true},
		"about others": {`clusters: [staging]`, ends, at(10, 30), "", false},
		"to begin":     {`clusters: [prod-eu], from: 2026-11-23T11:00:00Z`, ends, at(10, 59), "ends then", false},
		"begins":       {`clusters: [prod-eu], from: 2026-11-23T11:00:00Z`, ends, at(11, 0), "from 2026", true},
		"begins at its end": {`clusters: [prod-eu], from: 2026-11-23T12:00:00Z`, ends, at(11, 0), "",
			false},
		"over": {`clusters: [prod-eu], until: 2026-11-23T10:30:00Z`, ends, at(10, 30), "", false},
		"a team, which is not asked": {`subjects: [{kind: Group, name: acme/squad-a}]`, ends, at(10, 30),
			"", false},
		"a person":       {`subjects: [{kind: User, name: Alice}]`, ends, at(10, 30), "Alice", true},
		"does not read":  {`clusters: [prod-eu], x: y`, ends, at(10, 30), "", false},
		"another kind":   {`resources: [pods/exec]`, ends, at(10, 30), "", false},
		"what it reads":  {`resources: [pods/log]`, ends, at(10, 30), "pods/log", true},
		"after its time": {`clusters: [prod-eu]`, ends, at(12, 0), "", false},
	} {
		tree := frozen(t, exampleTree(t), c.deny, c.more)
		told := policies.LiveDenied(tree, []requests.Grant{grant}, c.now.Time)[grant.Path]
		if !strings.Contains(told, c.told) || c.told == "" && told != "" {
			t.Errorf("%s: told %q, want %q", name, told, c.told)
		}
		cause := policies.Drift(tree, []requests.Grant{grant}, c.now.Time)[grant.Path]
		if (cause == requests.CausePolicyChanged) != c.ended || !c.ended && cause != "" {
			t.Errorf("%s: ended by %q", name, cause)
		}
	}
	unknown := frozen(t, exampleTree(t), `resources: [secrets]`, ends)
	delete(unknown.Files, "catalog/prod-eu/payments-debug.yaml")
	if told := policies.LiveDenied(unknown, []requests.Grant{grant}, at(10, 30).Time); len(told) > 0 {
		t.Errorf("by a role that is not in the catalogue: %v", told)
	}
}

// TestRulesThatDenyLessAreTold: taking a rule away or narrowing it is told in a change, and nothing
// else is.
func TestRulesThatDenyLessAreTold(t *testing.T) {
	const was = `subjects: [{kind: User, name: alice}, {kind: User, name: bob}], clusters: [prod-eu, "st*"], ` +
		`resources: [pods/exec, secrets], from: 2026-12-01T00:00:00Z, until: 2027-01-01T00:00:00Z`
	replace := func(old, text string) string {
		if !strings.Contains(was, old) {
			t.Fatalf("no %q", old)
		}
		return strings.Replace(was, old, text, 1)
	}
	before := frozen(t, exampleTree(t), was, "  endsLive: true\n")
	const ends = "  endsLive: true\n"
	for _, c := range []struct{ deny, more, want string }{
		{was, ends, ""},
		{was, "", "it ends no access any more that was given before"},
		{replace(`, {kind: User, name: bob}`, ""), ends, "it does not deny the subject User bob any more"},
		{replace(`"st*"`, `staging`), ends, "it does not deny the cluster st* any more"},
		{replace(`"st*"`, `"s*"`), ends, ""},
		{replace(`prod-eu, "st*"`, `"*"`), ends, ""},
		{replace(`clusters: [prod-eu, "st*"], `, ""), ends, ""},
		{replace(`pods/exec`, `pods`), ends, ""},
		{replace(`secrets`, `secrets/x`), ends, "it does not deny the resource secrets any more"},
		{replace(`from`, `namespaces: [payments, x], from`), ends,
			"it denies only the namespace payments or x now"},
		{replace(`from: 2026-12-01`, `from: 2026-12-02`), ends, "it begins at 2026-12-02T00:00:00Z only"},
		{replace(`from: 2026-12-01`, `from: 2026-11-30`), ends, ""},
		{replace(`until: 2027-01-01`, `until: 2026-12-31`), ends,
			"it is over at 2026-12-31T00:00:00Z already"},
		{replace(`, until: 2027-01-01T00:00:00Z`, ``), ends, ""},
	} {
		want := c.want
		if want != "" {
			want = "rule added: " + want
		}
		after := frozen(t, before, "", "")
		after.Files[addedPath] = policies.NewTreeFile(policies.PlainFile, "", []byte(rule(c.deny,
			c.more)), 0)
		if got := strings.Join(policies.Widened(before, after), "\n"); got != want {
			t.Errorf("%s: %q, want %q", c.deny, got, want)
		}
	}
	gone := policies.Tree{Files: maps.Clone(before.Files)}
	delete(gone.Files, addedPath)
	if got := policies.Widened(before, gone); len(got) != 1 || !strings.HasPrefix(got[0],
		"rule added is taken away: it denied access that reaches pods/exec or secrets on the cluster "+
			"prod-eu or st* for alice or bob from 2026-12-01T00:00:00Z until 2027-01-01T00:00:00Z") {
		t.Errorf("taken away: %q", got)
	}
	if got := policies.Widened(gone, before); len(got) > 0 {
		t.Errorf("added: %q", got)
	}
	group := frozen(t, exampleTree(t), `subjects: [{kind: Group, name: squad-b}]`, "")
	if got := strings.Join(policies.Widened(group, with(t, group, "policies/groups.yaml", "members: [bob, ",
		"members: [")), "\n"); got != "bob leaves the group squad-b, to which the rule added denies access "+
		"for squad-b" {
		t.Errorf("left the group: %q", got)
	}
}

// TestRulesAreWhatDecides: rules are read for each request, are trust roots, and whoever approves a
// request goes by those about its cluster (R56, docs/decisions/0008-provenance.md).
func TestRulesAreWhatDecides(t *testing.T) {
	for path, rule := range map[string]bool{addedPath: true, "policies/rules": true,
		"policies/rules/a/b.yaml": true, "policies/rules.yaml": false, "policies/other.yaml": false} {
		if policies.Wanted(policies.KindRequest, cases.Path)(path) != rule ||
			!policies.IsTrustRoot(path) || policies.DecidesChanges(path) {
			t.Errorf("%s is taken for another kind of file", path)
		}
	}
	for deny, want := range map[string]bool{`clusters: [staging]`: false, `clusters: ["p*"]`: true,
		`roles: [x]`: true, `clusters: [staging], x: y`: false, `clusters: [staging], from: now`: true,
		`clusters: staging`: true} {
		tree := frozen(t, exampleTree(t), deny, "")
		if slices.Contains(tree.Reviewed(cases.Path), addedPath) != want {
			t.Errorf("%s: approvers go by %v", deny, tree.Reviewed(cases.Path))
		}
	}
}

// TestRulesOver: a policy is explained with the rules that deny something of it.
func TestRulesOver(t *testing.T) {
	for deny, want := range map[string]string{
		`clusters: [staging]`:                      "",
		`roles: [other]`:                           "",
		`namespaces: [payments], clusters: ["p*"]`: "access in the namespace payments on the cluster p*",
		`clusters: [prod-eu], x: y`:                "everything that it could be about",
		`roles: [payments-debug], until: 2020-01-01T00:00:00Z`: "access by the role payments-debug until " +
			"2020-01-01T00:00:00Z",
	} {
		tree := frozen(t, exampleTree(t), deny, "")
		policy, _, _ := tree.Policy("payments-debug")
		got := ""
		for _, r := range tree.RulesOver(policy) {
			got += r.Denies
		}
		if got != want {
			t.Errorf("%s: %q, want %q", deny, got, want)
		}
	}
}

// FuzzParseRule reads whatever bytes as a rule: findings lie within the file, and a rule that is
// accepted names something, says why, and has a window that can be met.
func FuzzParseRule(f *testing.F) {
	for seed := range uint64(20) {
		f.Add([]byte(anyRule(rand.New(rand.NewPCG(seed, 1)))))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, found := policies.ParseRule(addedPath, data)
		findings.Within(t, data, found)
		deny := r.Spec.Deny
		if len(found) > 0 {
			if r.Metadata.Name != "" || r.Spec.Reason != "" || len(deny.Roles) > 0 {
				t.Fatalf("a rule with findings says %+v", r)
			}
			return
		}
		if r.Metadata.Name != "added" || requests.CheckReason(r.Spec.Reason) != "" ||
			len(deny.Subjects)+len(deny.Clusters)+len(deny.Namespaces)+len(deny.Roles)+
				len(deny.Resources) == 0 ||
			!deny.Until.IsZero() && !deny.From.Before(deny.Until.Time) {
			t.Fatalf("accepted: %+v", r)
		}
		_ = fmt.Sprint(deny)
	})
}

// TestRulesAreReplayed: what would become of past requests under a rule is told before it is merged.
func TestRulesAreReplayed(t *testing.T) {
	before := exampleTree(t)
	past := policies.Past{Path: cases.Path, Began: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC),
		Spec: requests.RequestSpec{Cluster: "prod-eu", Policy: "payments-debug", Requester: "alice",
			Duration: requests.Duration(time.Hour), Reason: "checkout is slow"}}
	for deny, want := range map[string]policies.Flip{
		`clusters: [prod-eu], from: 2026-11-23T10:30:00Z`:   policies.FlipDenied,
		`clusters: [prod-eu], from: 2026-11-23T11:00:00Z`:   "",
		`subjects: [{kind: Group, name: acme/contractors}]`: policies.FlipUnknown,
	} {
		got := policies.Replay(before, frozen(t, before, deny, ""), []policies.Past{past}, policies.InTurn)
		if len(got) != 1 || got[0].Flip != want {
			t.Errorf("%s: %+v, want %q", deny, got, want)
		}
	}
}

// TestApprovalFromUnderARule: what was approved while a rule denied it must be approved again once
// that rule is gone: whoever approved it may have counted on it (R56).
func TestApprovalFromUnderARule(t *testing.T) {
	for deny, want := range map[string]policies.Code{"": "", `roles: [other]`: "",
		`roles: [payments-debug]`: policies.ApprovalStale} {
		f := cases.Copy(t, cases.Base(t).Facts)
		before := f.Base
		before.Commit = "before"
		if deny != "" {
			before = frozen(t, before, deny, "")
		}
		approved := f.Reviews[0].SubmittedAt
		f.Stood = []policies.Stood{
			{Tree: f.Base, Since: requests.At(approved.Add(time.Minute))},
			{Tree: before, Since: requests.At(approved.Add(-time.Hour)), First: true}}
		if d := cases.Base(t).Judge(f); d.Code != want {
			t.Errorf("approved under %q: %s %s", deny, d.Code, d.Message)
		}
	}
}
