package rbac_test

import (
	"testing"

	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
)

func TestPermits(t *testing.T) {
	list := func(words ...string) []string { return words }
	rules := []rbac.RoleRule{
		{APIGroups: list(""), Resources: list("pods", "pods/log"), Verbs: list("get", "list")},
		{APIGroups: list("apps"), Resources: list("deployments"), ResourceNames: list("api"),
			Verbs: list("get", "create", "deletecollection")},
		{APIGroups: list("batch"), Resources: list("*/status"), Verbs: list("*")},
		{NonResourceURLs: list("/healthz/*"), Verbs: list("get")},
	}
	for _, test := range []struct {
		f    requests.Forbidden
		want bool
	}{
		{requests.Forbidden{Verb: "list", Resource: "pods"}, true},
		{requests.Forbidden{Verb: "get", Resource: "pods", Name: "any"}, true},
		{requests.Forbidden{Verb: "get", Resource: "pods", Subresource: "log", Name: "any"}, true},
		{requests.Forbidden{Verb: "get", Resource: "pods", Subresource: "exec", Name: "any"}, false},
		{requests.Forbidden{Verb: "watch", Resource: "pods"}, false},
		{requests.Forbidden{Verb: "list", Group: "metrics.k8s.io", Resource: "pods"}, false},
		{requests.Forbidden{Verb: "get", Group: "apps", Resource: "deployments", Name: "api"}, true},
		{requests.Forbidden{Verb: "get", Group: "apps", Resource: "deployments", Name: "web"}, false},
		// Whoever makes an object, or deletes all, does not name it.
		{requests.Forbidden{Verb: "create", Group: "apps", Resource: "deployments"}, false},
		{requests.Forbidden{Verb: "deletecollection", Group: "apps", Resource: "deployments"}, false},
		{requests.Forbidden{Verb: "patch", Group: "batch", Resource: "jobs", Subresource: "status",
			Name: "a"}, true},
		{requests.Forbidden{Verb: "patch", Group: "batch", Resource: "jobs", Name: "a"}, false},
		{requests.Forbidden{Verb: "get", Path: "/healthz/ready"}, true},
		{requests.Forbidden{Verb: "get", Path: "/metrics"}, false},
	} {
		if got := rbac.Permits(rules, test.f); got != test.want {
			t.Errorf("%s: %t", test.f, got)
		}
	}
	if narrow, wide := rbac.Breadth(rules[:1]), rbac.Breadth(rules); narrow != 4 || wide < 1000 {
		t.Errorf("breadths %d and %d", narrow, wide)
	}
}
