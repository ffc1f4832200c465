package rbac_test

import (
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/policies/rbac"
)

// TestReaches: what a rule allows on a kind, by whatever name it says so; each line is groups, and
// resources of a rule, then kinds that it reaches and kinds that it does not.
func TestReaches(t *testing.T) {
	for line := range strings.Lines(strings.TrimSpace(`
core secrets | secrets | pods secrets/x secrets.apps
core pods/log | pods pods/log | pods/exec secrets events
core pods | pods | pods/exec deployments.apps
core,apps deployments/scale | deployments.apps deployments.apps/scale deployments | deployments.apps/status
* deployments | deployments.apps deployments.example.com | deployments.apps/scale
core * | secrets pods pods/exec | deployments.apps
* * | secrets deployments.apps/scale widgets.example.com | none.
apps */scale | deployments.apps deployments.apps/scale | deployments.apps/status pods/scale
core sec* | none. | secrets
core pods/* | none. | pods pods/exec
`)) {
		parts := strings.Split(strings.TrimSpace(line), " | ")
		head := strings.Fields(parts[0])
		rule := rbac.RoleRule{APIGroups: strings.Split(strings.ReplaceAll(head[0], "core", ""), ","),
			Resources: strings.Split(head[1], ","), ResourceNames: []string{"one"}, Verbs: []string{"get"}}
		for n, want := range []bool{true, false} {
			for _, kind := range strings.Fields(parts[n+1]) {
				if kind == "none." {
					continue
				}
				if got := rbac.Reaches([]rbac.RoleRule{{APIGroups: []string{"x"},
					Resources: []string{"y"}, Verbs: []string{"get"}}, rule}, kind); got != want {
					t.Errorf("%s reaches %s: %t, want %t", parts[0], kind, got, want)
				}
			}
		}
	}
	if rbac.Reaches([]rbac.RoleRule{{NonResourceURLs: []string{"/*"}, Verbs: []string{"*"}}}, "pods") {
		t.Error("a path of the API server is no object")
	}
}
