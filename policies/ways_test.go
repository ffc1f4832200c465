package policies_test

import (
	"fmt"
	"testing"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
)

// TestWays: the cheapest way comes first, and a way that the rules refuse is none.
func TestWays(t *testing.T) {
	tree := policies.Tree{Owner: "acme", Files: map[string]policies.TreeFile{}}
	add := func(path, text string) {
		tree.Files[path] = policies.NewTreeFile(policies.PlainFile, "", []byte(text), int64(len(text)))
	}
	add(".github/CODEOWNERS", "* @acme/platform\n")
	add(policies.IdentitiesPath, `apiVersion: pullgrant.dev/v1alpha1
kind: IdentityMap
metadata: {name: identities}
spec:
  users:
    - {github: alice, githubID: 101, kubernetes: {username: alice@example.com}}
`)
	for role, verbs := range map[string][]string{"view": {"get", "list"}, "edit": {"get", "list", "delete"}} {
		data, err := rbac.NewCatalog("prod-eu", role, false, []rbac.RoleRule{{APIGroups: []string{""},
			Resources: []string{"pods"}, Verbs: verbs}}).Encode()
		if err != nil {
			t.Fatal(err)
		}
		add(rbac.CatalogPath("prod-eu", role), string(data))
	}
	const one = "{kind: CodeOwnerReview, count: 1}"
	policy := func(name, challenges, longest, grant string) {
		add(policies.Path(name), fmt.Sprintf(`apiVersion: pullgrant.dev/v1alpha1
kind: AccessPolicy
metadata: {name: %s}
spec:
  clusters: [prod-eu]
  subjects: [{kind: User, name: alice}]
  challenges: [%s]
  target:
    maxDuration: %s
    defaultDuration: 30m
    %s
    grants: [%s]
`, name, challenges, longest, map[bool]string{true: "mode: Impersonate"}[name == "everywhere"], grant))
	}
	binding := func(role string) string {
		return "{kind: KubernetesRoleBinding, allowedNamespaces: [a, b], roleRef: {kind: ClusterRole, name: " +
			role + "}}"
	}
	policy("costly", "{kind: CodeOwnerReview, count: 2}", "1h", binding("view"))
	policy("choice", "{kind: AnyOf, count: 1, challenges: ["+one+", {kind: CodeOwnerReview, count: 3}]}",
		"4h", binding("view"))
	policy("wide", one, "1h", binding("edit"))
	policy("long", one, "2h", binding("view"))
	policy("everywhere", one, "1h", "{kind: KubernetesClusterRoleBinding, roles: [edit, view]}")
	list := []requests.Forbidden{{User: "alice@example.com", Verb: "list", Resource: "pods",
		Namespace: "b"}}
	names := func(forbidden []requests.Forbidden) (got string) {
		var all []policies.Way
		for _, name := range tree.PolicyNames() {
			p, _, findings := tree.Policy(name)
			if len(findings) > 0 {
				t.Fatal(findings)
			}
			if way, ok, why := tree.Way(p, "prod-eu", "alice", forbidden); ok {
				all = append(all, way)
			} else if why.Code != "" {
				got += string(why.Code) + " "
			}
		}
		policies.SortWays(all)
		for _, way := range all {
			got += way.Spec.Policy + " " + way.Spec.Role + way.Spec.Namespace + " "
		}
		return got
	}
	if got, want := names(list), "long b choice b wide b everywhere view costly b "; got != want {
		t.Errorf("ways %q, want %q", got, want)
	}
	list[0].Verb = "delete"
	if got, want := names(list), "wide b everywhere edit "; got != want {
		t.Errorf("ways to delete %q, want %q", got, want)
	}
	list[0].Namespace = "" // of all namespaces
	if got, want := names(list), "everywhere edit "; got != want {
		t.Errorf("ways everywhere %q, want %q", got, want)
	}
	add("policies/rules/none.yaml", `apiVersion: pullgrant.dev/v1alpha1
kind: AccessRule
metadata: {name: none}
spec:
  deny: {clusters: [prod-eu], roles: [edit]}
  reason: nobody edits here, not even now
`)
	list[0].Namespace = "b"
	if got, want := names(list), "AccessDenied AccessDenied "; got != want {
		t.Errorf("ways against a rule %q, want %q", got, want)
	}
	if got := tree.Owners("policies/any.yaml"); len(got) != 1 || got[0] != "acme/platform" {
		t.Errorf("owners %q", got)
	}
}
