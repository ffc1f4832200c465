package main

import (
	"slices"
	"testing"

	"github.com/pullgrant/pullgrant/policies"
)

func TestParseOrigin(t *testing.T) {
	for origin, want := range map[string][2]string{
		"https://github.com/acme/access.git":      {"github.com", "acme/access"},
		"https://github.com/acme/access":          {"github.com", "acme/access"},
		"http://127.0.0.1:8080/acme/access.git":   {"127.0.0.1:8080", "acme/access"},
		"git@github.com:acme/access.git":          {"github.com", "acme/access"},
		"github.com:acme/access":                  {"github.com", "acme/access"},
		"ssh://git@github.com/acme/access.git":    {"github.com", "acme/access"},
		"ssh://git@github.com:22/acme/access.git": {"github.com", "acme/access"},
	} {
		if host, repo, ok := parseOrigin(origin); !ok || host != want[0] || repo != want[1] {
			t.Errorf("%s: %q, %q, %t; want %q", origin, host, repo, ok, want)
		}
	}
	for _, origin := range []string{"", "/srv/git/access.git", "../access",
		"file:///srv/access.git",
		"https://github.com/access",
		"https://github.com/a/b/c", "git@github.com:/srv/access.git", "C:\\access"} {
		if host, repo, ok := parseOrigin(origin); ok {
			t.Errorf("%q was taken for %s on %s", origin, repo, host)
		}
	}
}

func TestWebHost(t *testing.T) {
	for api, want := range map[string]string{"https://api.github.com": "github.com",
		"https://api.acme.ghe.com/":          "acme.ghe.com",
		"https://github.acme.example/api/v3": "github.acme.example",
		"http://127.0.0.1:80":                "127.0.0.1:80"} {
		if got, err := webHost(api); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", api, got, err, want)
		}
	}
}

func TestReviewers(t *testing.T) {
	file := func(content string) policies.TreeFile {
		return policies.NewTreeFile("100644", "", []byte(content), int64(len(content)))
	}
	tree := policies.Tree{Owner: "acme", Files: map[string]policies.TreeFile{
		".github/CODEOWNERS": file("/requests/prod-eu/ @erin @acme/owners @elsewhere/owners @alice\n"),
		policies.Path("debug"): file(`apiVersion: pullgrant.dev/v1alpha1
kind: AccessPolicy
metadata: {name: debug}
spec:
  clusters: [prod-eu]
  subjects: [{kind: User, name: alice}]
  challenges:
    - {kind: CodeOwnerReview, count: 1}
    - {kind: PeerReview, reviewers: [{kind: Group, name: bob}, {kind: User, name: Carol},
        {kind: Group, name: acme/squad-b}], count: 1}
  target: {maxDuration: 1h, grants: [
    {kind: KubernetesRoleBinding, allowedNamespaces: [a], roleRef: {kind: ClusterRole, name: r}}]}
`),
		// The name of this group is also somebody's login, who was never asked.
		policies.GroupsPath: file(`apiVersion: pullgrant.dev/v1alpha1
kind: GroupMap
metadata: {name: groups}
spec: {groups: [{name: bob, members: [Alice, dave]}]}
`),
	}}
	policy, _, findings := tree.Policy("debug")
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	got := reviewers(tree, policy, "prod-eu", "ALICE")
	if want := []string{"erin", "Carol", "dave"}; !slices.Equal(got.users, want) {
		t.Errorf("users %q, want %q", got.users, want)
	}
	if want := []string{"owners", "squad-b"}; !slices.Equal(got.teams, want) {
		t.Errorf("teams %q, want %q", got.teams, want)
	}
}
