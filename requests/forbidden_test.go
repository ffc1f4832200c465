package requests_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/requests"
)

// What an API server says, in the forms in which people meet it.
func TestParseForbidden(t *testing.T) {
	list := requests.Forbidden{User: "alice", Verb: "list", Resource: "pods", Namespace: "payments"}
	for _, test := range []struct {
		text string
		want []requests.Forbidden
	}{
		{`Error from server (Forbidden): pods is forbidden: User "alice" cannot list resource "pods" ` +
			`in API group "" in the namespace "payments"`, []requests.Forbidden{list}},
		{`Error from server (Forbidden): pods "api-1" is forbidden: User "alice@example.com" cannot ` +
			`create resource "pods/exec" in API group "" in the namespace "payments"`,
			[]requests.Forbidden{{User: "alice@example.com", Verb: "create", Resource: "pods",
				Subresource: "exec", Name: "api-1", Namespace: "payments"}}},
		{`Error from server (Forbidden): deployments.apps "api" is forbidden: User "alice" cannot patch ` +
			`resource "deployments/scale" in API group "apps" in the namespace "payments": RBAC: ` +
			`[clusterrole.rbac.authorization.k8s.io "view" not found]`,
			[]requests.Forbidden{{User: "alice", Verb: "patch", Group: "apps", Resource: "deployments",
				Subresource: "scale", Name: "api", Namespace: "payments"}}},
		{`nodes is forbidden: User "system:serviceaccount:a:b" cannot list resource "nodes" in API ` +
			`group "" at the cluster scope`, []requests.Forbidden{{
			User: "system:serviceaccount:a:b", Verb: "list", Resource: "nodes"}}},
		{`Error from server (Forbidden): forbidden: User "alice" cannot get path "/metrics"`,
			[]requests.Forbidden{{User: "alice", Verb: "get", Path: "/metrics"}}},
		{`error: error when retrieving current configuration of:
Resource: "apps/v1, Resource=deployments", GroupVersionKind: "apps/v1, Kind=Deployment"
Name: "api", Namespace: "payments"
from server for: "api.yaml": deployments.apps "api" is forbidden: User "alice" cannot get resource "deployments" in ` +
			`API group "apps" in the namespace "payments"`, []requests.Forbidden{{User: "alice",
			Verb: "get", Group: "apps", Resource: "deployments", Name: "api", Namespace: "payments"}}},
		// Several, one twice, and a terminal's line ends.
		{"pods is forbidden: User \"alice\" cannot list resource\r\n  \"pods\" in API group \"\" in the " +
			"namespace \"payments\"\nservices is forbidden: User \"alice\" cannot list resource " +
			"\"services\" in API group \"\" in the namespace \"payments\"\npods is forbidden: User " +
			"\"alice\" cannot list resource \"pods\" in API group \"\" in the namespace \"payments\"",
			[]requests.Forbidden{list, {User: "alice", Verb: "list", Resource: "services",
				Namespace: "payments"}}},
		// As JSON, and what is escaped for browsers.
		{`{"message":"pods is forbidden: User \"alice\" cannot list resource \"pods\" in API group \"\" ` +
			`in the namespace \"payments\"","reason":"Forbidden"}`, []requests.Forbidden{list}},
		{`users "a&b" is forbidden: User "&lt;a&gt; &amp;lt; \"b\"" cannot impersonate resource "users" in API ` +
			`group "" at the cluster scope`, []requests.Forbidden{{User: `<a> &lt; "b"`,
			Verb: "impersonate", Resource: "users", Name: "a&b"}}},
		{`pods "api-1" is forbidden: User "alice" cannot impersonate-on:user-info:get resource "pods" in API ` +
			`group "" in the namespace "payments"`, []requests.Forbidden{{User: "alice",
			Verb: "impersonate-on:user-info:get", Resource: "pods", Name: "api-1", Namespace: "payments"}}},
		// What is no want of rights, or no message.
		{`pods "api-1" is forbidden: exceeded quota: compute, requested: pods=1`, nil},
		{`User "alice" cannot list resource "pods" in API group ""`, nil},
		{`User "alice" cannot list resource "" in API group "" at the cluster scope`, nil},
		{`User "\q" cannot list resource "pods" in API group "" at the cluster scope`, nil},
		{"no", nil}, {"", nil},
	} {
		if got := requests.ParseForbidden(test.text); !slices.Equal(got, test.want) {
			t.Errorf("%s\nis read as %+v,\nwant       %+v", test.text, got, test.want)
		}
	}
}

func TestForbiddenInWords(t *testing.T) {
	for _, test := range []struct {
		forbidden requests.Forbidden
		want      string
	}{
		{requests.Forbidden{Verb: "create", Resource: "pods", Subresource: "exec", Name: "api-1",
			Namespace: "payments"}, "create pods/exec api-1 in namespace payments"},
		{requests.Forbidden{Verb: "list", Group: "apps", Resource: "deployments"},
			"list deployments.apps in the whole cluster"},
		{requests.Forbidden{Verb: "get", Path: "/metrics"}, "get the path /metrics"},
	} {
		if got := test.forbidden.String(); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

// FuzzParseForbidden reads whatever text: what is found is about one thing, and is found again when
// the API server says it.
func FuzzParseForbidden(f *testing.F) {
	f.Add(`pods "api-1" is forbidden: User "a" cannot get resource "pods/log" in API group "" in the namespace "b"`)
	f.Add(`forbidden: User "a&amp;" cannot get path "/metrics"`)
	f.Add(`User \"a\" cannot list resource \"pods\" in API group \"apps\" at the cluster scope: RBAC: x`)
	f.Fuzz(func(t *testing.T, text string) {
		all := requests.ParseForbidden(text)
		if len(all) > 20 {
			t.Fatalf("%d things", len(all))
		}
		for _, one := range all {
			if one.Verb == "" || (one.Resource == "") == (one.Path == "") || one.String() == "" {
				t.Fatalf("%+v", one)
			}
			if one.Path != "" && one.Name != "" {
				t.Fatalf("a path has no name: %+v", one)
			}
			if said := says(one); strings.Join(strings.Fields(said), " ") == said {
				if again := requests.ParseForbidden(said); !slices.Equal(again, []requests.Forbidden{one}) {
					t.Fatalf("%+v is said as\n%s\nand read as %+v", one, said, again)
				}
			}
		}
	})
}

// says is the message as the API server writes it.
func says(f requests.Forbidden) string {
	safe := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace
	if f.Path != "" {
		return "forbidden: " + safe(fmt.Sprintf("User %q cannot %s path %q", f.User, f.Verb, f.Path))
	}
	resource := f.Resource
	if f.Subresource != "" {
		resource += "/" + f.Subresource
	}
	text := fmt.Sprintf("User %q cannot %s resource %q in API group %q", f.User, f.Verb, resource, f.Group)
	if f.Namespace != "" {
		text += fmt.Sprintf(" in the namespace %q", f.Namespace)
	} else {
		text += " at the cluster scope"
	}
	if f.Name != "" {
		return fmt.Sprintf("x %q is forbidden: ", f.Name) + safe(text)
	}
	return "x is forbidden: " + safe(text)
}
