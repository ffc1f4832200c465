package kube

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/render"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// fenceSetting is what stands around the fence: namespaces, roles, and who has them.
func fenceSetting(namespace string) []byte {
	return fmt.Appendf(nil, `
apiVersion: v1
kind: Namespace
metadata: {name: fence-elsewhere}
---
apiVersion: v1
kind: Namespace
metadata: {name: fence-later}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: payments-debug}
rules: [{apiGroups: [""], resources: [pods], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: fence-elsewhere}
rules: [{apiGroups: [""], resources: [secrets], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: fence-empty}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: fence-wide}
rules: [{apiGroups: [""], resources: [nodes], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: fence-held}
rules: [{apiGroups: [rbac.authorization.k8s.io], resources: [rolebindings], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: fence-admins}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: Group, apiGroup: rbac.authorization.k8s.io, name: fence-admins}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: admins, namespace: %[1]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: admin}
subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: erin@example.com}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: editors, namespace: %[1]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit}
subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: frank@example.com}]
`, namespace)
}

// raiseFence puts the rights of the agent in a namespace and the fence into force, and returns the
// users of attempts.
func raiseFence(t *testing.T, cp *ControlPlane, namespace string) map[string]*rest.Config {
	t.Helper()
	for _, manifests := range [][]byte{fenceSetting(namespace), AgentManifests([]string{namespace},
		[]string{"payments-debug"}),
		AgentManifests([]string{"fence-elsewhere"}, []string{"fence-elsewhere"}),
		AgentManifests([]string{namespace}, []string{"payments-debug"}), AWSManifests(),
		render.YAML(render.Rights(render.Footprint{Grants: allItems(namespace)}))} {
		if err := cp.Apply(t.Context(), manifests); err != nil {
			t.Fatal(err)
		}
	}
	// of an earlier run
	err := cp.client.RbacV1().RoleBindings("fence-later").Delete(t.Context(), render.Agent,
		metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	if err := cp.AwaitFence(t.Context()); err != nil {
		t.Fatal(err)
	}
	agent, err := cp.ServiceAccount(t.Context(), "pullgrant-system", render.Agent)
	if err != nil {
		t.Fatal(err)
	}
	controller := func(name string) *rest.Config {
		return cp.User("system:serviceaccount:kube-system:"+name, "fence-admins")
	}
	expirer, err := cp.ServiceAccount(t.Context(), "pullgrant-system", render.Expirer)
	if err != nil {
		t.Fatal(err)
	}
	users := map[string]*rest.Config{
		"agent":   agent,
		"expirer": expirer,
		"expirer with every right": cp.User("system:serviceaccount:pullgrant-system:"+
			render.Expirer, "system:masters"),
		"agent with every right": cp.User(agentUser, "system:masters"),
		"masters":                cp.Admin(),
		"namespace admin":        cp.User("erin@example.com"),
		"editor":                 cp.User("frank@example.com"),
		"cluster admin":          cp.User("dave@example.com", "fence-admins"),
		"controller manager":     cp.User("system:kube-controller-manager", "fence-admins"),
		"garbage collector":      controller("generic-garbage-collector"),
		"job controller":         controller("job-controller"),
		"ttl controller":         controller("ttl-after-finished-controller"),
		"namespace controller":   controller("namespace-controller"),
		"cron job controller":    controller("cronjob-controller"),
	}
	awsUsers(t, cp, users)
	for _, user := range []string{"agent", "editor", "cluster admin"} {
		eventually(t, 10*time.Second, user+" has rights", func(ctx context.Context) (bool, error) {
			return may(ctx, clientFor(t, users[user]), "create", "batch", "jobs", namespace, "")
		})
	}
	return users
}
