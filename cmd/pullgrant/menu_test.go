package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/policies"
)

const menuHead = `apiVersion: pullgrant.dev/v1alpha1
kind: AccessPolicy
metadata: {name: p}
spec:
  clusters: [prod-eu]
  subjects: [{kind: User, name: alice}]
  challenges: [{kind: CodeOwnerReview, count: 1}]
`

// TestMenu: what is asked for, in which order, and which answers are none.
func TestMenu(t *testing.T) {
	for name, test := range map[string]struct {
		policy string // what follows its head
		given  string // flags, with spaces between
		whole  bool
		asked  []string // flag=answer, in their order; an answer behind ! is refused
	}{
		"what has a default is left out": {`  target: {defaultDuration: 1h, maxDuration: 2h, grants: [
    {kind: KubernetesRoleBinding, defaultNamespace: a, allowedNamespaces: [a, b],
     roleRef: {kind: ClusterRole, name: r}}]}
`, "--policy p --cluster prod-eu", false, []string{"reason=!short", "reason=INC-123, it is slow"}},
		"or asked": {`  target: {defaultDuration: 1h, maxDuration: 2h, grants: [
    {kind: KubernetesRoleBinding, defaultNamespace: a, allowedNamespaces: [a, b],
     roleRef: {kind: ClusterRole, name: r}}]}
`, "", true, []string{"policy=!q", "policy=p", "cluster=prod-eu", "namespace=!c", "namespace=b", "duration=!1.5h",
			"duration=!3h", "duration=2h", "reason=INC-123, it is slow"}},
		"what has none is asked": {`  fields: [{name: sure, type: boolean, required: true}, {name: note, type: string}]
  target: {maxDuration: 2h, grants: [
    {kind: KubernetesClusterRoleBinding, roles: [r, s]}], mode: Impersonate}
`, "--policy p --cluster prod-eu --reason=INC-123,slow", false, []string{"role=!q", "role=s", "duration=!",
			"duration=30m", "field sure=!yes", "field sure=true"}},
		"a command where they can be listed": {`  target: {maxDuration: 2h, grants: [
    {kind: KubernetesExec, defaultNamespace: a, allowedNamespaces: [a], containers: [app], once: true,
     deployments: [web], pods: [db-0], commands: [[date], [cat, /etc/hosts]]}]}
`, "--policy p --cluster prod-eu --reason=INC-123,slow", false, []string{"exec=!api", "exec=deployment/web",
			"command=!ls", "command=cat /etc/hosts"}},
		"a command by its pattern": {`  target: {maxDuration: 2h, defaultDuration: 1h, grants: [
    {kind: KubernetesExec, defaultNamespace: a, allowedNamespaces: [a], containers: [app], pods: [db-*],
     commands: [[cat, /etc/*]]}]}
`, "--policy p --cluster prod-eu --reason=INC-123,slow", false, []string{"exec=!db 1", "exec=db-1",
			"command=!cat /proc/1/environ", "command=cat /etc/hosts"}},
		"objects where they can be listed": {`  target: {maxDuration: 2h, defaultDuration: 1h, grants: [
    {kind: KubernetesResourceRole, defaultNamespace: a, allowedNamespaces: [a], roleRef: {kind: ClusterRole, name: r},
     resources: [{resource: pods, names: [db-0, db-1]}]}]}
`, "--policy p --cluster prod-eu --reason=INC-123,slow", false, []string{"resource=!pods/db-2",
			"resource=pods/db-1"}},
	} {
		t.Run(name, func(t *testing.T) {
			content := []byte(menuHead + test.policy)
			if _, findings := policies.ParsePolicy(policies.Path("p"), content); len(findings) > 0 {
				t.Fatal(findings)
			}
			identities := []byte("apiVersion: pullgrant.dev/v1alpha1\nkind: IdentityMap\n" +
				"metadata: {name: identities}\nspec: {users: [{github: alice, githubID: 1, " +
				"kubernetes: {username: alice}}]}\n")
			owners := []byte("* @bob\n")
			m := menu{names: []string{"p"}, login: "alice", now: time.Now(), whole: test.whole,
				settled: map[string]bool{}, tree: policies.Tree{Files: map[string]policies.TreeFile{}}}
			for path, data := range map[string][]byte{policies.Path("p"): content,
				policies.IdentitiesPath: identities, ".github/CODEOWNERS": owners} {
				m.tree.Files[path] = policies.NewTreeFile(policies.PlainFile, "", data, int64(len(data)))
			}
			var o requestOptions
			cmd := &cobra.Command{}
			o.askFlags(cmd)
			if err := cmd.ParseFlags(strings.Fields(test.given)); err != nil {
				t.Fatal(err)
			}
			for _, step := range test.asked {
				flag, answer, _ := strings.Cut(step, "=")
				answer, wrong := strings.CutPrefix(answer, "!")
				q, more := o.next(m)
				if !more || q.flag != flag {
					t.Fatalf("asks for %q, want %q", q.flag, step)
				}
				if problem := o.answer(cmd, m, q, answer); (problem != "") != wrong {
					t.Fatalf("%s: %q", step, problem)
				}
			}
			if q, more := o.next(m); more {
				t.Errorf("asks for %q too", q.flag)
			}
		})
	}
}

// TestCommandLine: what was given and answered goes through a shell as it is.
func TestCommandLine(t *testing.T) {
	var o requestOptions
	root := &cobra.Command{Use: "pullgrant",
		Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl pullgrant"}}
	cmd := &cobra.Command{Use: "request"}
	root.AddCommand(cmd)
	o.askFlags(cmd)
	o.proposeFlags(cmd)
	given := []string{"--reason", "it's `slow` $HOME; rm -rf /", "--policy", "p", "--grant", "a", "--grant",
		"b", "--auto-merge=false", "--yes"}
	if err := cmd.ParseFlags(given); err != nil {
		t.Fatal(err)
	}
	o.command = []string{"cat", "/etc/*"}
	const want = "kubectl pullgrant request --policy p --grant a --grant b " +
		`--reason 'it'\''s ` + "`slow` $HOME; rm -rf /'" + ` --auto-merge=false --yes -- cat '/etc/*'`
	if got := o.commandLine(cmd); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestNearest(t *testing.T) {
	all := []string{"payments-debug", "orders", "prod-eu"}
	for meant, want := range map[string]string{"payment-debug": "payments-debug", "order": "orders",
		"prod-us": "prod-eu", "x": "", "": "", "orders": "", "something-else": ""} {
		if got := nearest(meant, slices.Clone(all)); got != want {
			t.Errorf("nearest(%q) is %q, want %q", meant, got, want)
		}
	}
}
