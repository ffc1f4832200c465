package policies_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
)

// withPods is the example with a policy that gives pods by what matches, and config maps only by
// their names.
func withPods(t *testing.T, resources string) policies.Tree {
	t.Helper()
	tree := with(t, exampleTree(t), "policies/pods.yaml", "", `apiVersion: pullgrant.dev/v1alpha1
kind: AccessPolicy
metadata: {name: pods}
spec:
  clusters: [prod-eu]
  subjects: [{kind: User, name: alice}]
  challenges: [{kind: PeerReview, reviewers: [{kind: User, name: carol}], count: 1}]
  target:
    defaultDuration: 1h
    maxDuration: 2h
    grants:
      - kind: KubernetesResourceRole
        defaultNamespace: payments
        allowedNamespaces: [payments]
        roleRef: {kind: ClusterRole, name: pod-reader}
        resources: `+resources+"\n")
	role := rbac.NewCatalog("prod-eu", "pod-reader", false, []rbac.RoleRule{
		{APIGroups: []string{""}, Resources: []string{"pods", "pods/log", "configmaps", "secrets"},
			Verbs: []string{"get", "list"}},
		{APIGroups: []string{""}, Resources: []string{"services"}, ResourceNames: []string{"api-*"},
			Verbs: []string{"get"}},
	})
	data, err := role.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return with(t, tree, rbac.CatalogPath("prod-eu", "pod-reader"), "", string(data))
}

func asked(tree policies.Tree, fields string) policies.Decision {
	const name = "requests/prod-eu/pods/20261123-alice-inc-123.yaml"
	content := "apiVersion: pullgrant.dev/v1alpha1\nkind: AccessRequest\n" +
		"metadata: {name: 20261123-alice-inc-123}\nspec:\n  cluster: prod-eu\n  policy: pods\n" +
		"  requester: alice\n  reason: looking after incident 123\n"
	for line := range strings.Lines(fields) {
		content += "  " + line
	}
	return policies.Preview(tree, name, policies.NewTreeFile(policies.PlainFile, "blob",
		[]byte(content), int64(len(content))))
}

const manyPods = `[{resource: pods, names: ["nginx-*"], patterns: true, selectors: true}, ` +
	`{resource: pods, names: ["api-*"], verbs: [get], patterns: true}, ` +
	`{resource: pods, names: ["db-1"]}, {resource: configmaps, names: ["*"]}, ` +
	`{resource: services, names: ["*"], patterns: true}]`

// TestPatterns: what a policy lets be asked for by a pattern or by labels, and what becomes of it.
func TestPatterns(t *testing.T) {
	tree := withPods(t, manyPods)
	for _, c := range []struct{ asks, want string }{
		{"resources: [pods/nginx-1]", "pods/log:get,list nginx-1; pods:get,list nginx-1"},
		{"resources: [pods/nginx-a-*]", "pods/log:get,list [nginx-a-* within nginx-*]; " +
			"pods:get,list [nginx-a-* within nginx-*]"},
		{`resources: ["pods/^nginx-[a-z0-9-]+$", pods/nginx-1]`,
			"pods/log:get,list nginx-1 [^nginx-[a-z0-9-]+$ within nginx-*]; " +
				"pods:get,list nginx-1 [^nginx-[a-z0-9-]+$ within nginx-*]"},
		{"resources: [pods]\nselector: app in (a, b)",
			"pods/log:get,list [app in (a, b) within nginx-*]; " +
				"pods:get,list [app in (a, b) within nginx-*]"},
		{`resources: ["pods/*"]`, "pods/log:get [* within api-*]; pods/log:get,list [* within nginx-*]; " +
			"pods:get [* within api-*]; pods:get,list [* within nginx-*]"},
		{"resources: [pods]", "ResourceNotAllowed pods has no name"},
		{"resources: [pods/nginx-1]\nselector: app=a", "ResourceNotAllowed it is about " +
			"resources without"},
		{"resources: [pods/db-*]", "ResourceNotAllowed the policy does not give"},
		{"resources: [pods/^db-1$]", "ResourceNotAllowed the policy does not give"},
		{"resources: [configmaps/a-*]", "ResourceNotAllowed the policy does not give"},
		{"resources: [configmaps]\nselector: app=a", "ResourceNotAllowed the policy does not give"},
		{"resources: [services]\nselector: app=a", "ResourceNotAllowed the policy does not give"},
		{"resources: [secrets/a-*]", "ResourceNotAllowed the policy does not give"},
		// of a role that gives some by name, a pattern gives none, whatever these names are
		{"resources: [services/api-*]", "NothingToGrant the role pod-reader allows nothing"},
		{"resources: [pods/nginx-(]", "SchemaError it must be a kind and the name"},
		{"resources: [pods/^a)|(b$]", "SchemaError it must be the name of one object"},
		{"resources: [pods]\nselector: a>1", "SchemaError label selector"},
	} {
		d := asked(tree, c.asks)
		got := fmt.Sprintf("%s %s", d.Code, d.Message)
		if d.Grant != nil && d.Outcome == policies.Allowed {
			got = inRules(d.Grant.Items[0].Allows)
		}
		code, message, refused := strings.Cut(c.want, " ")
		if same := got == c.want || refused && strings.HasPrefix(got, code+" ") &&
			strings.Contains(got, message); !same {
			t.Errorf("%s: %s\nwant %s", c.asks, got, c.want)
		}
	}
}

func inRules(rules []requests.Rule) string {
	var all []string
	for _, r := range rules {
		text := r.Key()
		for _, name := range r.Names {
			text += " " + name
		}
		for _, m := range r.Match {
			text += fmt.Sprintf(" [%s within %s]", m, strings.Join(m.Within, ","))
		}
		all = append(all, text)
	}
	return strings.Join(all, "; ")
}

// TestPatternsAreTold: who approves learns who else decides over what matches.
func TestPatternsAreTold(t *testing.T) {
	tree := withPods(t, manyPods)
	d := asked(tree, "resources: [pods/nginx-a-*]")
	if len(d.Roles) != 1 || len(d.Roles[0].Risks) != 1 ||
		!strings.Contains(d.Roles[0].Risks[0].Text,
			"whoever can create or label some there can make one match") ||
		!strings.Contains(d.Roles[0].Risks[0].Text, "nginx-*") {
		t.Errorf("%+v", d.Roles)
	}
	if d := asked(tree, "resources: [pods/nginx-1]"); len(d.Roles[0].Risks) != 0 {
		t.Errorf("one object: %+v", d.Roles)
	}
	if got, want := asked(tree, "resources: [pods]\nselector: app=a").Grant.Items[0].String(),
		"ClusterRole pod-reader on pods with app=a, as they come and go, in namespace payments"; got !=
		want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestPatternsOfSecretsAreRefused by the policy's own reading.
func TestPatternsOfSecretsAreRefused(t *testing.T) {
	for resources, want := range map[string]string{
		`[{resource: secrets, names: [a], patterns: true}]`:                         "list Secrets",
		`[{resource: secrets, names: [a], selectors: true}]`:                        "list Secrets",
		`[{resource: roles.rbac.authorization.k8s.io, names: [a], patterns: true}]`: "any name",
		`[{resource: secrets, names: [a], patterns: false}]`:                        "",
	} {
		tree := withPods(t, resources)
		_, findings := policies.ParsePolicy("policies/pods.yaml",
			[]byte(tree.Files["policies/pods.yaml"].Content))
		if len(findings) != 0 && want == "" || want != "" && (len(findings) != 1 ||
			findings[0].Rule != "pattern" || !strings.Contains(findings[0].Message, want)) {
			t.Errorf("%s: %v, want %q", resources, findings, want)
		}
	}
}

// TestPatternsNeedANamespace: in the whole cluster names are not kept current.
func TestPatternsNeedANamespace(t *testing.T) {
	tree := withPods(t, `[{resource: pods, names: [a], verbs: [get], patterns: true}]`)
	tree = with(t, tree, "policies/pods.yaml", "defaultNamespace: payments\n        "+
		"allowedNamespaces: [payments]", "scope: AllNamespaces")
	tree = with(t, tree, "policies/pods.yaml", "maxDuration: 2h", "maxDuration: 2h\n    mode: Impersonate")
	_, findings := policies.ParsePolicy("policies/pods.yaml",
		[]byte(tree.Files["policies/pods.yaml"].Content))
	if len(findings) != 1 || !strings.Contains(findings[0].Message, "with scope names are not kept") {
		t.Error(findings)
	}
}

// TestPatternsDrift: a policy that gives less than what matched by it ends the grant, and one that
// gives more is told as widening.
func TestPatternsDrift(t *testing.T) {
	const names = `names: ["nginx-*"], patterns: true, selectors: true`
	tree := withPods(t, manyPods)
	for asks, narrower := range map[string]map[string]bool{ // whether the grant stays
		"resources: [pods/nginx-a-*]": {
			`names: ["nginx-*", "x-*"], patterns: true`:        true,
			`names: ["ngin*"], patterns: true`:                 true,
			`names: ["nginx-a-*"], patterns: true`:             false,
			`names: ["nginx-*"], selectors: true`:              false,
			`names: ["nginx-*"]`:                               false,
			`names: ["nginx-*"], patterns: true, verbs: [get]`: false},
		"resources: [pods]\nselector: app=a": {`names: ["nginx-*"], selectors: true`: true,
			`names: ["nginx-*"], patterns: true`: false},
		"resources: [pods/nginx-1]": {`names: ["nginx-*"]`: true},
	} {
		grant := *asked(tree, asks).Grant
		for text, stays := range narrower {
			later := with(t, tree, "policies/pods.yaml", names, text)
			if got := policies.Drift(later, []requests.Grant{grant}, time.Time{})[grant.Path]; (got == "") != stays {
				t.Errorf("%s with %s: %q", asks, text, got)
			}
		}
	}
	narrow := with(t, tree, "policies/pods.yaml", names, `names: ["nginx-*"]`)
	if got := strings.Join(policies.Widened(narrow, tree), "\n"); !strings.Contains(got,
		"it gives ClusterRole pod-reader on pods/nginx-*, ") || !strings.Contains(got,
		"as they come and go") {
		t.Errorf("widened: %q", got)
	}
	if got := policies.Widened(tree, narrow); len(got) != 0 {
		t.Errorf("narrowed: %q", got)
	}
}
