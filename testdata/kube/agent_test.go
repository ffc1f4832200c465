package kube

import (
	"context"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

const payments = `
apiVersion: v1
kind: Namespace
metadata: {name: payments}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: payments-debug}
rules:
  - {apiGroups: [""], resources: [pods], verbs: [get, list]}
---
# an object without a namespace belongs to default
apiVersion: v1
kind: ConfigMap
metadata: {name: applied}
data: {key: value}
`

// agentOf applies the agent's manifests and returns a client who is the agent.
func agentOf(t *testing.T, cp *ControlPlane) *kubernetes.Clientset {
	t.Helper()
	for _, manifests := range []string{payments, string(AgentManifests([]string{"payments"},
		[]string{"payments-debug", "view"}))} {
		if err := cp.Apply(t.Context(), []byte(manifests)); err != nil {
			t.Fatal(err)
		}
	}
	config, err := cp.ServiceAccount(t.Context(), "pullgrant-system", "pullgrant-agent")
	if err != nil {
		t.Fatal(err)
	}
	agent := clientFor(t, config)
	eventually(t, 10*time.Second, "the agent's rights are in force",
		func(ctx context.Context) (bool, error) {
			return may(ctx, agent, "create", "rbac.authorization.k8s.io", "rolebindings",
				"payments", "")
		})
	return agent
}

func may(ctx context.Context, client *kubernetes.Clientset, verb, group, resource, namespace,
	name string) (bool, error) {
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: verb, Group: group,
			Resource: resource, Namespace: namespace, Name: name},
	}}
	review, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review,
		metav1.CreateOptions{})
	if err != nil {
		return false, err
	}
	return review.Status.Allowed, nil
}

func TestAgentRights(t *testing.T) {
	cp := ForTest(t)
	agent := agentOf(t, cp)
	const rbac, leases, admission = "rbac.authorization.k8s.io", "coordination.k8s.io",
		"admissionregistration.k8s.io"
	holds(t, agent, []right{
		{"get list watch delete", rbac, "rolebindings", "", "", true},
		{"update patch deletecollection", rbac, "rolebindings", "payments", "", false},
		{"create", rbac, "rolebindings", "", "", false},
		{"create", rbac, "rolebindings", "payments", "", true},
		{"get list watch delete", "batch", "jobs", "", "", true},
		{"update patch deletecollection", "batch", "jobs", "payments", "", false},
		{"create", "batch", "jobs", "", "", false},
		{"create", "batch", "jobs", "payments", "", true},
		{"get", admission, "validatingadmissionpolicies", "", "pullgrant-agent", true},
		{"get", admission, "validatingadmissionpolicybindings", "", "pullgrant-managed", true},
		{"get", admission, "validatingadmissionpolicies", "", "another", false},
		{"create update patch delete list", admission, "validatingadmissionpolicies", "",
			"", false},
		{"create update patch delete", admission, "validatingadmissionpolicybindings", "",
			"pullgrant-agent", false},
		{"bind", rbac, "clusterroles", "payments", "payments-debug", true},
		{"update escalate", rbac, "clusterroles", "payments", "payments-debug", false},
		{"get", rbac, "clusterroles", "", "payments-debug", true},
		{"list watch delete", rbac, "clusterroles", "", "", true}, // its own, as the fence sees to
		{"bind", rbac, "clusterroles", "", "payments-debug", false},
		{"get", rbac, "clusterroles", "", "edit", true},
		{"get", rbac, "roles", "kube-system", "any", true},
		{"get list watch delete", rbac, "roles", "", "", true},
		{"create update patch bind escalate", rbac, "roles", "payments", "", false},
		{"get list watch delete", rbac, "clusterrolebindings", "", "", true},
		{"create update patch", rbac, "clusterrolebindings", "", "", false},
		{"bind", rbac, "clusterroles", "payments", "edit", false},
		{"bind", rbac, "clusterroles", "payments", "", false},
		{"bind", rbac, "clusterroles", "", "payments-debug", false},
		{"create update escalate", rbac, "clusterroles", "", "", false},
		{"get list watch", "", "namespaces", "", "", true},
		{"create update delete", "", "namespaces", "", "", false},
		{"get list watch create update delete", "", "configmaps", "pullgrant-system", "", true},
		{"get list create", "", "configmaps", "payments", "", false},
		{"create", leases, "leases", "pullgrant-system", "", true},
		{"get update patch", leases, "leases", "pullgrant-system", "pullgrant-agent", true},
		{"get update patch delete", leases, "leases", "pullgrant-system", "another", false},
		{"create patch", "", "events", "pullgrant-system", "", true},
		{"create patch", "events.k8s.io", "events", "pullgrant-system", "", true},
		{"get list", "", "secrets", "pullgrant-system", "", false},
		{"list create", "", "pods", "payments", "", false},
		{"create", "", "serviceaccounts/token", "pullgrant-system", "pullgrant-agent", false},
		{"impersonate", "", "users", "", "", false},
	})
	config, err := cp.ServiceAccount(t.Context(), "pullgrant-system", "pullgrant-expirer")
	if err != nil {
		t.Fatal(err)
	}
	holds(t, clientFor(t, config), []right{
		{"list watch delete", rbac, "rolebindings", "", "", true},
		{"list watch delete", "batch", "jobs", "", "", true},
		{"get create update patch deletecollection", rbac, "rolebindings", "payments", "", false},
		{"get create update patch deletecollection", "batch", "jobs", "payments", "", false},
		{"get", admission, "validatingadmissionpolicies", "", "pullgrant-expirer", true},
		{"list update patch delete", admission, "validatingadmissionpolicies", "", "", false},
		{"bind escalate get", rbac, "clusterroles", "payments", "payments-debug", false},
		{"get list create", "", "configmaps", "pullgrant-system", "", false},
		{"get create update", leases, "leases", "pullgrant-system", "pullgrant-agent", false},
		{"create patch", "", "events", "pullgrant-system", "", false},
		{"get list", "", "secrets", "pullgrant-system", "", false},
		{"get list watch", "", "namespaces", "", "", false},
		{"create", "", "serviceaccounts/token", "pullgrant-system", "pullgrant-expirer", false},
	})
}

// right is what somebody may do, or may not.
type right struct {
	verbs, group, resource, namespace, name string
	want                                    bool
}

// holds asks the API server about each right.
func holds(t *testing.T, who *kubernetes.Clientset, rights []right) {
	t.Helper()
	for _, test := range rights {
		for verb := range strings.FieldsSeq(test.verbs) {
			got, err := may(t.Context(), who, verb, test.group, test.resource,
				test.namespace, test.name)
			if err != nil {
				t.Fatal(err)
			}
			if got != test.want {
				t.Errorf("%s %s %q in namespace %q: %t, want %t", verb, test.resource, test.name,
					test.namespace, got, test.want)
			}
		}
	}
}

func TestApplyNamesTheObjectThatIsRefused(t *testing.T) {
	cp := ForTest(t)
	for manifests, want := range map[string]string{
		"apiVersion: v1\nkind: Nonsense\nmetadata: {name: n}\n": "applying Nonsense n: no " +
			"matches for kind",
		"apiVersion: v1\nkind: ConfigMap\n" +
			"metadata: {name: c, namespace: not-there}\n": `applying ConfigMap c: namespaces "not-there" not found`,
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\nnot: [closed\n": "reading manifests: yaml",
		"metadata: {name: n}\n": "reading manifests: Object 'Kind' is missing",
	} {
		if err := cp.Apply(t.Context(), []byte(manifests)); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", manifests, err, want)
		}
	}
}
