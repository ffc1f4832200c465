package rbac_test

import (
	"slices"
	"testing"

	"github.com/pullgrant/pullgrant/policies/rbac"
)

func TestAllows(t *testing.T) {
	rules := []rbac.RoleRule{
		{APIGroups: []string{""}, Resources: []string{"pods", "pods/log"},
			Verbs: []string{"get", "list"}},
		{APIGroups: []string{"apps"}, Resources: []string{"deployments"},
			ResourceNames: []string{"api"}, Verbs: []string{"get", "create", "patch"}},
		{APIGroups: []string{"batch"}, Resources: []string{"*"}, Verbs: []string{"*"}},
		{APIGroups: []string{"*"}, Resources: []string{"*/scale"}, Verbs: []string{"update"}},
	}
	for _, c := range []struct {
		access rbac.Access
		want   bool
		names  []string
	}{
		{access: rbac.Access{Verb: "get", Resource: "pods"}, want: true},
		{access: rbac.Access{Verb: "get", Resource: "pods", Name: "api-1"}, want: true},
		{access: rbac.Access{Verb: "get", Resource: "pods/log"}, want: true},
		{access: rbac.Access{Verb: "create", Resource: "pods/exec"}},
		{access: rbac.Access{Verb: "delete", Resource: "pods"}},
		{access: rbac.Access{Verb: "get", Group: "metrics.k8s.io", Resource: "pods"}},
		{access: rbac.Access{Verb: "patch", Group: "apps", Resource: "deployments"},
			names: []string{"api"}},
		{access: rbac.Access{Verb: "patch", Group: "apps", Resource: "deployments", Name: "api"},
			want: true},
		{access: rbac.Access{Verb: "patch", Group: "apps", Resource: "deployments", Name: "web"},
			names: []string{"api"}},
		// whoever creates an object does not name it, so a name allows nothing
		{access: rbac.Access{Verb: "create", Group: "apps", Resource: "deployments", Name: "api"}},
		{access: rbac.Access{Verb: "deletecollection", Group: "batch", Resource: "jobs"}, want: true},
		{access: rbac.Access{Verb: "get", Group: "batch", Resource: "jobs/status"}, want: true},
		{access: rbac.Access{Verb: "update", Group: "apps", Resource: "deployments/scale"}, want: true},
		{access: rbac.Access{Verb: "update", Group: "apps", Resource: "deployments/status"}},
	} {
		got, names := rbac.Allows(rules, c.access)
		if got != c.want || !slices.Equal(names, c.names) {
			t.Errorf("%+v: %v %v, want %v %v", c.access, got, names, c.want, c.names)
		}
	}
}
