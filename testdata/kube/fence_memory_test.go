package kube

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/testdata/simulation/cluster"
)

// grounds are where the fence is tried: on the real control plane, and on the one in memory that
// simulations run on, which must refuse the same in the same words.
var grounds = []struct {
	name  string
	raise func(t *testing.T) *trial
}{
	{"real", func(t *testing.T) *trial {
		cp := ForTest(t)
		namespace := newNamespace(t, cp, "fence")
		return newTrial(t, cp, raiseFence(t, cp, namespace), namespace, 1)
	}},
	{"in memory", raiseInMemory},
}

// onBoth runs a test on each of the grounds.
func onBoth(t *testing.T, test func(w *trial)) {
	for _, g := range grounds {
		t.Run(g.name, func(t *testing.T) { test(g.raise(t)) })
	}
}

// inMemory calls the cluster as a user.
type inMemory struct {
	c      *cluster.Cluster
	user   string
	groups []string
}

func (m inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set(cluster.UserHeader, m.user)
	r.Header[http.CanonicalHeaderKey(cluster.GroupHeader)] = m.groups
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	m.c.ServeHTTP(w, r)
	return w.Result(), nil
}

// raiseInMemory is what raiseFence does to a cluster in memory.
func raiseInMemory(t *testing.T) *trial {
	t.Helper()
	const namespace = "fence"
	c := cluster.New(time.Now)
	t.Cleanup(c.Close)
	for _, manifests := range [][]byte{
		[]byte("apiVersion: v1\nkind: Namespace\nmetadata: {name: " + namespace + "}"),
		fenceSetting(namespace), AgentManifests([]string{namespace}, []string{"payments-debug"}),
		AgentManifests([]string{"fence-elsewhere"}, []string{"fence-elsewhere"}),
		AgentManifests([]string{namespace}, []string{"payments-debug"}), AWSManifests(),
		render.YAML(render.Rights(render.Footprint{Grants: allItems(namespace)}))} {
		if err := c.Apply(manifests); err != nil {
			t.Fatal(err)
		}
	}
	user := func(name string, groups ...string) *rest.Config {
		return &rest.Config{Host: "https://cluster.invalid", QPS: -1, Transport: inMemory{c, name, groups}}
	}
	const ours, controllers = "system:serviceaccount:pullgrant-system:",
		"system:serviceaccount:kube-system:"
	mapper := meta.NewDefaultRESTMapper(nil)
	for group, kinds := range map[string][]string{"": {"Namespace", "ConfigMap", "ServiceAccount", "Pod",
		"Secret", "ReplicationController"}, "apps": {"Deployment"}, "batch": {"Job"},
		"rbac.authorization.k8s.io": {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}} {
		for _, kind := range kinds {
			scope := meta.RESTScopeNamespace
			if kind == "Namespace" || strings.HasPrefix(kind, "Cluster") {
				scope = meta.RESTScopeRoot
			}
			mapper.Add(schema.GroupVersionKind{Group: group, Version: "v1", Kind: kind}, scope)
		}
	}
	return &trial{T: t, mapper: mapper, namespace: namespace, number: 1,
		users: map[string]*rest.Config{
			"agent":                    user(ours + render.Agent),
			"expirer":                  user(ours + render.Expirer),
			"aws":                      user(ours + render.AWS),
			"expirer with every right": user(ours+render.Expirer, "system:masters"),
			"agent with every right":   user(agentUser, "system:masters"),
			"aws with every right":     user(ours+render.AWS, "system:masters"),
			"masters":                  user(cluster.Admin),
			"namespace admin":          user("erin@example.com"),
			"editor":                   user("frank@example.com"),
			"cluster admin":            user("dave@example.com", "fence-admins"),
			"controller manager":       user("system:kube-controller-manager", "fence-admins"),
			"garbage collector":        user(controllers+"generic-garbage-collector", "fence-admins"),
			"job controller":           user(controllers+"job-controller", "fence-admins"),
			"ttl controller":           user(controllers+"ttl-after-finished-controller", "fence-admins"),
			"namespace controller":     user(controllers+"namespace-controller", "fence-admins"),
			"cron job controller":      user(controllers+"cronjob-controller", "fence-admins"),
		}}
}
