package kube

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
	controlplane "github.com/pullgrant/pullgrant/testdata/kube"
)

// benchItems are one of each kind, with what shows that it gives access.
var benchItems = map[string]struct {
	item requests.Item
	path string
}{
	"RoleBinding": {requests.Item{Kind: requests.KubernetesRoleBinding, Namespace: "bench",
		Role: requests.Role{Kind: requests.KindClusterRole, Name: "view"}},
		"/api/v1/namespaces/bench/pods"},
	"ResourceRole": {requests.Item{Kind: requests.KubernetesResourceRole, Namespace: "bench",
		Role:      requests.Role{Kind: requests.KindClusterRole, Name: "view"},
		Resources: []string{"configmaps/kube-root-ca.crt"},
		Allows: []requests.Rule{{Resource: "configmaps", Verbs: []string{"get"},
			Names: []string{"kube-root-ca.crt"}}}},
		"/api/v1/namespaces/bench/configmaps/kube-root-ca.crt"},
	"ClusterRoleBinding": {requests.Item{Kind: requests.KubernetesClusterRoleBinding,
		Mode: requests.ModeImpersonate,
		Role: requests.Role{Kind: requests.KindClusterRole, Name: "view"}}, "/api/v1/pods"},
	"Exec": {requests.Item{Kind: requests.KubernetesExec, Namespace: "bench", Exec: &benchExec,
		Allows: benchExec.Rules(benchExec.Container)},
		"/api/v1/namespaces/bench/pods/api-1/exec?container=app&stdout=true&command=date"},
}

var benchExec = requests.Exec{Pod: "api-1", Container: "app", Command: []string{"date"}}

// BenchmarkKinds makes and ends a grant of each kind, as the agent does, and measures from the
// decision until access can be used, and from the end until it is refused.
func BenchmarkKinds(b *testing.B) {
	const n = 20
	cp := controlplane.ForTest(b)
	var items []requests.Item
	for _, one := range benchItems {
		items = append(items, one.item)
	}
	ready(b, cp, items)
	config, err := cp.ServiceAccount(b.Context(), Namespace, render.Agent)
	if err != nil {
		b.Fatal(err)
	}
	cluster, err := NewCluster(config, "prod-eu", 0, nil)
	if err != nil {
		b.Fatal(err)
	}
	for kind, one := range benchItems {
		b.Run(kind, func(b *testing.B) {
			var came, went []time.Duration
			for i := range n {
				name := fmt.Sprintf("20261122-alice-%s-%d", strings.ToLower(kind), i)
				item := one.item
				item.Name = requests.ObjectName(name, 0)
				g := requests.Grant{Name: name, Path: requests.Path("prod-eu", "bench", name),
					Cluster: "prod-eu", Policy: "bench", Requester: "alice",
					Subject:  requests.Subject{Kind: requests.KindUser, Name: "alice@example.com"},
					Window:   requests.NewWindow(time.Now(), requests.Duration(time.Hour)),
					Evidence: requests.Evidence{MergeCommit: strings.Repeat("a", 40)},
					Items:    []requests.Item{item}}
				begin := time.Now()
				made := makeAll(b, cluster, g)
				reach(b, cp, g, one.path, true)
				came = append(came, time.Since(begin))
				begin = time.Now()
				for _, l := range slices.Backward(made) {
					if _, err := cluster.Delete(b.Context(), l); err != nil {
						b.Fatal(err)
					}
				}
				reach(b, cp, g, one.path, false)
				went = append(went, time.Since(begin))
			}
			for what, times := range map[string][]time.Duration{"usable": came, "refused": went} {
				slices.Sort(times)
				b.ReportMetric(float64(times[n/2].Milliseconds()), "ms-"+what+"-p50")
				b.ReportMetric(float64(times[n-1].Milliseconds()), "ms-"+what+"-max")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// ready has the cluster take grants of the items.
func ready(b *testing.B, cp *controlplane.ControlPlane, items []requests.Item) {
	b.Helper()
	manifests := `
apiVersion: v1
kind: Namespace
metadata: {name: bench, labels: {pullgrant.dev/exec: strict}}
---
apiVersion: v1
kind: Pod
metadata: {name: api-1, namespace: bench}
spec: {containers: [{name: app, image: app}]}
---
` + string(render.YAML(slices.Concat(render.Fence(),
		render.Rights(render.Footprint{Grants: items}))))
	if err := cp.Apply(b.Context(), []byte(manifests)); err != nil {
		b.Fatal(err)
	}
	if err := cp.AwaitFence(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// makeAll makes a grant as the agent does: its Jobs, and once these are armed what they own.
func makeAll(b *testing.B, c *Cluster, g requests.Grant) (made []plan.Live) {
	b.Helper()
	add := func(kind string, o render.Object) string {
		uid, err := c.Create(b.Context(), o)
		if err != nil {
			b.Fatal(err)
		}
		made = append(made, plan.Live{Kind: kind, Namespace: o.GetNamespace(), Name: o.GetName(),
			UID: uid})
		return uid
	}
	jobs := map[string]string{}
	for _, namespace := range g.Namespaces() {
		job, err := render.Backstop(g, namespace, time.Now())
		if err != nil {
			b.Fatal(err)
		}
		jobs[namespace] = add(render.KindJob, &job)
	}
	ctx, cancel := context.WithTimeout(b.Context(), 20*time.Second)
	defer cancel()
	for _, l := range made {
		if _, err := c.Finished(ctx, plan.Object{Namespace: l.Namespace, Name: l.Name,
			UID: l.UID}); err != nil {
			b.Fatal(err)
		}
	}
	objects, err := render.Render(g)
	if err != nil {
		b.Fatal(err)
	}
	for i, o := range objects {
		render.Own(o, requests.ObjectName(g.Name, 0), jobs[o.GetNamespace()])
		add(render.Made(g)[i].Kind, o)
	}
	return made
}

// reach asks as alice, or as the grant's identity, until access is or is no more.
func reach(b *testing.B, cp *controlplane.ControlPlane, g requests.Grant, path string, want bool) {
	b.Helper()
	config := cp.User("alice@example.com")
	if g.Impersonates() {
		config.Impersonate.UserName = g.User()
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		b.Fatal(err)
	}
	method := http.MethodGet
	if strings.Contains(path, "/exec?") {
		method = http.MethodPost
	}
	for begin := time.Now(); time.Since(begin) < 20*time.Second; {
		r, err := http.NewRequestWithContext(b.Context(), method, config.Host+path, nil)
		if err != nil {
			b.Fatal(err)
		}
		response, err := client.Do(r)
		if err != nil {
			b.Fatal(err)
		}
		response.Body.Close()
		if (response.StatusCode != http.StatusForbidden) == want {
			return
		}
	}
	b.Fatalf("%s: access is not %t", g.Name, want)
}
