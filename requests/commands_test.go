package requests_test

import (
	"slices"
	"testing"

	"github.com/pullgrant/pullgrant/requests"
)

// TestCommandsThatUseAGrant holds what is typed for each kind of grant, in each mode.
func TestCommandsThatUseAGrant(t *testing.T) {
	binding := requests.Item{Kind: requests.KubernetesRoleBinding, Namespace: "payments"}
	wide := requests.Item{Kind: requests.KubernetesClusterRoleBinding}
	cat := requests.Item{Kind: requests.KubernetesExec, Namespace: "payments", Exec: &requests.Exec{
		Pod: "api-1", Container: "app", Command: []string{"cat", "/my/app/config/*"}}}
	shell := cat
	shell.Exec = &requests.Exec{Pod: "api-1", Container: "app", Stdin: true, Terminal: true,
		Command: []string{"/bin/sh", "-c", "echo it's $HOME", ""}}
	whatever := cat
	whatever.Exec = &requests.Exec{Pod: "api-1", Container: "app", Stdin: true}
	const as = "pullgrant exec 20261122-alice-inc-123 -- "
	for _, c := range []struct {
		item           requests.Item
		direct, asking string // by mode
	}{
		{binding, "", "kubectl -n payments ARGUMENT..."},
		{wide, "", "kubectl ARGUMENT..."},
		{cat, "kubectl -n payments exec api-1 -c app -- cat /my/app/config/FILE", ""},
		{shell, `kubectl -n payments exec -it api-1 -c app -- /bin/sh -c 'echo it'\''s $HOME' ''`,
			""},
		{whatever, "kubectl -n payments exec -i api-1 -c app -- COMMAND ARGUMENT...", ""},
	} {
		var want []string
		if c.direct != "" {
			want = []string{c.direct}
		}
		g := requests.Grant{Name: "20261122-alice-inc-123", Items: []requests.Item{c.item}}
		if got := g.Commands(nil); !slices.Equal(got, want) {
			t.Errorf("%s as oneself: %q, want %q", c.item, got, want)
		}
		g.Items[0].Mode = requests.ModeImpersonate
		if got, want := g.Commands(nil), []string{as + c.asking + c.direct}; !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", g.Items[0], got, want)
		}
	}
}
