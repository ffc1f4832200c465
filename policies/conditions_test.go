package policies_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/testdata/cases"
)

// TestConditionsOnlyRefuse: whatever condition is added to the policy of a scenario, a refusal stays
// one, and what is allowed is refused by that condition or stays as it was.
func TestConditionsOnlyRefuse(t *testing.T) {
	expressions := []string{"true", "false", "request.duration <= duration('30m')",
		"request.notBefore > now", "now > timestamp('2026-11-23T09:50:00Z')",
		"request.namespaces.all(n, n == 'payments')", "requester.groups.exists(g, g == 'reviewers')",
		"request.roles.size() == 1 && request.resources == []"}
	const before = "\n  target:"
	all, refused, kept := scenarios(t), 0, 0
	for n, name := range slices.Sorted(maps.Keys(all)) {
		c := all[name]
		if strings.HasPrefix(name, "trust/") {
			continue
		}
		expression := expressions[n%len(expressions)]
		text := fmt.Sprintf("\n  conditions: [{expression: %q, message: an added condition}]%s",
			expression, before)
		judge := func(f policies.Facts) policies.Decision {
			if c.Merged {
				return policies.EvaluateMerged(f, c.Path, c.Blob, c.Now)
			}
			return policies.Evaluate(f.Base, f, c.Now)
		}
		was := judge(c.Facts)
		f := c.Facts
		f.Base = stricter(f.Base, before, text)
		if f.Merge != nil {
			merge := *f.Merge
			merge.FirstParent = stricter(merge.FirstParent, before, text)
			f.Merge = &merge
		}
		is := judge(f)
		switch {
		case was.Outcome != policies.Allowed && is.Outcome == policies.Allowed:
			t.Errorf("%s: %s (%s) without, and allowed with the condition %s", name, was.Outcome,
				was.Code, expression)
		case was.Outcome == policies.Allowed && is.Outcome != policies.Allowed:
			refused++
			if is.Code != policies.ConditionNotMet || is.Outcome != policies.Denied ||
				!strings.HasPrefix(is.Message, "an added condition (") {
				t.Errorf("%s: with the condition %s: %s %s: %s", name, expression, is.Outcome, is.Code,
					is.Message)
			}
		case was.Outcome == policies.Allowed:
			kept++
		}
	}
	if refused < 10 || kept < 10 {
		t.Errorf("%d refused and %d kept; the test has lost its teeth", refused, kept)
	}
}

// stricter is the tree with a text of its policy replaced by another, where it is there and has no
// conditions of its own.
func stricter(tree policies.Tree, old, text string) policies.Tree {
	const path = "policies/payments-debug.yaml"
	file, ok := tree.Files[path]
	if !ok || strings.Contains(file.Content, "conditions:") {
		return tree
	}
	content := strings.Replace(file.Content, old, text, 1)
	files := maps.Clone(tree.Files)
	files[path] = policies.NewTreeFile(file.Mode, file.Blob, []byte(content), int64(len(content)))
	return policies.Tree{Commit: tree.Commit, Owner: tree.Owner, Files: files}
}

// TestPreviewKnowsNoTime: before there is a pull request, what depends on a time that nobody told is
// left open, and what does not refuses.
func TestPreviewKnowsNoTime(t *testing.T) {
	base := exampleTree(t)
	const path = "policies/payments-debug.yaml"
	now, err := time.Parse(time.RFC3339, cases.Now)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		expression, spec string
		preview, known   policies.Code // of the refusal without and with a time
	}{
		{"now < timestamp('2020-01-01T00:00:00Z')", "", "", policies.ConditionNotMet},
		{"now > timestamp('2020-01-01T00:00:00Z')", "", "", ""},
		{"now > timestamp('2020-01-01T00:00:00Z') && request.cluster == 'staging'", "",
			policies.ConditionNotMet, policies.ConditionNotMet},
		{"now < timestamp('2020-01-01T00:00:00Z') || request.cluster == 'prod-eu'", "", "", ""},
		{"request.duration > duration('3h')", "until: 2026-11-23T11:00:00Z, ", "",
			policies.ConditionNotMet},
		{"request.duration > duration('3h')", "until: 2026-11-23T11:00:00Z, " +
			"notBefore: 2026-11-23T10:30:00Z, ", policies.ConditionNotMet, policies.ConditionNotMet},
		{"request.duration > duration('3h')", "", policies.ConditionNotMet,
			policies.ConditionNotMet},
		{"has(request.notBefore)", "extends: 20261123-alice-old, ", "", ""}, // refused once it is known
		{"has(request.notBefore)", "", policies.ConditionNotMet, policies.ConditionNotMet},
	} {
		tree := with(t, base, path, "  target:", fmt.Sprintf(
			"  conditions: [{expression: %q, message: not now}]\n  target:", c.expression))
		text := "apiVersion: pullgrant.dev/v1alpha1\nkind: AccessRequest\n" +
			"metadata: {name: 20261123-alice-new}\nspec: {cluster: prod-eu, policy: payments-debug, " +
			"requester: alice, " + c.spec + "reason: INC-123 is slow}\n"
		file := policies.NewTreeFile("100644", "blob", []byte(text), int64(len(text)))
		name := "requests/prod-eu/payments-debug/20261123-alice-new.yaml"
		if d := policies.Preview(tree, name, file); d.Code != c.preview {
			t.Errorf("%s: without a time %q: %s, want %q", c.expression, d.Code, d.Message, c.preview)
		}
		known := policies.Facts{}
		known.ObservedAt.Time = now
		if d := policies.Ask(tree, name, file, known); d.Code != c.known {
			t.Errorf("%s: at %s %q: %s, want %q", c.expression, now, d.Code, d.Message, c.known)
		}
	}
}

// TestGroupsInConditions: the groups of groups.yaml that the requester is in, whatever the case of
// letters.
func TestGroupsInConditions(t *testing.T) {
	base := exampleTree(t)
	tree := with(t, base, "policies/payments-debug.yaml", "  target:",
		"  conditions: [{expression: \"requester.groups == ['apes', 'developers', 'squad-b']\", "+
			"message: 'for apes of squad-b'}]\n  target:")
	tree = with(t, tree, "policies/groups.yaml", "  groups:",
		"  groups:\n    - {name: apes, members: [ALICE]}")
	text := "apiVersion: pullgrant.dev/v1alpha1\nkind: AccessRequest\n" +
		"metadata: {name: 20261123-alice-new}\nspec: {cluster: prod-eu, policy: payments-debug, " +
		"requester: alice, reason: INC-123 is slow}\n"
	file := policies.NewTreeFile("100644", "blob", []byte(text), int64(len(text)))
	name := "requests/prod-eu/payments-debug/20261123-alice-new.yaml"
	if d := policies.Preview(tree, name, file); d.Code != policies.ConditionNotMet {
		t.Errorf("outside the group: %s %s", d.Code, d.Message)
	}
	tree = with(t, tree, "policies/groups.yaml", "members: [bob", "members: [alice, bob")
	if d := policies.Preview(tree, name, file); d.Outcome != policies.Allowed {
		t.Errorf("in the groups: %s %s", d.Code, d.Message)
	}
}
