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
	open := cat
	open.Exec, open.Containers = &requests.Exec{Pod: "api-1", Command: []string{"date"}},
		[]string{"app", "side"}
	pods := cat
	pods.Exec = &requests.Exec{Deployment: "nginx", Container: "app", Command: []string{"date"}}
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
		{open, "kubectl -n payments exec api-1 -- date", ""},
		{pods, "kubectl -n payments exec POD -c app -- date", ""},
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

// TestCommandInAPodThatThereIs: whoever knows the pods of a Deployment names one, and of a pod
// nothing else.
func TestCommandInAPodThatThereIs(t *testing.T) {
	item := requests.Item{Kind: requests.KubernetesExec, Namespace: "payments"}
	for want, e := range map[string]requests.Exec{
		"kubectl -n payments exec nginx-1 -c app -- date": {Deployment: "nginx"},
		"kubectl -n payments exec api-1 -c app -- date":   {Pod: "api-1"},
	} {
		e.Container, e.Command = "app", []string{"date"}
		item.Exec = &e
		g := requests.Grant{Items: []requests.Item{item}}
		if got := g.Commands(func(requests.Item) string { return "nginx-1" }); !slices.Equal(got,
			[]string{want}) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
