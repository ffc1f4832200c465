package requests_test

import (
	"cmp"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/requests"
)

// TestResourcesAsPeopleNameThem holds every form that a person may name an object in, those of
// Teleport and P0 among them.
func TestResourcesAsPeopleNameThem(t *testing.T) {
	const deployment = "deployments.apps"
	for text, want := range map[string]requests.ResourceID{
		"deployments.apps/api":  {Kind: deployment, Name: "api"},
		"deployment.apps/api":   {Kind: deployment, Name: "api"},
		"deploy/api":            {Kind: deployment, Name: "api"},
		"widgets.example.com/w": {Kind: "widgets.example.com", Name: "w"},
		"pods":                  {Kind: "pods"},
		"Deployments/default/nginx-deployment": {Kind: deployment, Namespace: "default",
			Name: "nginx-deployment"},
		" Deployment / default / nginx-deployment ": {Kind: deployment, Namespace: "default",
			Name: "nginx-deployment"},
		"NetworkPolicy/default/deny": {Kind: "networkpolicies.networking.k8s.io",
			Namespace: "default", Name: "deny"},
		"Ingress/default/web": {Kind: "ingresses.networking.k8s.io",
			Namespace: "default", Name: "web"},
		"pods/nginx-*": {Kind: "pods", Name: "nginx-*"},
		"/prod-eu/pod/default/^nginx-[a-z0-9-]+$": {Cluster: "prod-eu", Kind: "pods",
			Namespace: "default", Name: "^nginx-[a-z0-9-]+$"},
		"/prod-eu/node/worker-1": {Cluster: "prod-eu", Kind: "nodes",
			Name: "worker-1", ClusterWide: true},
		"/prod-eu/namespace/payments": {Cluster: "prod-eu", Namespace: "payments"},
		"namespace/payments": {Kind: "namespaces", Name: "payments",
			ClusterWide: true},
		"/teleport.example.com/namespace/c/default": {Cluster: "c", Namespace: "default"},
		"/teleport.example.com/pod/mycluster/ns/n-1": {Cluster: "mycluster", Kind: "pods",
			Namespace: "ns", Name: "n-1"},
		"/teleport.example.com/pod/mycluster/ns/*": {Cluster: "mycluster", Kind: "pods",
			Namespace: "ns", Name: "*"},
		"/teleport.example.com/kube_role/c/ns/r": {Cluster: "c",
			Kind: "roles.rbac.authorization.k8s.io", Namespace: "ns", Name: "r"},
		"/teleport.example.com/kube_node/c/worker-1": {Cluster: "c", Kind: "nodes",
			Name:        "worker-1",
			ClusterWide: true},
		"/teleport.example.com/namespace/c/payments": {Cluster: "c", Namespace: "payments"},
		// What Teleport's manual has up to 17.
		"/teleport.example.com/pod/mycluster/development/nginx-1": {Cluster: "mycluster",
			Kind: "pods", Namespace: "development", Name: "nginx-1"},
		"/teleport.example.com/pod/mycluster/*/^nginx-[a-z0-9-]+$": {Cluster: "mycluster",
			Kind: "pods", Namespace: "*", Name: "^nginx-[a-z0-9-]+$"},
		"/teleport.example.com/namespace/mycluster/prod": {Cluster: "mycluster",
			Namespace: "prod"},
		"/teleport.example.com/namespace/mycluster/^dev-[a-z0-9-]+$": {Cluster: "mycluster",
			Namespace: "^dev-[a-z0-9-]+$"},
		"/teleport.example.com/pod/local/default/nginx-deployment-0": {Cluster: "local",
			Kind: "pods", Namespace: "default", Name: "nginx-deployment-0"},
		// What it has from 18, where a namespace is the object alone.
		"/teleport.example.com/kube:ns:pods/mycluster/dev/nginx-1": {Cluster: "mycluster",
			Kind: "pods", Namespace: "dev", Name: "nginx-1"},
		"/teleport.example.com/kube:ns:deployments.apps/mycluster/prod/website": {
			Cluster: "mycluster", Kind: deployment, Namespace: "prod", Name: "website"},
		"/teleport.example.com/kube:ns:pods/mycluster/*/^nginx-[a-z0-9-]+$": {
			Cluster: "mycluster", Kind: "pods", Namespace: "*", Name: "^nginx-[a-z0-9-]+$"},
		"/teleport.example.com/kube:cw:namespaces/mycluster/prod": {Cluster: "mycluster",
			Kind: "namespaces", Name: "prod", ClusterWide: true},
		"/teleport.example.com/kube:cw:namespaces/mycluster/^dev-[a-z0-9-]+$": {
			Cluster: "mycluster", Kind: "namespaces", Name: "^dev-[a-z0-9-]+$",
			ClusterWide: true},
		"/t/pod/c/team-*/n":     {Cluster: "c", Kind: "pods", Namespace: "team-*", Name: "n"},
		"/t/namespace/c/team-*": {Cluster: "c", Namespace: "team-*"},
		"/t/kube:cw:gadgets.example.com/c/g": {Cluster: "c", Kind: "gadgets.example.com",
			Name: "g", ClusterWide: true},
	} {
		got, problem := requests.ParseResourceID(text)
		if got != want || problem != "" {
			t.Errorf("%q: got %+v (%s), want %+v", text, got, problem, want)
		}
	}
}

// TestResourcesThatAreNone holds what is said about each that is wrong.
func TestResourcesThatAreNone(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "write KIND/NAME",
		"/":                       "write KIND/NAME",
		"/pods":                   "write KIND/NAME",
		"//pod/c/ns/n":            "write KIND/NAME",
		"pods/":                   "write KIND/NAME",
		"pods/default/":           "write KIND/NAME",
		"pods/a/b/c":              "write KIND/NAME",
		"/prod-eu/pod":            "write KIND/NAME",
		"/prod-eu/pod/api":        "pods stand in a namespace",
		"/t/pod/c/ns/n/more":      "write KIND/NAME",
		"/t/node/c/ns/n":          "nodes stand in no namespace; leave out \"ns\"",
		"nodes/default/n":         "nodes stand in no namespace",
		"widget/w":                "the kind \"widget\" is not known; write the plural",
		"/t/kube:ns:nodes/c/ns/n": "the kind \"kube:ns:nodes\" is not known",
		"/t/pod/Prod/ns/n":        "the cluster \"Prod\" is none",
		"/t/pod/c/^team-[$/n":     "the namespace \"^team-[$\" is none: it must be 1 to 63",
		"/t/pod/c/Team/n":         "the namespace \"Team\" is none",
		"/t/namespace/c/team-":    "the namespace \"team-\" is none",
		"/teleport.example.com/kube:ns:*.*/mycluster/prod/*": "all kinds of objects are not asked for",
		"/teleport.example.com/kube:cw:*.*/mycluster/*":      "all kinds of objects are not asked for",
		"/teleport.example.com/kube_cluster/mycluster":       "a whole cluster is not asked for as a resource",
	} {
		got, problem := requests.ParseResourceID(text)
		if got != (requests.ResourceID{}) || !strings.HasPrefix(problem, want) {
			t.Errorf("%q: got %+v (%s), want %q", text, got, problem, want)
		}
	}
}

// FuzzParseResourceID reads whatever text: what is an object names it as a request can, and is the
// same once it is written in full.
func FuzzParseResourceID(f *testing.F) {
	for _, text := range []string{"pods/api", "Deployments / default / nginx", "/c/pod/ns/^a$",
		"/t/namespace/c/ns", "/t/kube:cw:nodes/c/n", "/t/kube:cw:namespaces/c/n", "/t/pod/c/*/^a|b$",
		"/t/namespace/c/^a-[0-9]$", "pods", "ns/a", "//", "Ｐods/a",
		"kube:ns:pods/a"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, problem := requests.ParseResourceID(text)
		if problem != "" {
			if id != (requests.ResourceID{}) {
				t.Fatalf("%q is %+v, and wrong: %s", text, id, problem)
			}
			return
		}
		if id.Kind != "" && requests.CheckKind(id.Kind) != "" {
			t.Fatalf("%q is of the kind %q, which is none", text, id.Kind)
		}
		if id.Namespace != "" && requests.CheckNamespaces(id.Namespace) != "" {
			t.Fatalf("%q is in the namespace %q, which is none", text, id.Namespace)
		}
		if id.Kind == "" || id.ClusterWide || id.Name == "" {
			return
		}
		id.Cluster, id.Namespace = "prod-eu", cmp.Or(id.Namespace, "default")
		full := strings.Join([]string{"", id.Cluster, id.Kind, id.Namespace, id.Name}, "/")
		if again, problem := requests.ParseResourceID(full); again != id {
			t.Fatalf("%q is %+v, but %q is %+v (%s)", text, id, full, again, problem)
		}
	})
}
