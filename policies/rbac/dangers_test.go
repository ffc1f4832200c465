package rbac_test

import (
	"slices"
	"testing"

	"github.com/pullgrant/pullgrant/policies/rbac"
)

// TestDangers has one right for each way to keep access: whether it is a danger depends on where
// the role is bound.
func TestDangers(t *testing.T) {
	const group, admission = "rbac.authorization.k8s.io", "admissionregistration.k8s.io"
	everywhere := []rbac.Scope{rbac.InCluster, rbac.InNamespace}
	wide := []rbac.Scope{rbac.InCluster}
	shown := map[string]bool{}
	for _, c := range []struct {
		danger, group, resource, verb string
		at                            []rbac.Scope
	}{
		{"rbac", group, "rolebindings", "create", everywhere},
		{"rbac", group, "roles", "patch", everywhere},
		{"rbac", "*", "*", "update", everywhere},
		{"rbac", group, "clusterrolebindings", "create", wide},
		{"rbac", group, "clusterroles", "update", wide},
		{"escalate", group, "roles", "escalate", everywhere},
		{"escalate", group, "clusterroles", "*", everywhere},
		{"bind", group, "clusterroles", "bind", everywhere},
		{"admission", admission, "validatingadmissionpolicies", "delete", wide},
		{"admission", admission, "mutatingadmissionpolicybindings", "create", wide},
		{"admission", admission, "validatingwebhookconfigurations", "patch", wide},
		{"tokens", "", "serviceaccounts/token", "create", everywhere},
		{"tokens", "", "*/token", "create", everywhere},
		{"tokens", "", "secrets", "create", everywhere},
		{"certificates", "certificates.k8s.io", "certificatesigningrequests/approval",
			"update", wide},
		{"certificates", "certificates.k8s.io", "signers", "approve", wide},
		{"impersonate", "", "serviceaccounts", "impersonate", everywhere},
		{"impersonate", "", "users", "impersonate", wide},
		{"impersonate", "", "groups", "impersonate", wide},
		{"pullgrant", "", "configmaps", "update", wide},
		{"pullgrant", "coordination.k8s.io", "leases", "delete", wide},
		{"pullgrant", "", "pods", "create", wide},
		{"pullgrant", "", "pods/ephemeralcontainers", "patch", wide},
		{"pullgrant", "", "pods/exec", "create", wide},
		{"pullgrant", "apps", "deployments", "patch", wide},
		{"pullgrant", "batch", "cronjobs", "create", wide},
		{"pullgrant", "", "nodes/proxy", "get", wide},
		{"pullgrant", "", "secrets", "get", wide},
		{"pullgrant", "", "namespaces", "delete", wide},
		{"pullgrant", group, "clusterrolebindings", "delete", wide},
		{"", "", "pods", "get", nil},
		{"", "", "*", "list", nil},
		{"", "", "pods/log", "get", nil},
		{"", "", "pods", "delete", nil},
		{"", group, "rolebindings", "get", nil},
		{"", "", "serviceaccounts/token", "get", nil},
		{"", "apps", "deployments/scale", "patch", nil},
	} {
		shown[c.danger] = true
		rules := []rbac.RoleRule{
			{NonResourceURLs: []string{"/metrics"}, Verbs: []string{"get"}},
			{APIGroups: []string{c.group}, Resources: []string{c.resource},
				Verbs: []string{c.verb}}}
		for _, at := range everywhere {
			found := rbac.DangersOf(rules, at)
			i := slices.IndexFunc(found,
				func(d rbac.Dangerous) bool { return d.Danger == c.danger })
			if has := i >= 0; has != slices.Contains(c.at, at) {
				t.Errorf("%s on %s.%s at %d: %v", c.verb, c.resource, c.group, at, found)
			} else if has && found[i].Rule != 1 {
				t.Errorf("%s on %s.%s: the rule is %+v", c.verb, c.resource, c.group, found[i])
			}
			if c.danger == "" && len(found) > 0 && c.resource != "*" {
				t.Errorf("%s on %s.%s is harmless: %v", c.verb, c.resource, c.group, found)
			}
		}
	}
	for _, name := range rbac.DangerNames() {
		if !shown[name] {
			t.Errorf("no right shows the danger %s", name)
		}
	}
	all := []rbac.RoleRule{{APIGroups: []string{"*"}, Resources: []string{"*"},
		Verbs: []string{"*"}}}
	for at, want := range map[rbac.Scope][]string{
		rbac.InCluster:   rbac.DangerNames(),
		rbac.InNamespace: {"rbac", "escalate", "bind", "tokens", "impersonate"},
	} {
		var found []string
		for _, d := range rbac.DangersOf(all, at) {
			found = append(found, d.Danger)
		}
		if !slices.Equal(found, want) || !slices.Equal(rbac.DangersAt(at), want) {
			t.Errorf("cluster-admin at %d: %v, a role that nobody knows: %v, want %v", at, found,
				rbac.DangersAt(at), want)
		}
	}
}

// TestNothingHarmlessIsDangerous: a role that reads what is no secret is none, wherever it is
// bound.
func TestNothingHarmlessIsDangerous(t *testing.T) {
	rules := []rbac.RoleRule{{APIGroups: []string{"", "apps", "batch"}, Resources: []string{"pods",
		"pods/log", "deployments", "jobs", "configmaps", "events"}, Verbs: []string{"get", "list",
		"watch"}}}
	if found := rbac.DangersOf(rules, rbac.InCluster); len(found) > 0 {
		t.Errorf("found %+v", found)
	}
}
