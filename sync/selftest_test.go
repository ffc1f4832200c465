package sync

import (
	"slices"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
	controlplane "github.com/pullgrant/pullgrant/testdata/kube"
)

// TestUnfenced: with the fence missing or weakened nothing is granted, everything still ends, and
// all goes on once it is back.
func TestUnfenced(t *testing.T) {
	const patch = "application/merge-patch+json"
	for slug, weaken := range map[string]func(s *stage) error{
		"no-policy": func(s *stage) error {
			return s.Admin.AdmissionregistrationV1().ValidatingAdmissionPolicies().Delete(
				t.Context(),
				render.FenceManaged, metav1.DeleteOptions{})
		},
		"no-binding": func(s *stage) error {
			return s.Admin.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings().Delete(
				t.Context(),
				render.FenceAgent, metav1.DeleteOptions{})
		},
		"ignores-failures": func(s *stage) error {
			_, err := s.Admin.AdmissionregistrationV1().ValidatingAdmissionPolicies().Patch(
				t.Context(),
				render.FenceAgent, patch,
				[]byte(`{"spec":{"failurePolicy":"Ignore"}}`), metav1.PatchOptions{})
			return err
		},
		"only-audits": func(s *stage) error {
			_, err := s.Admin.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings().Patch(
				t.Context(),
				render.FenceManaged, patch,
				[]byte(`{"spec":{"validationActions":["Audit"]}}`), metav1.PatchOptions{})
			return err
		},
		"not-in-this-namespace": func(s *stage) error {
			_, err := s.Admin.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings().Patch(
				t.Context(),
				render.FenceAgent, patch,
				[]byte(`{"spec":{"matchResources":{"namespaceSelector":{"matchLabels":{"fenced":"yes"}}}}}`),
				metav1.PatchOptions{})
			return err
		},
	} {
		t.Run(slug, func(t *testing.T) {
			s := newStage(t)
			defer s.refence()
			s.refusesToGrant(policies.Unfenced,
				"missing or another than this program's; apply what pullgrant install prints",
				func() { s.Must(weaken(s)) }, s.refence)
		})
	}
}

// refence makes the fence anew: applying leaves what others added.
func (s *stage) refence() {
	s.Helper()
	for _, name := range []string{render.FenceAgent, render.FenceManaged} {
		_ = s.Admin.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings().Delete(
			s.Context(), name, metav1.DeleteOptions{})
		_ = s.Admin.AdmissionregistrationV1().ValidatingAdmissionPolicies().Delete(
			s.Context(), name, metav1.DeleteOptions{})
	}
	s.Must(controlplane.ForTest(s.T).Apply(s.Context(),
		controlplane.AgentManifests([]string{s.Namespace}, []string{"payments-debug"})))
	s.Must(controlplane.ForTest(s.T).AwaitFence(s.Context()))
}

// TestOtherFence: a fence that became another one since the agent looked refuses what the agent asks
// for, as that of another version does while it is rolled out. The request waits for that, and no later
// one is tried.
func TestOtherFence(t *testing.T) {
	s := newStage(t)
	defer s.refence()
	a := s.agent(githubOnly)
	s.Must(a.Once(t.Context()))
	_, err := s.Admin.AdmissionregistrationV1().ValidatingAdmissionPolicies().Patch(t.Context(),
		render.FenceAgent, "application/json-patch+json", []byte(`[{"op": "add", "path": "/spec/validations/0",
		"value": {"expression": "request.operation != 'CREATE' || has(object.metadata.annotations) && `+
			`'pullgrant.dev/later' in object.metadata.annotations", "message": "it lacks what comes later",
		"reason": "Forbidden"}}]`), metav1.PatchOptions{})
	s.Must(err)
	s.Until("the other fence is in force", func() bool {
		err := a.cluster.Try(t.Context(), &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "probe",
			Namespace: s.Namespace}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole",
			Name: "payments-debug"}})
		return err != nil && strings.Contains(err.Error(), "what comes later")
	})
	name, path, content := s.requestFile("between")
	s.pull("between", true, map[string]string{path: content})
	if err := a.Once(t.Context()); err == nil || !strings.Contains(err.Error(), kube.ErrOtherFence.Error()) {
		t.Errorf("error: %v", err)
	}
	s.pause()
	if err := a.Once(t.Context()); err == nil || len(a.gate.stops()) != 1 ||
		a.gate.stops()[0].Code != policies.Unfenced || s.entered(name) {
		t.Errorf("stops %v; entered %t; error: %v", a.gate.stops(), s.entered(name), err)
	}
	s.refence()
	s.pause()
	s.Until("the fence is in force again", func() bool { return a.Once(t.Context()) == nil })
	s.granted(name)
}

// TestOverPrivileged: with a right that makes up for a fence nothing is granted.
func TestOverPrivileged(t *testing.T) {
	for slug, rule := range map[string]rbacv1.PolicyRule{
		"secrets": {APIGroups: []string{""}, Resources: []string{"secrets"},
			Verbs: []string{"list"}},
		"escalate": {APIGroups: []string{rbacv1.GroupName}, Resources: []string{"clusterroles"},
			Verbs: []string{"escalate"}},
		"exec": {APIGroups: []string{""}, Resources: []string{"*/exec"},
			Verbs: []string{"create"}},
		"bind cluster-admin": {APIGroups: []string{rbacv1.GroupName}, Verbs: []string{"bind"},
			Resources: []string{"clusterroles"}, ResourceNames: []string{"cluster-admin"}},
		"own Secret": {APIGroups: []string{""}, Resources: []string{"secrets"},
			Verbs: []string{"get"}, ResourceNames: []string{render.Agent}},
		"own token": {APIGroups: []string{""}, Resources: []string{"serviceaccounts/token"},
			Verbs: []string{"create"}, ResourceNames: []string{render.Agent}},
		"system:masters": {APIGroups: []string{""}, Resources: []string{"groups"},
			Verbs: []string{"impersonate"}, ResourceNames: []string{"system:masters"}},
		"own role": {APIGroups: []string{rbacv1.GroupName}, Resources: []string{"roles"},
			Verbs: []string{"patch"}, ResourceNames: []string{render.Agent}},
		"fence": {APIGroups: []string{"admissionregistration.k8s.io"},
			Resources: []string{"validatingadmissionpolicies"}, Verbs: []string{"update"},
			ResourceNames: []string{render.FenceAgent}},
		"one node": {APIGroups: []string{""}, Resources: []string{"nodes/proxy"},
			Verbs: []string{"get"}, ResourceNames: []string{"node-1"}},
		"approval": {APIGroups: []string{"certificates.k8s.io"},
			Resources: []string{"certificatesigningrequests/approval"}, Verbs: []string{"update"},
			ResourceNames: []string{"csr-1"}},
		"signer": {APIGroups: []string{"certificates.k8s.io"}, Resources: []string{"signers"},
			Verbs:         []string{"approve"},
			ResourceNames: []string{"kubernetes.io/kube-apiserver-client"}},
		"admin": {APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}},
	} {
		t.Run(slug, func(t *testing.T) {
			s := newStage(t)
			name := "too-much-" + strings.NewReplacer(" ", "-", ":",
				"-").Replace(strings.ToLower(slug))
			c := s.agent(options{}).cluster
			weaken := func() {
				meta := metav1.ObjectMeta{Name: name}
				role := &rbacv1.ClusterRole{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{rule}}
				binding := &rbacv1.ClusterRoleBinding{ObjectMeta: meta,
					RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName,
						Kind: "ClusterRole", Name: name},
					Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind,
						Namespace: kube.Namespace, Name: render.Agent}}}
				rbac := s.Admin.RbacV1()
				_, err := rbac.ClusterRoles().Create(t.Context(), role, metav1.CreateOptions{})
				s.Must(err)
				_, err = rbac.ClusterRoleBindings().Create(t.Context(), binding,
					metav1.CreateOptions{})
				s.Must(err)
				s.Until("the right is in force", func() bool {
					return s.tooMuch(c,
						kube.Namespace)
				})
			}
			repair := func() {
				_ = s.Admin.RbacV1().ClusterRoleBindings().Delete(t.Context(), name,
					metav1.DeleteOptions{})
				s.Until("the right is gone", func() bool { return !s.tooMuch(c, kube.Namespace) })
			}
			defer repair()
			s.refusesToGrant(policies.OverPrivileged, "take that right from it", weaken, repair)
		})
	}
}

// tooMuch tells whether the agent may do something in a namespace, or everywhere, that the policy
// of the stage does not need.
func (s *stage) tooMuch(c *kube.Cluster, namespace string) bool {
	s.Helper()
	items := []requests.Item{{Kind: requests.KubernetesRoleBinding, Namespace: s.Namespace,
		Role: requests.Role{Kind: requests.KindClusterRole, Name: "payments-debug"}}}
	excess, _, err := c.Surplus(s.Context(), items, items)
	s.Must(err)
	return slices.ContainsFunc(excess, func(e kube.Surplus) bool {
		return e.Namespace == namespace || e.Namespace == ""
	})
}

// refusesToGrant wants nothing granted for that reason once the protection is weakened, what lives
// to end all the same, and what waited to be granted after the repair.
func (s *stage) refusesToGrant(code policies.Code, message string, weaken, repair func()) {
	s.Helper()
	lives := s.ask("lives")
	s.once(options{})
	s.allowed(true)
	weaken()
	s.SetClock(noon.Add(30 * time.Minute))
	s.Managed("pullgrant-stray", requests.At(noon.Add(time.Hour)).String())
	name := s.ask("waits")
	agent := s.agent(options{})
	if err := agent.Once(s.Context()); err == nil || !strings.Contains(err.Error(), message) {
		s.Errorf("error: %v", err)
	}
	if stops := agent.gate.stops(); len(stops) != 1 || stops[0].Code != code || s.entered(name) {
		s.Errorf("stops: %v", stops)
	}
	// What no grant explains was swept, and nothing was made.
	if b := s.Names(); len(b) != 1 || b[0] != requests.ObjectName(lives, 0) {
		s.Errorf("bindings: %v", b)
	}
	s.SetClock(noon.Add(time.Hour))
	if err := agent.Once(s.Context()); err == nil {
		s.Error("no error")
	}
	s.over(lives, requests.CauseExpired, "")
	repair()
	s.SetClock(noon.Add(time.Hour + 2*time.Minute))
	s.Must(agent.Once(s.Context()))
	if b := s.Names(); len(b) != 1 || b[0] != requests.ObjectName(name, 0) {
		s.Errorf("after the repair: %v", b)
	}
}

// TestTooMuchInOneNamespace: a right that the agent has only where it is to grant is too much as
// well.
func TestTooMuchInOneNamespace(t *testing.T) {
	s := newStage(t)
	_, err := s.Admin.RbacV1().RoleBindings(s.Namespace).Create(t.Context(),
		&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "too-much"},
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "edit"},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: kube.Namespace,
				Name: render.Agent}}}, metav1.CreateOptions{})
	s.Must(err)
	agent := s.agent(options{})
	s.Until("the right is in force", func() bool { return s.tooMuch(agent.cluster, s.Namespace) })
	s.ask("narrow")
	if err := agent.Once(t.Context()); err == nil || !strings.Contains(err.Error(),
		"(OverPrivileged): the agent may ") || !strings.Contains(err.Error(),
		" in namespace "+s.Namespace+" (by RoleBinding "+s.Namespace+"/too-much of "+
			"ClusterRole edit)") {
		t.Errorf("error: %v", err)
	}
	if len(s.Bindings()) != 0 {
		t.Errorf("bindings: %v", s.Bindings())
	}
}
