package ledger

import (
	"slices"
	"testing"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// TestContainerOfAnEntry: an entry tells which container was decided, and it must be one that the
// judgement left open; of a command that names its own there is none to tell.
func TestContainerOfAnEntry(t *testing.T) {
	e := requests.Exec{Pod: "api-1", Command: []string{"date"}}
	item := requests.Item{Kind: requests.KubernetesExec, Name: "pullgrant-a", Namespace: "payments",
		Exec: &e, Containers: []string{"app", "side"}}
	judged := requests.Grant{Items: []requests.Item{item.Asked()}}
	binding := plan.Object{Kind: "RoleBinding", Namespace: "payments", Name: "pullgrant-a"}
	role := binding
	role.Kind = "Role"
	for container, want := range map[string]bool{"app": true, "side": true, "admin": false, "": false} {
		made := judged
		made.Items = []requests.Item{item.Decided(container)}
		if got := slices.Contains(grantRefs(judged, binding), grantRef(made, binding)); got != want {
			t.Errorf("an entry with the container %q: %t", container, got)
		}
		if refs := grantRefs(judged, role); grantRef(made, role).Container != "" ||
			!slices.Contains(refs, grantRef(made, role)) {
			t.Errorf("the Role's: %v", refs)
		}
	}
	named := e
	named.Container = "app"
	judged.Items = []requests.Item{{Kind: item.Kind, Name: item.Name, Namespace: item.Namespace,
		Exec: &named}}
	if refs := grantRefs(judged, binding); len(refs) != 1 || refs[0].Container != "" {
		t.Errorf("of a command that names its container: %v", refs)
	}
}
