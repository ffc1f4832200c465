package policies_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/cases"
	"github.com/pullgrant/pullgrant/testdata/roles"
)

// dangerous is the example repository with a role that makes tokens and may impersonate, of which
// its policy names what is given.
func dangerous(t *testing.T, named string) policies.Tree {
	t.Helper()
	rules := []rbac.RoleRule{{APIGroups: []string{""}, Resources: []string{"serviceaccounts/token"},
		Verbs: []string{"create"}}, {APIGroups: []string{""}, Resources: []string{
		"serviceaccounts"}, Verbs: []string{"impersonate"}}}
	tree := exampleTree(t)
	for name, content := range roles.File("prod-eu", "payments-debug", rules) {
		tree = with(t, tree, name, tree.Files[name].Content, content)
	}
	if named == "" {
		return tree
	}
	return with(t, tree, policies.Path("payments-debug"), "    grants:", "    allowDangerous: "+
		"[{role: payments-debug, dangers: ["+named+"]}]\n    grants:")
}

// TestDangersAreTold: who reviews a change of the policy, or a request under it, is told.
func TestDangersAreTold(t *testing.T) {
	before, after := exampleTree(t), dangerous(t, "tokens, impersonate")
	const tokens = "access may be kept beyond its end: whoever is given payments-debug can make tokens"
	widened := policies.Widened(before, after)
	if len(widened) != 2 || !strings.Contains(widened[0], tokens) ||
		!strings.HasSuffix(widened[1], "(impersonate)") {
		t.Errorf("a policy that comes to name dangers: %q", widened)
	}
	if widened := policies.Widened(after, before); len(widened) > 0 {
		t.Errorf("one that ceases to: %q", widened)
	}
	one := dangerous(t, "tokens")
	if widened := policies.Widened(one, after); len(widened) != 1 ||
		!strings.HasSuffix(widened[0], "(impersonate)") {
		t.Errorf("one more danger: %q", widened)
	}
	path := policies.Path("payments-debug")
	alone := policies.Tree{Files: map[string]policies.TreeFile{path: after.Files[path]}}
	if widened := policies.Widened(policies.Tree{}, alone); len(widened) != 3 ||
		!strings.Contains(widened[1], tokens) {
		t.Errorf("a new policy: %q", widened)
	}

	f := cases.Base(t).Facts
	d := policies.Preview(after, cases.Path, f.Head.Files[cases.Path])
	if len(d.Roles) != 1 || d.Roles[0].Risks[0] != (rbac.Risk{Code: "danger-allowed", High: true,
		Text: "can keep access beyond its end, and the policy lets it be given all the same: " +
			"tokens, impersonate"}) {
		t.Errorf("a request: %s %+v", d.Code, d.Roles)
	}
}

// TestDangersAreFoundInThePolicy: before anybody asks, and no right is rendered for the agent.
func TestDangersAreFoundInThePolicy(t *testing.T) {
	for named, want := range map[string]int{"": 1, "tokens": 1, "tokens, impersonate": 0,
		"rbac, escalate, bind": 1} {
		tree := dangerous(t, named)
		_, offered := tree.Grantable("prod-eu")
		for what, findings := range map[string][]requests.Finding{"check": tree.Check(),
			"install": offered} {
			found := slices.DeleteFunc(slices.Clone(findings), func(f requests.Finding) bool {
				return f.Rule != policies.RuleDanger
			})
			if len(found) != want {
				t.Errorf("%s with [%s] named: %v", what, named, findings)
			}
		}
	}
}

// TestDangerIsNamedNoMore: what lives under a policy that ceases to name a danger ends.
func TestDangerIsNamedNoMore(t *testing.T) {
	grant := requests.Grant{Name: "20261123-alice-inc-123", Path: cases.Path,
		Cluster: "prod-eu", Policy: "payments-debug", Requester: "alice",
		Subject: requests.Subject{Kind: requests.KindUser, Name: "alice@example.com"},
		Items: []requests.Item{{Kind: requests.KubernetesRoleBinding, Namespace: "payments",
			Role: requests.Role{Kind: requests.KindClusterRole, Name: "payments-debug"}}}}
	unknown := dangerous(t, "")
	delete(unknown.Files, rbac.CatalogPath("prod-eu", "payments-debug"))
	for what, c := range map[string]struct {
		tree policies.Tree
		want string
	}{
		"named":           {dangerous(t, "tokens, impersonate"), ""},
		"one of two":      {dangerous(t, "tokens"), requests.CausePolicyChanged},
		"none":            {dangerous(t, ""), requests.CausePolicyChanged},
		"no longer known": {unknown, ""},
	} {
		got := policies.Drift(c.tree, []requests.Grant{grant}, time.Time{})[grant.Path]
		if got != c.want {
			t.Errorf("%s: %q, want %q", what, got, c.want)
		}
	}
}
